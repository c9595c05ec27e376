// The queue in front of a sender: order, bounds, further tries; and the outbox file.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <thread>

#include "dure/mail/mail.hpp"
#include "dure/base/timeout.hpp"
#include "support/eventually.hpp"
#include "support/run_task.hpp"

namespace dure::mail::mailer_tests {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Fails as often as it is told, then takes mails.
class CountingSender final : public MailSender {
public:
    struct Seen {
        std::mutex guard;
        std::vector<std::string> subjects;
        int attempts = 0;
    };
    CountingSender(std::shared_ptr<Seen> seen, int failures, Errc code)
        : seen_(std::move(seen)), failures_(failures), code_(code)
    {}

    Task<Result<void>> send(const Mail& mail) override
    {
        const std::lock_guard lock(seen_->guard);
        ++seen_->attempts;
        if (failures_-- > 0)
            co_return Error(code_, "not now");
        seen_->subjects.push_back(mail.subject);
        co_return Result<void>();
    }

private:
    std::shared_ptr<Seen> seen_;
    int failures_;
    Errc code_;
};

class MailerTest : public testing::Test {
protected:
    void start(int failures, Errc code = Errc::unavailable, std::size_t capacity = 10)
    {
        Mailer::Options options;
        options.capacity = capacity;
        options.attempts = 3;
        options.first_pause = std::chrono::milliseconds(1);
        mailer =
            std::make_unique<Mailer>(cores, std::make_unique<CountingSender>(seen, failures, code), logger, options);
    }
    ~MailerTest() override
    {
        cores.stop();
        cores.join();
    }
    bool drained()
    {
        return test::eventually([&] { return mailer->undelivered() == 0; });
    }

    Logger logger{{LogLevel::error, true, {}}};
    Cores cores{1};
    std::shared_ptr<CountingSender::Seen> seen = std::make_shared<CountingSender::Seen>();
    std::unique_ptr<Mailer> mailer;
};

std::string content_of(const std::filesystem::path& path)
{
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

class OutboxTest : public testing::Test {
protected:
    OutboxTest()
    {
        auto pattern = (std::filesystem::temp_directory_path() / "dure-test-XXXXXX").string();
        if (!::mkdtemp(pattern.data()))
            throw std::runtime_error("mkdtemp");
        folder = pattern;
    }
    ~OutboxTest() override { std::filesystem::remove_all(folder); }

    std::filesystem::path folder;
};

}  // namespace

TEST_F(MailerTest, SendsInOrder)
{
    start(0);
    cores.start();
    for (const auto* subject : {"1", "2", "3"})
        EXPECT_TRUE(mailer->enqueue({"a@b.kr", subject, ""}));
    ASSERT_TRUE(drained());
    EXPECT_THAT(seen->subjects, ElementsAre("1", "2", "3"));
}

TEST_F(MailerTest, TriesAgainAFewTimesAndThenGoesOn)
{
    start(4);   // the first mail fails three times and is dropped, the second fails once
    cores.start();
    EXPECT_TRUE(mailer->enqueue({"a@b.kr", "1", ""}));
    ASSERT_TRUE(drained());
    EXPECT_TRUE(mailer->enqueue({"a@b.kr", "2", ""}));
    ASSERT_TRUE(drained());
    EXPECT_THAT(seen->subjects, ElementsAre("2"));
    EXPECT_EQ(seen->attempts, 5);
}

// Hangs over mails with the subject "hangs" for as long as the test wants.
class HangingSender final : public MailSender {
public:
    HangingSender(std::shared_ptr<CountingSender::Seen> seen, std::shared_ptr<std::atomic<bool>> hangs)
        : seen_(std::move(seen)), hangs_(std::move(hangs))
    {}
    Task<Result<void>> send(const Mail& mail) override
    {
        while (mail.subject == "hangs" && *hangs_)
            co_await sleep_for(std::chrono::milliseconds(1));
        const std::lock_guard lock(seen_->guard);
        seen_->subjects.push_back(mail.subject);
        co_return Result<void>();
    }

private:
    std::shared_ptr<CountingSender::Seen> seen_;
    std::shared_ptr<std::atomic<bool>> hangs_;
};

TEST_F(MailerTest, AServerThatHangsOverOneMailHoldsNoOtherBack)
{
    const auto hangs = std::make_shared<std::atomic<bool>>(true);
    mailer = std::make_unique<Mailer>(cores, std::make_unique<HangingSender>(seen, hangs), logger);
    cores.start();
    for (const auto* subject : {"hangs", "1", "2"})
        EXPECT_TRUE(mailer->enqueue({"a@b.kr", subject, ""}));
    EXPECT_TRUE(test::eventually([&] { return mailer->undelivered() == 1; }));
    EXPECT_EQ(mailer->due(), 1u);
    *hangs = false;
    ASSERT_TRUE(drained());
    EXPECT_THAT(seen->subjects, ElementsAre("1", "2", "hangs"));
}

TEST_F(MailerTest, AMailThatRestsIsUndeliveredAndNotDue)
{
    Mailer::Options options;
    options.first_pause = std::chrono::hours(1);
    mailer =
        std::make_unique<Mailer>(cores, std::make_unique<CountingSender>(seen, 1, Errc::unavailable), logger, options);
    cores.start();
    EXPECT_TRUE(mailer->enqueue({"a@b.kr", "1", ""}));
    EXPECT_TRUE(test::eventually([&] { return mailer->due() == 0; }));
    EXPECT_EQ(mailer->undelivered(), 1u);
}

TEST_F(MailerTest, DoesNotRepeatWhatWillNeverGo)
{
    start(1, Errc::invalid_argument);
    cores.start();
    EXPECT_TRUE(mailer->enqueue({"a@b.kr", "1", ""}));
    ASSERT_TRUE(drained());
    EXPECT_EQ(seen->attempts, 1);
}

TEST_F(MailerTest, IsBoundedAndRefusesAddressesThatAreNone)
{
    start(0, Errc::unavailable, 2);   // nobody works yet
    EXPECT_FALSE(mailer->enqueue({"a b@c", "x", ""}));
    EXPECT_TRUE(mailer->enqueue({"a@b.kr", "1", ""}));
    EXPECT_TRUE(mailer->enqueue({"a@b.kr", "2", ""}));
    EXPECT_FALSE(mailer->enqueue({"a@b.kr", "3", ""}));
    cores.start();
    EXPECT_TRUE(drained());
    EXPECT_TRUE(mailer->enqueue({"a@b.kr", "4", ""}));
    EXPECT_TRUE(drained());
}

TEST_F(OutboxTest, IsReadByItsOwnerOnlyAndBeginsAnewWhenItIsLong)
{
    const auto path = folder / "mails";
    const auto sender = outbox_sender(path.string());
    const auto send = [&](std::string text) {
        Result<void> sent;
        test::run([&]() -> Task<void> { sent = co_await sender->send({"a@b.kr", "subject", text}); });
        return sent.has_value();
    };
    ASSERT_TRUE(send("the token"));
    ASSERT_TRUE(send(std::string(1 << 20, 'x')));
    struct stat status{};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
    EXPECT_THAT(content_of(path), HasSubstr("To: a@b.kr\nSubject: subject\n\nthe token\n"));
    ASSERT_TRUE(send("another"));
    EXPECT_LT(content_of(path).size(), 1000u);
}

}  // namespace dure::mail::mailer_tests
