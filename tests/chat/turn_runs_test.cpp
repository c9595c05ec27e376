// The runs of turns and the clock that their leases are counted in.
#include "chat/turn_runs.hpp"

#include <gtest/gtest.h>

#include "support/run_task.hpp"

namespace dure::chat {
namespace {

// A PostgreSQL that was away from the start on.
class AwayDatabase final : public sql::Database {
public:
    sql::Dialect dialect() const override { return sql::Dialect::postgres; }
    std::size_t queued() const override { return 0; }
    Threads threads() const override { return {}; }
    int asked = 0;

protected:
    Result<void> submit(sql::Unit&, Access) override
    {
        ++asked;
        return Error(Errc::unavailable, "The storage is away.");
    }
};

TEST(TurnRuns, ATurnIsRefusedWhileNoLeaseCanBeCounted)
{
    AwayDatabase away;
    const SystemClock clock;
    Logger log(Logger::Options{LogLevel::error, false, ""});
    runs::Runs runs(away, clock);
    TurnRuns turns(runs, log, config::Settings());
    test::run([&]() -> Task<void> {
        const auto fresh = co_await turns.fresh("owner", Json::object());
        EXPECT_FALSE(fresh);
        EXPECT_EQ(fresh ? Errc::internal : fresh.error().code(), Errc::unavailable);
    });
    EXPECT_EQ(away.asked, 1);
}

}  // namespace
}  // namespace dure::chat
