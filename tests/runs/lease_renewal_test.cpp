// Leases are renewed in time, whatever else a worker asks the database.
#include "runs/held_reads.hpp"
#include "runs/worker_fixture.hpp"

namespace dure::runs {

using LeaseRenewalTest = WorkerTest;

TEST_P(LeaseRenewalTest, AReadThatHangsDelaysNoRenewal)
{
    HeldReads slow(*database_);
    runs_.emplace(slow, clock_);
    options_.lease = std::chrono::seconds(3);
    options_.most_runs = 1;   // it must not take the run again itself
    bool may_end = false;
    const RunBody body = [&](RunWriter&, RunControl&) -> Task<Ending> {
        while (!may_end)
            co_await sleep_for(std::chrono::milliseconds(5));
        co_return success("whole");
    };
    play(body, [&]() -> Task<void> {
        const auto id = (co_await start("t")).id;
        const auto lease = [this] {
            return count("SELECT COALESCE(MAX(lease_until), 0) FROM graph_runs WHERE status = 'running'");
        };
        co_await until([&] { return lease() > 0; });
        slow.hold();
        try {
            co_await until([&] { return slow.held() > 0; });
            auto last = lease();
            for (int renewals = 0; renewals < 2; ++renewals) {
                co_await until([&] { return lease() > last; });
                last = lease();
            }
        } catch (const std::runtime_error& error) {
            ADD_FAILURE() << error.what();
        }
        slow.release();
        may_end = true;
        EXPECT_EQ((co_await ended(id)).output, "whole");
    });
    runs_.emplace(*database_, clock_);
}

TEST(LeaseRenewal, ARefusedRenewalIsTriedAgainWithinTheLease)
{
    using namespace std::chrono_literals;
    const auto lease = 15s;
    const Steady::time_point renewed{};
    const auto refused = next_renewal(renewed, true, lease);
    EXPECT_LE(refused, renewed + lease / 3);
    // One that was refused after six seconds is late already.
    EXPECT_LT(next_renewal(refused, false, lease), refused + 6s);
    EXPECT_GT(next_renewal(refused, false, lease), refused);
}

INSTANTIATE_TEST_SUITE_P(Drivers, LeaseRenewalTest, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace dure::runs
