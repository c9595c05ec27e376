// What happens to executions over time: limits, deadlines of questions, the end of a process, several workers, the log.
#include "executions/executions_fixture.hpp"

#include "executions/budget.hpp"
#include "executions/owner_places.hpp"

namespace dure::executions {

namespace {

class ExecutionWorkersTest : public ExecutionsTest {
protected:
    Task<Result<Json>> call_model(graph::NodeContext& context)
    {
        auto& run = context.context<flows::FlowRun>();
        flows::Node node;
        node.id = context.node();
        co_return co_await run.services->call({node, run.facts, {}, {}, {}, context});
    }
    // The log behind a number, as "seq mode data".
    Task<std::vector<std::string>> log_of(std::string id, std::int64_t after, std::vector<std::string> modes)
    {
        auto reader = (co_await service_->read(id, "me", after, std::move(modes))).value();
        std::vector<std::string> lines;
        while (!reader->ended()) {
            const auto page = (co_await reader->next(Steady::now() + std::chrono::seconds(10))).value();
            for (const auto& event : page)
                lines.push_back(std::to_string(event->seq) + " " + event->mode + " " + event->data.dump());
        }
        co_return lines;
    }
};

}  // namespace

// Its calls are counted again when it goes on.
TEST_P(ExecutionWorkersTest, WhatANodePaidBeforeItAskedAPersonIsCountedOnce)
{
    const auto pays_and_asks = [this](graph::NodeContext& context) -> Task<Result<Json>> {
        const auto task = context.context<flows::FlowRun>().open.begin(context.task_id(), 1);
        auto said = co_await call_model(context);
        task->count("its call", said->at("usage"));
        const auto answer = co_await context.interrupt(Json{{"prompt", "ok?"}});
        if (!answer)
            co_return answer.error();
        co_return said;
    };
    const auto asks_model = [this](graph::NodeContext& context) { return call_model(context); };
    flow("asks", [&] { return HandMade().node("a", pays_and_asks).node("b", asks_model).node("c", says("c")).compile(); },
         R"(,"limits":{"max_tokens":16})");
    work();
    play([&]() -> Task<void> {
        const auto begun = co_await started("asks");
        const auto waiting = co_await ended(begun.id);
        EXPECT_EQ(waiting.status, Status::waiting);
        EXPECT_EQ(waiting.tokens, 15);
        EXPECT_TRUE(co_await service_->resume(begun.id, me_, {"a", "", Json("yes")}));
        const auto done = co_await ended(begun.id);
        EXPECT_EQ(done.status, Status::succeeded) << (done.error ? dump(*done.error) : "");
        EXPECT_EQ(done.tokens, 30);
    });
}

TEST_P(ExecutionWorkersTest, ARunPastItsLimitEndsFailedWithTheReason)
{
    const auto asks_model = [this](graph::NodeContext& context) { return call_model(context); };
    const auto sleeps = [](graph::NodeContext&) -> Task<Result<Json>> {
        co_await sleep_for(std::chrono::seconds(30));
        co_return Json();
    };
    const auto twice = [&] {
        return HandMade().node("a", asks_model).node("b", asks_model).node("c", says("c")).compile();
    };
    const auto holds = [](std::size_t bytes) {
        return [bytes](graph::NodeContext& context) -> Task<Result<Json>> {
            if (auto held = context.context<flows::FlowRun>().hold(bytes); !held)
                co_return held.error();
            co_return Json("held");
        };
    };
    constexpr std::size_t half = most_held_bytes / 2;
    flow("values", [&] { return HandMade().node("a", holds(half)).node("b", holds(half + 1)).node("c", says("c")).compile(); });
    flow("all values", [&] { return HandMade().node("a", holds(half)).node("b", holds(half)).node("c", says("c")).compile(); });
    flow("tokens", twice, R"(,"limits":{"max_tokens":15})");
    flow("cost", twice, R"(,"limits":{"max_cost_usd":0.2})");
    flow("enough", twice, R"(,"limits":{"max_tokens":16,"max_cost_usd":0.3})");
    flow(
        "steps", [&] { return HandMade().node("a", says(1)).node("b", says(2)).compile(); },
        R"(,"limits":{"max_steps":1})");
    flow("time", [&] { return HandMade().node("a", sleeps).compile(); }, R"(,"limits":{"timeout_ms":50})");
    work();
    play([&]() -> Task<void> {
        for (const auto& [id, code] : std::map<std::string, std::string>{{"tokens", "LIMIT_EXCEEDED"},
                                                                         {"values", "LIMIT_EXCEEDED"},
                                                                         {"cost", "LIMIT_EXCEEDED"},
                                                                         {"steps", "GRAPH_RECURSION_LIMIT"},
                                                                         {"time", "RUN_TIMEOUT"}}) {
            const auto failed = co_await ended((co_await started(id)).id);
            EXPECT_EQ(failed.status, Status::failed) << id;
            EXPECT_EQ(failed.error.value_or(Json::object()).value("code", ""), code) << id;
        }
        const auto fine = co_await ended((co_await started("enough")).id);
        EXPECT_EQ(fine.status, Status::succeeded);
        EXPECT_EQ(fine.tokens, 30);
        EXPECT_EQ((co_await ended((co_await started("all values")).id)).status, Status::succeeded);
    });
}

// However often the execution goes on; a retry is a person's word, and is given as many again.
TEST_P(ExecutionWorkersTest, TheStepsBeforeAQuestionCountTowardsTheLimit)
{
    const auto asks = [](graph::NodeContext& context) -> Task<Result<Json>> {
        co_return co_await context.interrupt(Json{{"prompt", "ok?"}});
    };
    flow("asks", [&] { return HandMade().node("a", says(1)).node("ask", asks).node("b", says(2)).compile(); },
         R"(,"limits":{"max_steps":2})");
    work();
    play([&]() -> Task<void> {
        const auto id = (co_await started("asks")).id;
        EXPECT_EQ((co_await ended(id)).status, Status::waiting);
        EXPECT_TRUE(co_await service_->resume(id, me_, {"ask", "", Json("yes")}));
        const auto failed = co_await ended(id);
        EXPECT_EQ(failed.status, Status::failed);
        EXPECT_EQ(failed.error.value_or(Json::object()).value("code", ""), "GRAPH_RECURSION_LIMIT");
        EXPECT_TRUE(co_await service_->retry(id, me_));
        EXPECT_EQ((co_await ended(id)).status, Status::succeeded);
    });
}

// Nothing is kept of a superstep that asks: the answer goes on from a checkpoint of before.
TEST_P(ExecutionWorkersTest, StepsAreCountedAnewAlsoBehindAQuestionThatARetryOrAForkBeginsWith)
{
    const auto asks = [](graph::NodeContext& context) -> Task<Result<Json>> {
        co_return co_await context.interrupt(Json{{"prompt", "ok?"}});
    };
    flow(
        "asks", [&] { return HandMade().node("a", says(1)).node("b", says(2)).node("ask", asks).compile(); },
        R"(,"limits":{"max_steps":2})");
    work();
    play([&]() -> Task<void> {
        const auto id = (co_await started("asks")).id;
        EXPECT_EQ((co_await ended(id)).status, Status::failed);
        EXPECT_TRUE(co_await service_->retry(id, me_));
        EXPECT_EQ((co_await ended(id)).status, Status::waiting);
        const auto fork = (co_await service_->fork(id, me_, {"ask", {}})).value().id;
        EXPECT_EQ((co_await ended(fork)).status, Status::waiting);
        for (const auto& each : {id, fork}) {
            EXPECT_TRUE(co_await service_->resume(each, me_, {"ask", "", Json("yes")}));
            EXPECT_EQ((co_await ended(each)).status, Status::succeeded);
        }
    });
}

TEST_P(ExecutionWorkersTest, AQuestionWhoseTimeIsOverIsAnsweredSo)
{
    flow("late", [this] {
        return HandMade()
            .node("ask",
                  [this](graph::NodeContext& context) -> Task<Result<Json>> {
                      auto answer = co_await context.interrupt(
                          Json{{"prompt", "?"}, {"actions", Json::array()}, {"deadline", clock_.now() + 20}});
                      co_return answer;
                  })
            .compile();
    });
    work();
    play([&]() -> Task<void> {
        const auto execution = co_await started("late");
        const auto deadline = Deadline::after(std::chrono::seconds(10));
        auto now = co_await ended(execution.id);
        while (now.status == Status::waiting && !deadline.passed())
            now = (co_await sleep_for(std::chrono::milliseconds(20)), co_await ended(execution.id));
        EXPECT_EQ(now.status, Status::succeeded);
        EXPECT_EQ(now.output->at("text"), (Json{{"timeout", true}}));
    });
}

TEST_P(ExecutionWorkersTest, TheLogIsTheSameDuringAndAfterTheRunFromAnyNumber)
{
    flow("talks", [] {
        return HandMade()
            .node("a",
                  [](graph::NodeContext& context) -> Task<Result<Json>> {
                      for (const auto* piece : {"안", "녕"})
                          if (auto told = co_await context.emit_message(Json{{"text", piece}}); !told)
                              co_return told.error();
                      co_return Json("안녕");
                  })
            .node("b", says("b"))
            .compile();
    });
    work();
    play([&]() -> Task<void> {
        const auto execution = co_await started("talks");
        const auto live = co_await log_of(execution.id, 0, {});
        const auto after = co_await log_of(execution.id, 0, {});
        EXPECT_EQ(live, after);
        EXPECT_EQ(live.front(), R"(1 status {"status":"running"})");
        const auto later = co_await log_of(execution.id, 3, {});
        EXPECT_EQ(later, std::vector<std::string>(live.begin() + 3, live.end()));
        const auto updates = co_await log_of(execution.id, 0, {"updates"});
        EXPECT_EQ(updates.size(), 2u);
        EXPECT_NE(updates.at(0).find(R"({"a":"안녕"})"), std::string::npos);
        const auto messages = co_await log_of(execution.id, 0, {"messages"});
        EXPECT_EQ(messages.size(), 2u);
        EXPECT_NE(messages.at(0).find(R"([{"text":"안"},{"node_id":"a")"), std::string::npos);
        EXPECT_EQ((co_await service_->read(execution.id, "you", 0, {})).error().code(), Errc::not_found);
    });
}

TEST_P(ExecutionWorkersTest, WhatAStoppedProcessParkedTheNextOneEndsWithoutRepeatingFinishedNodes)
{
    std::atomic<int> first = 0;
    std::atomic<bool> may_go_on = false;
    flow("long", [&] {
        return HandMade()
            .node("a", [&](graph::NodeContext&) -> Task<Result<Json>> { co_return Json(++first); })
            .node("b",
                  [&](graph::NodeContext&) -> Task<Result<Json>> {
                      while (!may_go_on)
                          co_await sleep_for(std::chrono::milliseconds(2));
                      co_return Json("b");
                  })
            .compile();
    });
    work();
    std::string id;
    play([&]() -> Task<void> {
        id = (co_await started("long")).id;
        const auto deadline = Deadline::after(std::chrono::seconds(10));
        while ((co_await steps(id)).empty() && !deadline.passed())
            co_await sleep_for(std::chrono::milliseconds(2));
    });
    workers_->stop(Deadline::after(std::chrono::milliseconds(50)));
    workers_.reset();
    play([&]() -> Task<void> { EXPECT_EQ((co_await service_->find(id, "me")).value().status, Status::queued); });
    may_go_on = true;
    work(2);
    play([&]() -> Task<void> {
        const auto done = co_await ended(id);
        EXPECT_EQ(done.status, Status::succeeded);
        EXPECT_EQ((co_await steps(id)).size(), 2u);
    });
    EXPECT_EQ(first, 1);
}

TEST_P(ExecutionWorkersTest, OfOneOwnerOnlySoManyWorkAtOnce)
{
    std::atomic<int> active = 0, most = 0;
    flow("busy", [&] {
        return HandMade()
            .node("a",
                  [&](graph::NodeContext&) -> Task<Result<Json>> {
                      const int now = ++active;
                      for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {}
                      co_await sleep_for(std::chrono::milliseconds(5));
                      --active;
                      co_return Json();
                  })
            .compile();
    });
    work(2);
    play([&]() -> Task<void> {
        std::vector<std::string> ids;
        StartRequest request;
        request.flow = "busy";
        request.owner_runs = 2;
        for (int i = 0; i < 20; ++i)
            ids.push_back((co_await service_->start(me_, request)).value().execution.id);
        for (const auto& id : ids)
            EXPECT_EQ((co_await ended(id)).status, Status::succeeded);
    });
    EXPECT_LE(most, 2);
}

// What a process holds when it dies waits for the end of its lease; all others any process may take at once.
TEST_P(ExecutionWorkersTest, WhatWaitsForItsTurnStaysInTheQueueButForAFew)
{
    std::atomic<bool> may_end = false;
    flow("busy", [&] {
        return HandMade()
            .node("a",
                  [&](graph::NodeContext&) -> Task<Result<Json>> {
                      while (!may_end)
                          co_await sleep_for(std::chrono::milliseconds(2));
                      co_return Json("a");
                  })
            .compile();
    });
    flow("other", [] { return HandMade().node("a", says("a")).compile(); });
    constexpr int all = 100, at_once = 2;
    const std::int64_t most_held = at_once + 2 * static_cast<std::int64_t>(WorkersOptions().claim_ahead);
    work();
    play([&]() -> Task<void> {
        std::vector<std::string> ids;
        StartRequest request;
        request.flow = "busy";
        request.owner_runs = at_once;
        for (int i = 0; i < all; ++i)
            ids.push_back((co_await service_->start(me_, request)).value().execution.id);
        auto you = me_;
        you.user_id = "you";
        request.flow = "other";
        const auto passes = (co_await service_->start(you, request)).value().execution.id;
        const auto passed = co_await service_->wait(passes, "you", Deadline::after(std::chrono::seconds(15)));
        EXPECT_EQ(passed.value().status, Status::succeeded);
        const auto held = co_await database_->read([](sql::Connection& c) -> Result<std::int64_t> {
            return c.query("SELECT COUNT(*) FROM graph_runs WHERE status = 'running'")->front().integer(0);
        });
        EXPECT_LE(held.value(), most_held);
        may_end = true;
        for (const auto& id : ids)
            EXPECT_EQ((co_await ended(id)).status, Status::succeeded);
    });
}

TEST_P(ExecutionWorkersTest, WhatEndedLongAgoIsForgotten)
{
    settings_.executions.retention = std::chrono::milliseconds(0);
    flow("short", [] { return HandMade().node("a", says("a")).compile(); });
    work();
    play([&]() -> Task<void> {
        const auto execution = co_await started("short");
        const auto deadline = Deadline::after(std::chrono::seconds(10));
        while ((co_await service_->find(execution.id, "me")) && !deadline.passed())
            co_await sleep_for(std::chrono::milliseconds(20));
        EXPECT_EQ((co_await service_->find(execution.id, "me")).error().code(), Errc::not_found);
        EXPECT_EQ((co_await runs_->find(execution.id, "me")).error().code(), Errc::not_found);
    });
}

INSTANTIATE_TEST_SUITE_P(Drivers, ExecutionWorkersTest, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace dure::executions
