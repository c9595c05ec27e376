// Readiness: what /readyz answers while the storage works, and while it takes no writes.
#include "app/readiness.hpp"

#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <latch>
#include <thread>

#include "dure/sql/migrator.hpp"
#include "dure/store/migrations.hpp"
#include "support/databases.hpp"

namespace dure::app {
namespace {

std::unique_ptr<sql::Database> open(const std::string& path)
{
    sql::SqliteOptions options;
    options.path = path;
    auto database = sql::open_sqlite(std::move(options));
    if (!database)
        throw std::runtime_error(database.error().message());
    return std::move(*database);
}

Result<void> ask(Readiness& readiness)
{
    Result<void> answer;
    test::run([&]() -> Task<void> { answer = co_await readiness.check(); });
    return answer;
}

TEST(Readiness, SaysYesWhileWritesGoThroughAndNoWithinTwoSecondsWhileTheyDoNot)
{
    test::TemporaryFolder folder;
    const auto served = open(folder.file("dure.db"));
    ASSERT_TRUE(sql::migrate(*served, store::migrations(), 1));
    Readiness before(*served, folder.file(""));
    EXPECT_TRUE(ask(before));

    const auto other = open(folder.file("dure.db"));
    std::latch held(1), release(1);
    std::thread holder([&] {
        const auto done = other->run_now([&](sql::Connection& connection) {
            auto changed = connection.execute("UPDATE schema_migrations SET version = version");
            held.count_down();
            release.wait();
            return changed;
        });
        EXPECT_TRUE(done);
    });
    held.wait();
    Readiness asked_now(*served, folder.file(""));
    const auto begin = Steady::now();
    const auto answer = ask(asked_now);
    const auto took = Steady::now() - begin;
    release.count_down();
    holder.join();
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code(), Errc::unavailable);
    EXPECT_LT(took, std::chrono::seconds(2));
    EXPECT_TRUE(ask(asked_now));
}

// Takes units and answers none until it is told to.
class SilentDatabase final : public sql::Database {
public:
    sql::Dialect dialect() const override { return sql::Dialect::postgres; }
    std::size_t queued() const override { return units_.size(); }
    Threads threads() const override { return {}; }
    void answer_all()
    {
        silent_ = false;
        for (auto* unit : std::exchange(units_, {})) {
            unit->error = Error(Errc::unavailable, "The storage is busy.");
            unit->done();
        }
    }

protected:
    Result<void> submit(sql::Unit& unit, Access) override
    {
        if (!silent_)
            return Error(Errc::unavailable, "The storage is still not there.");
        units_.push_back(&unit);
        return {};
    }

private:
    std::vector<sql::Unit*> units_;
    bool silent_ = true;
};

TEST(Readiness, SaysNoWhileTheDatabaseIsSilentAndAsksItNoMoreUntilItSpeaks)
{
    SilentDatabase database;
    Readiness readiness(database, "");
    test::run([&]() -> Task<void> {
        for (int i = 0; i < 3; ++i) {
            const auto answer = co_await readiness.check();
            EXPECT_FALSE(answer);
            EXPECT_EQ(answer.error().code(), Errc::unavailable);
            EXPECT_EQ(database.queued(), 1u) << "the others are not put behind the first one";
        }
        database.answer_all();
        for (Result<void> answer = {};;) {
            answer = co_await readiness.check();
            EXPECT_FALSE(answer);
            if (answer.error().message() == "The storage is still not there.")
                co_return;
            co_await boost::asio::post(co_await boost::asio::this_coro::executor, boost::asio::use_awaitable);
        }
    });
}

}  // namespace
}  // namespace dure::app
