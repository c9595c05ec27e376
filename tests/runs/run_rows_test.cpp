// Runs as rows: starts on busy threads (X4), claims and epochs (D8), crashes (D9), events (T3).
#include "runs/run_rows.hpp"

#include "dure/runs/runs.hpp"
#include "runs/runs_fixture.hpp"
#include "support/run_task.hpp"

namespace dure::runs {

namespace {

class RunRowsTest : public RunsTest {
protected:
    template <class F>
    auto in(F work)
    {
        return database_->run_now([&work](sql::Connection& c) { return work(RunRows(c)); });
    }

    Result<runs::Run> try_start(const std::string& id, const std::string& thread = "t",
                          Multitask multitask = Multitask::enqueue, const std::string& owner = "me")
    {
        runs::Run run;
        run.id = id;
        run.thread = thread;
        run.owner = owner;
        run.graph = "g";
        run.input = Json{{"n", 1}};
        run.created_at = 10;
        return in([&](RunRows rows) { return rows.start(run, multitask); });
    }
    void start(const std::string& id, const std::string& thread = "t")
    {
        const auto started = try_start(id, thread);
        ASSERT_TRUE(started) << started.error().detail();
    }
    // id@epoch of what was taken.
    std::vector<std::string> claim(const std::string& worker, UnixMillis now, std::int64_t limit = 10)
    {
        Claim wish;
        wish.worker = worker;
        wish.now = wish.lease_now = now;
        wish.lease_until = now + 100;
        wish.limit = limit;
        const auto taken = in([&](RunRows rows) { return rows.claim(wish); });
        if (!taken)
            throw std::runtime_error(taken.error().detail());
        std::vector<std::string> texts;
        for (const auto& run : *taken)
            texts.push_back(run.id + "@" + std::to_string(run.epoch));
        std::sort(texts.begin(), texts.end());
        return texts;
    }
    Status status(const std::string& id)
    {
        return in([&](RunRows rows) { return rows.find(id, ""); })->status;
    }
    Result<void> finish(const std::string& id, std::int64_t epoch, Status how = Status::success)
    {
        Ending ending;
        ending.status = how;
        ending.now = 99;
        return in([&](RunRows rows) { return rows.finish({id, epoch}, ending); });
    }
};

using Taken = std::vector<std::string>;

}  // namespace

TEST_P(RunRowsTest, D3_AStartedRunIsDurableAndClaimedOnce)
{
    start("r1");
    EXPECT_EQ(status("r1"), Status::pending);
    EXPECT_EQ(claim("w1", 1000), Taken{"r1@1"});
    EXPECT_EQ(claim("w2", 1000), Taken());
    const auto run = in([](RunRows rows) { return rows.find("r1", "me"); });
    EXPECT_EQ(run->status, Status::running);
    EXPECT_EQ(run->worker, "w1");
    EXPECT_EQ(run->input, (Json{{"n", 1}}));
    EXPECT_EQ(run->started_at, 1000);
    ASSERT_TRUE(finish("r1", 1));
    EXPECT_EQ(status("r1"), Status::success);
}

TEST_P(RunRowsTest, X4_OneRunPerThreadIsActive)
{
    start("r1");
    start("r2");
    start("r3", "other");
    EXPECT_EQ(claim("w1", 1000), (Taken{"r1@1", "r3@1"}));
    EXPECT_EQ(claim("w2", 1000), Taken());
    ASSERT_TRUE(finish("r1", 1));
    EXPECT_EQ(claim("w2", 1000), Taken{"r2@1"});
}

TEST_P(RunRowsTest, X4_RejectRefusesABusyThread)
{
    start("r1");
    const auto refused = try_start("r2", "t", Multitask::reject);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Errc::conflict);
    EXPECT_EQ(refused.error().reason(), "THREAD_BUSY");
    claim("w1", 1000);
    ASSERT_TRUE(finish("r1", 1));
    EXPECT_TRUE(try_start("r3", "t", Multitask::reject));
}

