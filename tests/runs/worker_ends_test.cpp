// Workers whose runs do not simply succeed: bodies that cancel, throw or take long, leases that are lost, workers that are
// drained or die, and all of it on several cores.
#include "runs/worker_fixture.hpp"

namespace dure::runs {

using WorkerEndsTest = WorkerTest;

TEST_P(WorkerEndsTest, F7_ABodyMayCancelItself)
{
    play(
        [](RunWriter&, RunControl& control) -> Task<Ending> {
            Signal stopped(co_await asio::this_coro::executor);
            bool asked = false;
            control.on_cancel([&] {
                asked = true;
                stopped.notify();
            });
            while (!asked)
                co_await stopped.wait();
            Ending ending;
            ending.status = Status::cancelled;
            ending.output = "kept";
            co_return ending;
        },
        [&]() -> Task<void> {
            const auto run = co_await start("t");
            co_await until([&] { return count("SELECT COUNT(*) FROM graph_runs WHERE status = 'running'") == 1; });
            EXPECT_TRUE(co_await runs_->stop(run.id, "me", Stop::cancel));
            const auto done = co_await ended(run.id);
            EXPECT_EQ(done.status, Status::cancelled);
            EXPECT_EQ(done.output, "kept");
        });
}

TEST_P(WorkerEndsTest, ABodyThatThrowsEndsItsRunOnly)
{
    play(
        [](RunWriter& writer, RunControl&) -> Task<Ending> {
            if (writer.run().input == "bad")
                throw std::runtime_error("secret inside");
            co_return success(nullptr);
        },
        [&]() -> Task<void> {
            const auto bad = co_await start("a", "bad");
            const auto good = co_await start("b", "good");
            const auto failed = co_await ended(bad.id);
            EXPECT_EQ(failed.status, Status::error);
            EXPECT_EQ(failed.error->dump().find("secret"), std::string::npos);
            EXPECT_EQ((co_await ended(good.id)).status, Status::success);
        });
}

TEST_P(WorkerEndsTest, D8_AnOvertakenRunIsStoppedAndWritesNothing)
{
    options_.lease = std::chrono::milliseconds(90);
    int bodies = 0;
    std::string reason;
    bool first_was_cancelled = false;
    play(
        [&](RunWriter& writer, RunControl&) -> Task<Ending> {
            if (++bodies == 2)
                co_return success("second");
            // Somebody else takes it over, as after a long pause of this process.
            (void)database_->run_now([&](sql::Connection& c) {
                return c.execute("UPDATE graph_runs SET epoch = epoch + 1, worker = 'other', lease_until = 0");
            });
            const auto saved = co_await writer.tell("", "custom", 1);
            EXPECT_TRUE(saved);
            const auto written = co_await writer.flush();
            reason = written ? "written" : written.error().reason();
            try {
                co_await sleep_for(std::chrono::seconds(20));
            } catch (const boost::system::system_error&) {
                first_was_cancelled = true;
                throw;
            }
            co_return success("first");
        },
        [&]() -> Task<void> {
            const auto run = co_await start("t");
            EXPECT_EQ((co_await ended(run.id)).output, "second");
        });
    EXPECT_EQ(reason, "LEASE_LOST");
    EXPECT_TRUE(first_was_cancelled);
    EXPECT_EQ(count("SELECT COUNT(*) FROM graph_run_events"), 0);
}

TEST_P(WorkerEndsTest, D8_LeasesAreRenewedWhileARunTakesLong)
{
    options_.lease = std::chrono::milliseconds(600);
    int bodies = 0;
    play(
        [&](RunWriter&, RunControl&) -> Task<Ending> {
            ++bodies;
            co_await sleep_for(std::chrono::milliseconds(1500));
            co_return success(nullptr);
        },
        [&]() -> Task<void> { EXPECT_EQ((co_await ended((co_await start("t")).id)).epoch, 1); }, 2);
    EXPECT_EQ(bodies, 1);
}

TEST_P(WorkerEndsTest, F8_ADrainedRunIsContinuedByTheNextWorker)
{
    std::string id;
    play(
        [](RunWriter&, RunControl& control) -> Task<Ending> {
            Signal asked(co_await asio::this_coro::executor);
            bool draining = false;
            control.on_drain([&] {
                draining = true;
                asked.notify();
            });
            while (!draining)
                co_await asked.wait();
            Ending ending;
            ending.status = Status::pending;
            co_return ending;
        },
        [&]() -> Task<void> {
            id = (co_await start("t")).id;
            co_await until([&] { return count("SELECT COUNT(*) FROM graph_runs WHERE status = 'running'") == 1; });
        });
    EXPECT_EQ(count("SELECT COUNT(*) FROM graph_runs WHERE status = 'pending'"), 1);
    play([](RunWriter&, RunControl&) -> Task<Ending> { co_return success("next"); },
         [&]() -> Task<void> {
             const auto run = co_await ended(id);
             EXPECT_EQ(run.output, "next");
             EXPECT_EQ(run.crashes, 0);
         });
}

TEST_P(WorkerEndsTest, D4_AWorkerThatIsStoppedHardLeavesItsRunsToTheNext)
{
    std::string id;
    {
        asio::io_context loop(1);
        Worker worker(*runs_, loop.get_executor(), log_, endless, options_);
        asio::cancellation_signal kill;
        asio::co_spawn(loop, worker.work(), asio::bind_cancellation_slot(kill.slot(), [](std::exception_ptr) {}));
        asio::co_spawn(
            loop,
            [&]() -> Task<void> {
                id = (co_await start("t")).id;
                co_await until([&] { return worker.active() == 1; });
                kill.emit(asio::cancellation_type::terminal);
            },
            asio::detached);
        loop.run();
    }
    EXPECT_EQ(count("SELECT COUNT(*) FROM graph_runs WHERE status = 'running'"), 1);
    options_.only_process = true;
    play([](RunWriter&, RunControl&) -> Task<Ending> { co_return success("recovered"); },
         [&]() -> Task<void> {
             const auto run = co_await ended(id);
             EXPECT_EQ(run.output, "recovered");
             EXPECT_EQ(run.epoch, 2);
         });
}

// Workers, starters and readers on different cores: for TSan most of all.
TEST_P(WorkerEndsTest, RunsAreStartedExecutedAndReadOnDifferentCores)
{
    Cores cores(2);
    const test::ClosesFirst closing(database_);
    cores.start();
    std::vector<std::unique_ptr<Worker>> team;
    std::vector<std::unique_ptr<test::Running>> working;
    const RunBody body = [](RunWriter& writer, RunControl&) -> Task<Ending> {
        for (int i = 0; i < 20; ++i)
            EXPECT_TRUE(co_await writer.tell("", "custom", i));
        co_return success(writer.run().input);
    };
    for (std::size_t core : {0, 1})
        test::run_on_core(
            cores,
            [&, core]() -> Task<void> {
                team.push_back(std::make_unique<Worker>(*runs_, cores.at(core).get_executor(), log_, body, options_));
                co_return;
            },
            core);
    for (std::size_t core : {0, 1})
        working.push_back(
            std::make_unique<test::Running>(cores, [&, core]() -> Task<void> { co_await team[core]->work(); }, core));
    std::atomic<int> read = 0;
    std::vector<std::unique_ptr<test::Running>> callers;
    for (std::size_t caller = 0; caller < 8; ++caller)
        callers.push_back(std::make_unique<test::Running>(
            cores,
            [&, caller]() -> Task<void> {
                for (int i = 0; i < 5; ++i) {
                    const auto run =
                        co_await start("t" + std::to_string((caller + static_cast<std::size_t>(i)) % 4), i);
                    auto reader = co_await runs_->read(run.id, "me", 0, {});
                    EXPECT_EQ((co_await numbers_of(**reader)).size(), 20U);
                    EXPECT_EQ((co_await ended(run.id)).output, i);
                    ++read;
                }
            },
            caller % 2));
    for (auto& caller : callers)
        caller->wait();
    EXPECT_EQ(read, 40);
    for (std::size_t core : {0, 1}) {
        test::run_on_core(
            cores,
            [&, core]() -> Task<void> {
                team[core]->drain(Deadline::after(std::chrono::seconds(10)));
                co_return;
            },
            core);
        working[core]->wait();
        test::run_on_core(
            cores,
            [&, core]() -> Task<void> {
                team[core].reset();
                co_return;
            },
            core);
    }
    cores.stop();
    cores.join();
}

INSTANTIATE_TEST_SUITE_P(Drivers, WorkerEndsTest, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace dure::runs
