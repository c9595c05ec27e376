// Runs, Worker, RunWriter and the stream, with bodies that are no graphs: what happens to a run from its start to its end.
#include "dure/runs/worker.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/detached.hpp>

#include <numeric>
#include "dure/base/timeout.hpp"
#include "runs/runs_fixture.hpp"
#include "support/checkpointer_conformance.hpp"
#include "support/run_on_core.hpp"

namespace dure::runs {

namespace {

namespace asio = boost::asio;

class WorkerTest : public RunsTest {
protected:
    void SetUp() override
    {
        RunsTest::SetUp();
        runs_.emplace(*database_, clock_);
        options_.look_interval = std::chrono::milliseconds(20);
        options_.lease = std::chrono::milliseconds(60'000);
    }

    // Workers and a scenario on one loop; the workers are drained when it ends.
    template <class Scenario>
    void play(RunBody body, Scenario scenario, std::size_t workers = 1)
    {
        asio::io_context loop(1);
        std::vector<std::unique_ptr<Worker>> team;
        std::size_t failures = 0;
        const auto caught = [&failures](std::exception_ptr thrown) {
            if (!thrown)
                return;
            ++failures;
            try {
                std::rethrow_exception(thrown);
            } catch (const std::exception& error) {
                ADD_FAILURE() << error.what();
            }
        };
        for (std::size_t i = 0; i < workers; ++i)
            team.push_back(std::make_unique<Worker>(*runs_, loop.get_executor(), log_, body, options_));
        for (auto& worker : team)
            asio::co_spawn(loop, worker->work(), caught);
        asio::co_spawn(loop, scenario(), [&](std::exception_ptr thrown) {
            caught(thrown);
            for (auto& worker : team)
                worker->drain(Deadline::after(std::chrono::seconds(10)));
        });
        loop.run();
    }

    Task<runs::Run> start(std::string thread, Json input = Json(), Multitask multitask = Multitask::enqueue,
                          Json options = Json::object())
    {
        runs::Run run;
        run.thread = std::move(thread);
        run.owner = "me";
        run.graph = "g";
        run.input = std::move(input);
        run.options = std::move(options);
        auto started = co_await runs_->start(run, multitask);
        if (!started)
            throw std::runtime_error(started.error().message());
        co_return *started;
    }
    Task<runs::Run> ended(std::string id)
    {
        auto run = co_await runs_->wait(id, "me", Deadline::after(std::chrono::seconds(20)));
        if (!run)
            throw std::runtime_error(run.error().message());
        co_return *run;
    }
    // Until `true_now()`; the scenario fails when that takes too long.
    template <class Condition>
    Task<void> until(Condition true_now)
    {
        const auto deadline = Deadline::after(std::chrono::seconds(20));
        while (!true_now()) {
            if (deadline.passed())
                throw std::runtime_error("it did not happen in time");
            co_await sleep_for(std::chrono::milliseconds(2));
        }
    }

    static Ending success(Json output)
    {
        Ending ending;
        ending.output = std::move(output);
        return ending;
    }

    SystemClock clock_;
    Logger log_{Logger::Options{LogLevel::error, false, ""}};
    std::optional<Runs> runs_;
    WorkerOptions options_;
};

// Waits until cancelled.
Task<Ending> endless(RunWriter&, RunControl&)
{
    for (;;)
        co_await sleep_for(std::chrono::seconds(10));
}

Task<std::vector<std::int64_t>> numbers_of(RunReader& reader)
{
    std::vector<std::int64_t> numbers;
    while (!reader.ended()) {
        const auto page = co_await reader.next(Steady::now() + std::chrono::seconds(20));
        if (!page)
            throw std::runtime_error(page.error().message());
        for (const auto& event : *page)
            numbers.push_back(event->seq);
    }
    co_return numbers;
}

}  // namespace

TEST_P(WorkerTest, X5_ABackgroundRunIsExecutedAndWaitedFor)
{
    play([](RunWriter& writer, RunControl&) -> Task<Ending> { co_return success(writer.run().input); },
         [&]() -> Task<void> {
             const auto run = co_await start("t", {{"n", 1}});
             EXPECT_EQ(run.status, Status::pending);
             const auto done = co_await ended(run.id);
             EXPECT_EQ(done.status, Status::success);
             EXPECT_EQ(done.output, (Json{{"n", 1}}));
             EXPECT_TRUE(done.started_at && done.ended_at);
             EXPECT_EQ((co_await runs_->wait(run.id, "you", Deadline::never())).error().code(), Errc::not_found);
         });
}

TEST_P(WorkerTest, WaitingForARunHasADeadline)
{
    play(endless, [&]() -> Task<void> {
        const auto run = co_await start("t");
        const auto waited = co_await runs_->wait(run.id, "me", Deadline::after(std::chrono::milliseconds(30)));
        EXPECT_EQ(waited.error().code(), Errc::timeout);
        EXPECT_TRUE(co_await runs_->stop(run.id, "me", Stop::cancel));
        EXPECT_EQ((co_await ended(run.id)).status, Status::cancelled);
    });
}

TEST_P(WorkerTest, X4_EnqueuedRunsOfAThreadFollowEachOther)
{
    std::vector<int> order;
    int active = 0;
    play(
        [&](RunWriter& writer, RunControl&) -> Task<Ending> {
            EXPECT_EQ(++active, 1);
            co_await sleep_for(std::chrono::milliseconds(1));
            order.push_back(writer.run().input.get<int>());
            --active;
            co_return success(nullptr);
        },
        [&]() -> Task<void> {
            std::string last;
            for (int i = 0; i < 8; ++i)
                last = (co_await start("t", i)).id;
            co_await ended(last);
        },
        2);
    EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST_P(WorkerTest, TheNumberOfRunsAtOnceIsBounded)
{
    options_.most_runs = 3;
    int active = 0;
    int most = 0;
    play(
        [&](RunWriter&, RunControl&) -> Task<Ending> {
            most = std::max(most, ++active);
            co_await sleep_for(std::chrono::milliseconds(2));
            --active;
            co_return success(nullptr);
        },
        [&]() -> Task<void> {
            std::vector<std::string> ids;
            for (int i = 0; i < 12; ++i)
                ids.push_back((co_await start("t" + std::to_string(i))).id);
            for (const auto& id : ids)
                EXPECT_EQ((co_await ended(id)).status, Status::success);
        });
    EXPECT_LE(most, 3);
}

TEST_P(WorkerTest, TakesOnlyRunsOfItsGraphsAndStartsThemInAUnitOfTheCaller)
{
    options_.graphs = "flow:";
    play([](RunWriter& writer, RunControl&) -> Task<Ending> { co_return success(writer.run().graph); },
         [&]() -> Task<void> {
             const auto foreign = co_await start("foreign");
             runs::Run fresh;
             fresh.id = fresh.thread = new_id();
             fresh.owner = "me";
             fresh.graph = "flow:1";
             fresh.created_at = clock_.now();
             const auto undone = co_await database_->write([&](sql::Connection& c) -> Result<runs::Run> {
                 EXPECT_TRUE(Runs::start_in(c, fresh, Multitask::reject));
                 return Error(Errc::conflict, "undone");
             });
             EXPECT_FALSE(undone);
             EXPECT_EQ((co_await runs_->find(fresh.id, "me")).error().code(), Errc::not_found);
             EXPECT_TRUE(co_await database_->write(
                 [&](sql::Connection& c) { return Runs::start_in(c, fresh, Multitask::reject); }));
             runs_->announce(fresh.id, false);
             EXPECT_EQ((co_await ended(fresh.id)).output, Json("flow:1"));
             EXPECT_EQ((co_await runs_->find(foreign.id, "me"))->status, Status::pending);
         });
}

TEST_P(WorkerTest, ExtraWritesAreMadeWhereTheyHaveSomethingToDoAndTheirCommitIsTold)
{
    std::atomic<int> extra = 0;
    int committed = 0;
    options_.write_moments.has_extra = [](const WriteOfRun& what) { return what.ending != nullptr; };
    options_.write_moments.committed = [&](const WriteOfRun&) { ++committed; };
    options_.extra_writes = [&](sql::Connection&, const WriteOfRun&) -> Result<void> {
        ++extra;
        return {};
    };
    play(
        [](RunWriter& writer, RunControl&) -> Task<Ending> {
            EXPECT_TRUE(co_await writer.tell("", "custom", 1));
            EXPECT_TRUE(co_await writer.flush());
            co_return success(nullptr);
        },
        [&]() -> Task<void> { co_await ended((co_await start("t")).id); });
    EXPECT_EQ(extra, 1);
    EXPECT_EQ(committed, 2);
}

TEST_P(WorkerTest, X4_RollbackUndoesTheRunAndInterruptKeepsIt)
{
    for (const auto multitask : {Multitask::interrupt, Multitask::rollback}) {
        const std::string thread = multitask == Multitask::interrupt ? "kept" : "undone";
        int saved = 0;
        play(
            [&](RunWriter& writer, RunControl& control) -> Task<Ending> {
                if (writer.run().input == "second")
                    co_return success(nullptr);
                graph::Batch batch;
                batch.checkpoints.push_back(graph::CheckpointMaker("c1").by(writer.run().id).whole("n", 1));
                EXPECT_TRUE(co_await writer.save(writer.run().thread, std::move(batch)));
                ++saved;
                co_return co_await endless(writer, control);
            },
            [&]() -> Task<void> {
                const auto first = co_await start(thread, "first");
                co_await until([&] { return saved == 1; });
                const auto second = co_await start(thread, "second", multitask);
                EXPECT_EQ((co_await ended(second.id)).status, Status::success);
                EXPECT_EQ((co_await ended(first.id)).status, Status::cancelled);
            });
        EXPECT_EQ(count("SELECT COUNT(*) FROM graph_checkpoints WHERE thread_id = '" + thread + "'"),
                  multitask == Multitask::interrupt);
    }
}

TEST_P(WorkerTest, F7_ABodyMayCancelItself)
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

TEST_P(WorkerTest, ABodyThatThrowsEndsItsRunOnly)
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

TEST_P(WorkerTest, D8_AnOvertakenRunIsStoppedAndWritesNothing)
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

TEST_P(WorkerTest, D8_LeasesAreRenewedWhileARunTakesLong)
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

TEST_P(WorkerTest, F8_ADrainedRunIsContinuedByTheNextWorker)
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

TEST_P(WorkerTest, X5_AnInterruptedRunIsParkedAndResumed)
{
    play(
        [](RunWriter& writer, RunControl&) -> Task<Ending> {
            co_await writer.tell("", "updates", writer.run().input);
            Ending ending = success("answered");
            if (writer.run().input == "ask")
                ending.status = Status::interrupted;
            co_return ending;
        },
        [&]() -> Task<void> {
            const auto run = co_await start("t", "ask");
            EXPECT_EQ((co_await ended(run.id)).status, Status::interrupted);
            EXPECT_TRUE(co_await runs_->resume(run.id, "me", "answer"));
            EXPECT_EQ((co_await ended(run.id)).status, Status::success);
            auto reader = co_await runs_->read(run.id, "me", 0, {});
            EXPECT_EQ(co_await numbers_of(**reader), (std::vector<std::int64_t>{1, 2})) << "numbers go on";
        });
}

TEST_P(WorkerTest, T3_ReadersGetEveryEventOnceLiveAndAgain)
{
    constexpr int events = 700;  // more than is kept in memory
    play(
        [&](RunWriter& writer, RunControl&) -> Task<Ending> {
            co_await sleep_for(std::chrono::milliseconds(10));
            for (int i = 1; i <= events; ++i) {
                EXPECT_TRUE(co_await writer.tell(i % 10 ? "" : "sub:1", i % 2 ? "values" : "updates", i));
                if (i % 50 == 0)
                    EXPECT_TRUE(co_await writer.flush());
            }
            co_return success(nullptr);
        },
        [&]() -> Task<void> {
            const auto run = co_await start("t");
            std::vector<std::int64_t> all(events);
            std::iota(all.begin(), all.end(), 1);
            EventFilter everything;
            everything.subgraphs = true;
            auto live = co_await runs_->read(run.id, "me", 0, everything);
            EXPECT_EQ(co_await numbers_of(**live), all);
            auto replayed = co_await runs_->read(run.id, "me", 0, everything);
            EXPECT_EQ(co_await numbers_of(**replayed), all);
            auto later = co_await runs_->read(run.id, "me", events - 2, everything);
            EXPECT_EQ(co_await numbers_of(**later), (std::vector<std::int64_t>{events - 1, events}));
            EventFilter some;
            some.modes = {"updates"};
            auto filtered = co_await runs_->read(run.id, "me", 680, some);
            EXPECT_EQ(co_await numbers_of(**filtered),
                      (std::vector<std::int64_t>{682, 684, 686, 688, 692, 694, 696, 698}));
            EXPECT_EQ((co_await runs_->read(run.id, "you", 0, {})).error().code(), Errc::not_found);
        });
    EXPECT_EQ(runs_->streams().readers("any"), 0U);
}

TEST_P(WorkerTest, T3_EventsAreGivenOutWhileTheRunGoesOn)
{
    play(
        [&](RunWriter& writer, RunControl& control) -> Task<Ending> {
            EXPECT_TRUE(co_await writer.tell("", "custom", "hello"));
            co_return co_await endless(writer, control);
        },
        [&]() -> Task<void> {
            const auto run = co_await start("t");
            auto reader = co_await runs_->read(run.id, "me", 0, {});
            const auto page = co_await (*reader)->next(Steady::now() + std::chrono::seconds(20));
            EXPECT_TRUE(page && page->size() == 1);
            EXPECT_EQ(count("SELECT COUNT(*) FROM graph_run_events"), 1) << "given out only when durable";
            EXPECT_FALSE((*reader)->ended());
            EXPECT_TRUE(co_await runs_->stop(run.id, "me", Stop::cancel));
        });
}

TEST_P(WorkerTest, T4_LeavingCancelsOnlyWithThatPolicy)
{
    play(endless, [&]() -> Task<void> {
        const auto stays = co_await start("a");
        const auto goes = co_await start("b", Json(), Multitask::enqueue, {{"on_disconnect", "cancel"}});
        for (const auto& id : {stays.id, goes.id}) {
            {
                auto reader = co_await runs_->read(id, "me", 0, {});
                EXPECT_TRUE(co_await runs_->left(id)) << "another reader is there";
                EXPECT_TRUE(is_open((co_await runs_->find(id, "me"))->status));
            }
            EXPECT_TRUE(co_await runs_->left(id));
        }
        EXPECT_EQ((co_await ended(goes.id)).status, Status::cancelled);
        EXPECT_TRUE(is_open((co_await runs_->find(stays.id, "me"))->status));
        EXPECT_TRUE(co_await runs_->stop(stays.id, "me", Stop::cancel));
        co_await ended(stays.id);
    });
}

TEST_P(WorkerTest, OtherModulesWriteInTheSameTransaction)
{
    (void)database_->run_now(
        [](sql::Connection& c) { return c.run_script("CREATE TABLE extra (what TEXT NOT NULL)"); });
    bool refuse = false;
    options_.extra_writes = [&](sql::Connection& c, const WriteOfRun& what) -> Result<void> {
        if (refuse && !what.ending)
            return Error(Errc::invalid_argument, "no");
        for (const auto& write : what.batch.pending)
            if (auto added = c.execute("INSERT INTO extra VALUES ($1)", write.task); !added)
                return added.error();
        if (what.ending)
            if (auto added = c.execute("INSERT INTO extra VALUES ($1)", name_of(what.ending->status)); !added)
                return added.error();
        return {};
    };
    play(
        [&](RunWriter& writer, RunControl&) -> Task<Ending> {
            for (const auto* task : {"kept", "refused"}) {
                graph::Batch batch;
                batch.pending.push_back(graph::pending("c", task, 1));
                const auto saved = co_await writer.save(writer.run().thread, std::move(batch));
                EXPECT_EQ(saved.has_value(), !refuse);
                refuse = true;
            }
            co_return success(nullptr);
        },
        [&]() -> Task<void> { co_await ended((co_await start("t")).id); });
    EXPECT_EQ(count("SELECT COUNT(*) FROM extra WHERE what = 'kept'"), 1);
    EXPECT_EQ(count("SELECT COUNT(*) FROM extra WHERE what = 'success'"), 1);
    EXPECT_EQ(count("SELECT COUNT(*) FROM extra"), 2);
    EXPECT_EQ(count("SELECT COUNT(*) FROM graph_pending_writes"), 1);
}

TEST_P(WorkerTest, D4_AWorkerThatIsStoppedHardLeavesItsRunsToTheNext)
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
TEST_P(WorkerTest, RunsAreStartedExecutedAndReadOnDifferentCores)
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

INSTANTIATE_TEST_SUITE_P(Drivers, WorkerTest, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace dure::runs