TEST_P(RunRowsTest, X4_InterruptAndRollbackStopTheRunningOneAndDropTheWaiting)
{
    for (const auto& [multitask, expected] :
         {std::pair(Multitask::interrupt, Stop::cancel), std::pair(Multitask::rollback, Stop::rollback)}) {
        const std::string thread = expected == Stop::cancel ? "a" : "b";
        start("r1" + thread, thread);
        claim("w1", 1000);
        start("r2" + thread, thread);
        ASSERT_TRUE(try_start("r3" + thread, thread, multitask));
        EXPECT_EQ(status("r2" + thread), Status::cancelled);
        const auto held = in([](RunRows rows) { return rows.renew("w1", 2000); });
        ASSERT_EQ(held->size(), 1U);
        EXPECT_EQ(held->front().stop, expected);
        EXPECT_EQ(claim("w2", 1001), Taken());
        ASSERT_TRUE(finish("r1" + thread, 1, Status::cancelled));
        EXPECT_EQ(claim("w2", 1001), Taken{"r3" + thread + "@1"});
        ASSERT_TRUE(finish("r3" + thread, 1));
    }
}

TEST_P(RunRowsTest, ForeignThreadsAndRunsAreNotFound)
{
    start("r1");
    const auto foreign = try_start("r2", "t", Multitask::enqueue, "you");
    ASSERT_FALSE(foreign);
    EXPECT_EQ(foreign.error().code(), Errc::not_found);
    EXPECT_EQ(in([](RunRows rows) { return rows.find("r1", "you"); }).error().code(), Errc::not_found);
    EXPECT_EQ(in([](RunRows rows) { return rows.stop("r1", "you", Stop::cancel, 5); }).error().code(), Errc::not_found);
    EXPECT_EQ(in([](RunRows rows) { return rows.resume("r1", "you", Json()); }).error().code(), Errc::not_found);
    EXPECT_TRUE(in([](RunRows rows) { return rows.of_thread("t", "you", 10); })->empty());
    EXPECT_EQ(status("r1"), Status::pending);
}

TEST_P(RunRowsTest, D8_AnOvertakenWorkerCannotWrite)
{
    start("r1");
    claim("w1", 1000);
    EXPECT_EQ(claim("w2", 1099), Taken()) << "the lease still holds";
    EXPECT_EQ(claim("w2", 1101), Taken{"r1@2"});
    EXPECT_EQ(finish("r1", 1).error().reason(), "LEASE_LOST");
    EXPECT_TRUE(in([](RunRows rows) { return rows.renew("w1", 5000); })->empty());
    graph::Batch batch;
    batch.pending.emplace_back();
    const Fence old{"r1", 1};
    const Fence current{"r1", 2};
    for (const auto* fence : {&old, &current}) {
        const std::vector<RunEvent> events{{1, "", "custom", Json("x")}};
        const auto written =
            database_->run_now([&](sql::Connection& c) { return write_batch(c, {"t", batch, *fence, events}); });
        EXPECT_EQ(written.has_value(), fence == &current);
        EXPECT_EQ(count("SELECT COUNT(*) FROM graph_pending_writes"), fence == &current);
        EXPECT_EQ(count("SELECT COUNT(*) FROM graph_run_events"), fence == &current);
        if (!written)
            EXPECT_EQ(written.error().reason(), "LEASE_LOST");
    }
    EXPECT_TRUE(finish("r1", 2));
}

// A machine that its host had paused: its clock of leases is behind until its next look, and what it claims until then another
// may take over at once. Its run begins twice; nothing that the first one writes, parks or ends is stored.
TEST_P(RunRowsTest, D8_AClaimThatWasOverWhenItWasMadeIsRefusedEveryWrite)
{
    start("r1");
    EXPECT_EQ(claim("paused", 1000), Taken{"r1@1"});
    EXPECT_EQ(claim("w2", 5000), Taken{"r1@2"});
    auto overtaken = in([](RunRows rows) { return rows.find("r1", ""); }).value();
    overtaken.epoch = 1;
    Ending ending;
    ending.now = 99;
    const auto refused = [&](auto write) {
        const auto written = database_->run_now([&](sql::Connection& c) -> Result<void> { return write(c); });
        return written ? "written" : written.error().reason();
    };
    EXPECT_EQ(refused([&](sql::Connection& c) { return check_fence(c, {"r1", 1}); }), "LEASE_LOST");
    EXPECT_EQ(refused([&](sql::Connection& c) { return Runs::end_in(c, overtaken, {}, ending); }), "LEASE_LOST");
    EXPECT_EQ(finish("r1", 1).error().reason(), "LEASE_LOST");
    EXPECT_TRUE(in([](RunRows rows) { return rows.release({"r1", 1}); }));
    EXPECT_TRUE(in([](RunRows rows) { return rows.renew("paused", 9000); })->empty());
    SystemClock clock;
    Runs runs(*database_, clock);
    test::run([&]() -> Task<void> { EXPECT_TRUE(co_await runs.hold("paused", {"r1"}, 9000)); });
    const auto now = in([](RunRows rows) { return rows.find("r1", ""); }).value();
    EXPECT_EQ(now.status, Status::running);
    EXPECT_EQ(now.worker, "w2");
    EXPECT_EQ(now.lease_until, 5100);
    EXPECT_TRUE(finish("r1", 2));
}

