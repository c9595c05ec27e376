// The development sender: a file that only the operator can read. Each mail is one write, as a person would read it.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "dure/base/blocking_pool.hpp"
#include "dure/base/clock.hpp"
#include "dure/mail/mail.hpp"

namespace dure::mail {

namespace outbox {

constexpr off_t largest_file = 1 << 20;

Error failed(const char* doing)
{
    return Error(Errc::unavailable, "The outbox cannot be written.")
        .detail(std::string(doing) + ": " + std::strerror(errno));
}

Result<void> append(const std::string& path, const std::string& text)
{
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0)
        return failed("open");
    struct stat status{};
    const bool ready = ::fstat(file, &status) == 0 && ::fchmod(file, 0600) == 0 &&
                       (status.st_size < largest_file || ::ftruncate(file, 0) == 0);
    const bool written = ready && ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    const auto error = written ? Result<void>() : Result<void>(failed("write"));
    ::close(file);
    return error;
}

class Outbox final : public MailSender {
public:
    explicit Outbox(std::string path) : path_(std::move(path)), pool_("outbox", 1, 100) {}

    Task<Result<void>> send(const Mail& mail) override
    {
        const auto text = "Date: " + rfc3339(SystemClock().now()) + "\nTo: " + mail.to + "\nSubject: " + mail.subject +
                          "\n\n" + mail.text + "\n----\n";
        co_return co_await pool_.run([&] { return append(path_, text); });
    }

private:
    std::string path_;
    BlockingPool pool_;   // last: its thread uses the path
};

}  // namespace outbox

std::unique_ptr<MailSender> outbox_sender(std::string path)
{
    return std::make_unique<outbox::Outbox>(std::move(path));
}

}  // namespace dure::mail
