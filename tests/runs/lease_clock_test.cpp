// Leases are counted in a time that no process' wall clock moves, and that all replicas of a database share.
#include "dure/runs/lease_clock.hpp"

#include "runs/held_reads.hpp"
#include "runs/runs_fixture.hpp"

namespace dure::runs {

namespace {

class MovedClock final : public Clock {
public:
    explicit MovedClock(UnixMillis by = 0) : by(by) {}
    UnixMillis now() const override { return SystemClock().now() + by; }
    Steady::time_point steady_now() const override { return Steady::now(); }

    UnixMillis by;
};

constexpr UnixMillis an_hour = 3'600'000;

using LeaseClockTest = RunsTest;

}  // namespace

TEST_P(LeaseClockTest, StaysWhenTheWallClockJumps)
{
    MovedClock wall;
    LeaseClock leases(*database_, wall);
    test::run([&]() -> Task<void> { EXPECT_TRUE(co_await leases.known()); });
    const auto before = leases.now();
    for (const auto by : {an_hour, -an_hour}) {
        wall.by = by;
        test::run([&]() -> Task<void> { co_await leases.look(); });
        EXPECT_GE(leases.now(), before - 1000);
        EXPECT_LT(leases.now(), before + an_hour / 2);
    }
}

TEST_P(LeaseClockTest, IsTheDatabasesOnEveryReplica)
{
    if (GetParam().name == "sqlite")
        return;   // which has one process
    const MovedClock right;
    const MovedClock wrong(-an_hour);
    LeaseClock here(*database_, right);
    LeaseClock there(*database_, wrong);
    test::run([&]() -> Task<void> {
        EXPECT_TRUE(co_await here.known());
        EXPECT_TRUE(co_await there.known());
    });
    EXPECT_LT(std::abs(here.now() - there.now()), an_hour / 2);
}

TEST_P(LeaseClockTest, LooksAgainWhenTheLastLookIsOld)
{
    HeldReads counted(*database_);
    const SystemClock clock;
    LeaseClock leases(counted, clock);
    const int a_look = GetParam().name == "sqlite" ? 0 : 1;   // SQLite's is its process' own
    test::run([&]() -> Task<void> {
        EXPECT_TRUE(co_await leases.known());
        EXPECT_EQ(counted.reads(), a_look);
        EXPECT_TRUE(co_await leases.known(std::chrono::hours(1)));
        EXPECT_EQ(counted.reads(), a_look);
        EXPECT_TRUE(co_await leases.known(std::chrono::milliseconds(-1)));
        EXPECT_EQ(counted.reads(), 2 * a_look);
    });
}

INSTANTIATE_TEST_SUITE_P(Drivers, LeaseClockTest, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace dure::runs