TEST_P(RunRowsTest, D9_AfterThreeCrashesAtOneCheckpointTheRunFails)
{
    start("r1");
    EXPECT_EQ(claim("w1", 1000), Taken{"r1@1"});
    EXPECT_EQ(claim("w2", 2000), Taken{"r1@2"});
    EXPECT_EQ(claim("w3", 3000), Taken{"r1@3"});
    EXPECT_EQ(claim("w4", 4000), Taken());
    const auto run = in([](RunRows rows) { return rows.find("r1", ""); });
    EXPECT_EQ(run->status, Status::error);
    EXPECT_EQ(*run->error, Json::parse(R"({"code": "RECOVERY_LIMIT",
        "message": "The process ended 3 times while the run stood at the same checkpoint."})"));
    const auto again = in([](RunRows rows) { return rows.resume("r1", "me", Json()); });
    ASSERT_TRUE(again);
    EXPECT_EQ(again->status, Status::pending);
    EXPECT_EQ(claim("w5", 5000), Taken{"r1@5"});
}

TEST_P(RunRowsTest, D9_TheErrorNamesTheNodesThatWereAtWork)
{
    start("r1");
    claim("w", 1000);
    graph::Batch batch;
    batch.checkpoints.emplace_back();
    batch.checkpoints.back().id = "c1";
    batch.checkpoints.back().frontier = Json::parse(
        R"({"next": ["p", "q"], "sent": [{"node": "w", "argument": 1}, {"node": "w", "argument": 2}], "wrote": []})");
    const auto saved =
        database_->run_now([&](sql::Connection& c) { return write_batch(c, {"t", batch, {"r1", 1}, {}}); });
    ASSERT_TRUE(saved) << saved.error().message();
    claim("w", 2000);
    claim("w", 3000);
    EXPECT_EQ(claim("w", 4000), Taken());
    const auto run = in([](RunRows rows) { return rows.find("r1", ""); });
    EXPECT_EQ(*run->error, Json::parse(R"({"code": "RECOVERY_LIMIT", "nodes": ["p", "q", "w"],
        "message": "The process ended 3 times while the run stood at the same checkpoint, at work on: p, q, w."})"));
}

TEST_P(RunRowsTest, D9_CrashesAtDifferentCheckpointsDoNotAddUp)
{
    start("r1");
    claim("w", 1000);
    for (int i = 1; i <= 6; ++i) {
        graph::Batch batch;
        batch.checkpoints.emplace_back();
        batch.checkpoints.back().id = "c" + std::to_string(i);
        const auto saved =
            database_->run_now([&](sql::Connection& c) { return write_batch(c, {"t", batch, {"r1", i}, {}}); });
        ASSERT_TRUE(saved) << saved.error().message();
        EXPECT_EQ(claim("w", 1000 + i * 1000), Taken{"r1@" + std::to_string(i + 1)});
    }
}

TEST_P(RunRowsTest, ADrainedRunGoesBackWithoutACrash)
{
    start("r1");
    for (int i = 1; i <= 5; ++i) {
        EXPECT_EQ(claim("w", 1000), Taken{"r1@" + std::to_string(i)});
        ASSERT_TRUE(in([&](RunRows rows) { return rows.release({"r1", i}); }));
    }
    EXPECT_EQ(status("r1"), Status::pending);
}

