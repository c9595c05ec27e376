// See flow_files.hpp.
#include "flows/service/flow_files.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "dure/base/clock.hpp"
#include "flows/service/slug.hpp"

namespace dure::flows {

namespace {

constexpr std::size_t most_remembered = 10'000;

Error file_error(const char* what)
{
    const int cause = errno;
    const bool full = cause == ENOSPC || cause == EDQUOT;
    return Error(full ? Errc::storage_full : Errc::unavailable, "The file of the flow cannot be written.")
        .detail(std::string(what) + ": " + std::strerror(cause));
}

class Descriptor {
public:
    explicit Descriptor(int number) : number_(number) {}
    ~Descriptor()
    {
        if (number_ >= 0)
            ::close(number_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return number_; }
    bool open() const { return number_ >= 0; }

private:
    const int number_;
};

// A file that did not exist, below the directory, through no link. Kernels without openat2 get the same from a name that
// has no slash (slug.hpp) and O_NOFOLLOW.
int make_beneath(int directory, const std::string& name)
{
    open_how how{};
    how.flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
    how.mode = 0644;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
    const auto made = static_cast<int>(::syscall(SYS_openat2, directory, name.c_str(), &how, sizeof how));
    if (made >= 0 || (errno != ENOSYS && errno != EPERM))
        return made;
    return ::openat(directory, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
}

bool write_all(int file, std::string_view text)
{
    while (!text.empty()) {
        const auto written = ::write(file, text.data(), text.size());
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

// Beside, to the disk, over the old one, and the directory to the disk.
Result<void> replace_file(int directory, const std::string& name, std::string_view text)
{
    const auto beside = "." + random_base62(16) + ".tmp";
    const auto give_up = [&](const char* what) {
        auto error = file_error(what);
        ::unlinkat(directory, beside.c_str(), 0);
        return error;
    };
    {
        const Descriptor file(make_beneath(directory, beside));
        if (!file.open())
            return file_error("open");
        if (!write_all(file.get(), text))
            return give_up("write");
        if (::fsync(file.get()) != 0)
            return give_up("fsync");
    }
    if (::renameat(directory, beside.c_str(), directory, name.c_str()) != 0)
        return give_up("rename");
    if (::fsync(directory) != 0)
        return file_error("fsync of the directory");
    return {};
}

}  // namespace

Result<void> FlowFiles::write_now(const Copy& copy)
{
    if (!is_slug(copy.slug))
        throw InvariantBroken("a flow without a slug");
    auto& newest = written_[copy.flow_id];
    if (copy.version < newest)
        return {};
    if (!copy.only_if_there) {
        std::error_code failed;
        std::filesystem::create_directories(directory_, failed);
        if (failed)
            return Error(Errc::unavailable, "The folder of the flow files cannot be made.").detail(failed.message());
    }
    const Descriptor directory(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const auto name = copy.slug + ".json";
    struct stat there{};
    if (copy.only_if_there &&
        (!directory.open() || ::fstatat(directory.get(), name.c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0))
        return {};
    if (!directory.open())
        return file_error("open of the folder");
    if (auto replaced = replace_file(directory.get(), name, canonical_text(*copy.document)); !replaced)
        return replaced;
    newest = copy.version;
    if (written_.size() > most_remembered)  // only saves that overtake each other need it
        written_.clear();
    return {};
}

Task<Result<void>> FlowFiles::write(Copy copy)
{
    co_return co_await thread_.run([&] { return write_now(copy); });
}

Task<Result<void>> FlowFiles::remove(std::string slug)
{
    co_return co_await thread_.run([&]() -> Result<void> {
        const Descriptor directory(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!directory.open())
            return {};  // no folder, no file
        if (::unlinkat(directory.get(), (slug + ".json").c_str(), 0) != 0 && errno != ENOENT)
            return file_error("unlink");
        return {};
    });
}

}  // namespace dure::flows
