// Runs, Worker, RunWriter and the stream, with bodies that are no graphs: what happens to a run from its start to its end.
#include "runs/worker_fixture.hpp"

namespace dure::runs {

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

TEST_P(WorkerTest, OfRunsThatWaitForEachOtherFewAreTakenAheadAndOthersPassThem)
{
    options_.claim_ahead = 2;
    constexpr std::int64_t most_waiting = 3;  // one, and then another claim
    const auto held = [&] { return count("SELECT COUNT(*) FROM graph_runs WHERE status = 'running'"); };
    bool open = false;
    int waiting = 0;
    int active = 0;
    const RunBody body = [&](RunWriter& writer, RunControl& control) -> Task<Ending> {
        if (writer.run().owner == "me") {
            control.waits();
            ++waiting;
            while (!open || active > 0)
                co_await sleep_for(std::chrono::milliseconds(1));
            --waiting;
        }
        control.works();
        ++active;
        EXPECT_LE(waiting, most_waiting);
        co_await sleep_for(std::chrono::milliseconds(1));
        --active;
        co_return success(nullptr);
    };
    play(body, [&]() -> Task<void> {
        std::vector<std::string> ids;
        for (int i = 0; i < 20; ++i)
            ids.push_back((co_await start("t" + std::to_string(i))).id);
        co_await until([&] { return waiting >= 2; });
        runs::Run other;
        other.thread = "other";
        other.owner = "you";
        other.graph = "g";
        other.input = Json();
        const auto passes = co_await runs_->start(other, Multitask::enqueue);
        EXPECT_EQ((co_await runs_->wait(passes->id, "you", Deadline::after(std::chrono::seconds(20))))->status,
                  Status::success);
        EXPECT_LE(waiting, most_waiting);
        EXPECT_LE(held(), most_waiting);
        open = true;
        for (const auto& id : ids)
            EXPECT_EQ((co_await ended(id)).status, Status::success);
    });
}

TEST_P(WorkerTest, ManyRunsThatDoNotWaitAreTakenAFewAtATimeUntilAllWork)
{
    options_.claim_ahead = 2;
    options_.most_runs = 50;
    options_.look_interval = std::chrono::hours(1);  // nothing waits for a look
    int active = 0;
    play(
        [&](RunWriter&, RunControl& control) -> Task<Ending> {
            control.works();
            ++active;
            while (active < 40)
                co_await sleep_for(std::chrono::milliseconds(1));
            co_return success(nullptr);
        },
        [&]() -> Task<void> {
            std::vector<std::string> ids;
            for (int i = 0; i < 40; ++i)
                ids.push_back((co_await start("t" + std::to_string(i))).id);
            for (const auto& id : ids)
                EXPECT_EQ((co_await ended(id)).status, Status::success);
        });
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

INSTANTIATE_TEST_SUITE_P(Drivers, WorkerTest, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace dure::runs