TEST_P(RunRowsTest, ASoleWorkerNeedNotWaitForDeadLeases)
{
    start("r1");
    claim("w1", 1000);
    ASSERT_TRUE(in([](RunRows rows) { return rows.expire_all(1001); }));
    EXPECT_EQ(claim("w2", 1001), Taken{"r1@2"});
}

TEST_P(RunRowsTest, AnInterruptedRunIsResumedUnlessTheThreadIsBusy)
{
    start("r1");
    claim("w", 1000);
    ASSERT_TRUE(finish("r1", 1, Status::interrupted));
    start("r2");
    EXPECT_EQ(in([](RunRows rows) { return rows.resume("r1", "me", Json(1)); }).error().reason(), "THREAD_BUSY");
    claim("w", 1000);
    ASSERT_TRUE(finish("r2", 1));
    ASSERT_TRUE(in([](RunRows rows) { return rows.resume("r1", "me", Json(1)); }));
    EXPECT_EQ(claim("w", 1000), Taken{"r1@2"});
    EXPECT_EQ(in([](RunRows rows) { return rows.resume("r2", "me", Json(1)); }).error().code(), Errc::conflict);
}

TEST_P(RunRowsTest, StoppingEndsAWaitingRunAndTellsARunningOne)
{
    start("r1");
    start("r2");
    claim("w", 1000);
    EXPECT_EQ(in([](RunRows rows) { return rows.stop("r2", "me", Stop::cancel, 7); })->status, Status::cancelled);
    EXPECT_EQ(in([](RunRows rows) { return rows.stop("r1", "me", Stop::rollback, 7); })->status, Status::running);
    EXPECT_EQ(in([](RunRows rows) { return rows.renew("w", 2000); })->front().stop, Stop::rollback);
}

TEST_P(RunRowsTest, T3_EventsAreReadBackByNumber)
{
    start("r1");
    claim("w", 1000);
    std::vector<RunEvent> events;
    for (int i = 1; i <= 5; ++i)
        events.push_back({i, i == 3 ? "sub:1" : "", i % 2 ? "values" : "updates", Json{{"i", i}}});
    const graph::Batch nothing;
    for (int twice = 0; twice < 2; ++twice)
        ASSERT_TRUE(
            database_->run_now([&](sql::Connection& c) { return write_batch(c, {"t", nothing, {"r1", 1}, events}); }));
    const auto back = in([](RunRows rows) { return rows.events_after("r1", 2, 2); });
    ASSERT_EQ(back->size(), 2U);
    EXPECT_EQ(back->front().seq, 3);
    EXPECT_EQ(back->front().ns, "sub:1");
    EXPECT_EQ(back->back().data, (Json{{"i", 4}}));
    EXPECT_EQ(in([](RunRows rows) { return rows.last_seq("r1"); }).value(), 5);
    ASSERT_TRUE(finish("r1", 1));
    EXPECT_EQ(in([](RunRows rows) { return rows.forget_events(99); }).value(), 0);
    EXPECT_EQ(in([](RunRows rows) { return rows.forget_events(100); }).value(), 5);
}

TEST_P(RunRowsTest, T3_LongEventsAreReadBackInPartsThatEndByTheirBytes)
{
    start("r1");
    claim("w", 1000);
    std::vector<RunEvent> events;
    for (int i = 1; i <= 4; ++i)
        events.push_back({i, "", "updates", Json{{"text", std::string(3 << 20, 'x')}}});
    const graph::Batch nothing;
    ASSERT_TRUE(
        database_->run_now([&](sql::Connection& c) { return write_batch(c, {"t", nothing, {"r1", 1}, events}); }));
    std::vector<std::size_t> parts;
    std::int64_t seq = 0;
    for (bool more = true; more;) {
        const auto part = in([&](RunRows rows) { return rows.events_after("r1", seq, 100); });
        ASSERT_TRUE(part) << part.error().detail();
        for (const auto& event : *part)
            EXPECT_EQ(event.seq, ++seq);
        parts.push_back(part->size());
        more = part->cut;
    }
    EXPECT_EQ(parts, (std::vector<std::size_t>{3, 1}));
}

INSTANTIATE_TEST_SUITE_P(Drivers, RunRowsTest, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace dure::runs
