// What an execution is from its start to its end, on both drivers: rows, steps, events and their replay.
#include "dure/events/service.hpp"
#include "executions/execution_rows.hpp"
#include "executions/executions_fixture.hpp"
#include "support/query_plan.hpp"

namespace dure::executions {

namespace {

class ExecutionServiceTest : public ExecutionsTest {
protected:
    Task<Json> replayed(std::string id)
    {
        events::EventService events(*database_, *bus_);
        auto state =
            co_await events.replay({"me", false}, {id, "Execution"}, {}, Deadline::after(std::chrono::seconds(5)));
        if (!state)
            throw std::runtime_error(state.error().message());
        co_return state->state;
    }
    Task<Json> shown(std::string id)
    {
        auto json = to_json((co_await service_->find(id, "me")).value());
        json["steps"] = Json::array();
        for (const auto& step : co_await steps(id))
            json["steps"].push_back(to_json(step));
        co_return json;
    }
};

flows::CompiledFlow two_nodes()
{
    return HandMade()
        .node("a", says(Json{{"text", "A"}, {"nothing", nullptr}}))
        .node("b", says(Json{{"text", "B"}, {"usage", {{"input_tokens", 7}, {"output_tokens", 4}, {"cost_usd", 0.5}}}}))
        .compile();
}

Task<Result<Json>> asks(graph::NodeContext& context)
{
    auto answer = co_await context.interrupt(Json{{"prompt", "ok?"}, {"actions", Json::array({"approve"})}});
    if (!answer)
        co_return answer.error();
    co_return *answer;
}

}  // namespace

TEST_P(ExecutionServiceTest, AnExecutionRunsToItsEndWithEachStepAndItsReplayIsWhatItWas)
{
    flow("two", two_nodes);
    work();
    play([&]() -> Task<void> {
        const auto queued = co_await started("two", "안녕");
        EXPECT_EQ(queued.status, Status::queued);
        const auto done = co_await ended(queued.id);
        EXPECT_EQ(done.status, Status::succeeded) << (done.error ? dump(*done.error) : "");
        EXPECT_EQ(done.output->at("text").at("text"), "B");
        EXPECT_EQ(done.tokens, 11);
        EXPECT_EQ(done.cost_nano, 500'000'000);
        const auto all = co_await steps(queued.id);
        EXPECT_EQ(all.size(), 2u);
        if (all.size() != 2)
            co_return;
        EXPECT_EQ(all[0].node_id, "a");
        EXPECT_EQ(all[0].output.at("text"), "A");
        EXPECT_EQ(all[1].input, Json::array({Json{{"text", "A"}, {"nothing", nullptr}}}));
        EXPECT_EQ(co_await replayed(queued.id), co_await shown(queued.id));
        EXPECT_EQ((co_await service_->find(queued.id, "you")).error().code(), Errc::not_found);
        EXPECT_EQ((co_await service_->steps(queued.id, "you")).error().code(), Errc::not_found);
    });
}

TEST_P(ExecutionServiceTest, TheEventsOfAnExecutionTellItsCourse)
{
    flow("two", two_nodes);
    work();
    play([&]() -> Task<void> {
        const auto queued = co_await started("two");
        co_await ended(queued.id);
        events::EventService events(*database_, *bus_);
        const auto page = co_await events.of_aggregate({"me", false}, {queued.id, "Execution"}, {});
        std::vector<std::string> types;
        for (const auto& event : page->events)
            types.push_back(event.event_type);
        EXPECT_EQ(types, (std::vector<std::string>{"ExecutionStarted", "ExecutionBegan", "ExecutionStepCompleted",
                                                   "ExecutionStepCompleted", "ExecutionCompleted"}));
        EXPECT_EQ(page->events.front().user_id, "me");
        EXPECT_EQ(page->events[2].data.at("node_id"), "a");
        EXPECT_EQ(page->events[2].data.at("visit"), 1);
    });
}

TEST_P(ExecutionServiceTest, TheSameIdempotencyKeyStartsOnce)
{
    flow("two", two_nodes);
    play([&]() -> Task<void> {
        StartRequest request;
        request.flow = "two";
        request.idempotency_key = "k1";
        request.request_hash = "h1";
        const auto first = (co_await service_->start(me_, request)).value();
        const auto again = (co_await service_->start(me_, request)).value();
        EXPECT_FALSE(first.again);
        EXPECT_TRUE(again.again);
        EXPECT_EQ(first.execution.id, again.execution.id);
        request.request_hash = "h2";
        EXPECT_EQ((co_await service_->start(me_, request)).error().reason(), "idempotency_key_reused");
        request.flow = "two";
        auto other = me_;
        other.user_id = "you";
        EXPECT_FALSE((co_await service_->start(other, request)).value().again);
        EXPECT_EQ((co_await service_->list("me", {})).value().total, 1);
    });
}

TEST_P(ExecutionServiceTest, ASecondAnswerAndAnActionThatIsNotOfferedAreRefused)
{
    flow("asks", [] { return HandMade().node("ask", asks).node("after", says("done")).compile(); });
    work();
    play([&]() -> Task<void> {
        const auto execution = co_await started("asks");
        const auto waiting = co_await ended(execution.id);
        EXPECT_EQ(waiting.status, Status::waiting);
        EXPECT_EQ(waiting.waiting->at(0).at("node_id"), "ask");
        EXPECT_EQ((co_await steps(execution.id)).at(0).status, "waiting");
        EXPECT_EQ(co_await replayed(execution.id), co_await shown(execution.id));
        EXPECT_EQ((co_await service_->resume(execution.id, me_, {"", "burn", {}})).error().param(), "action");
        EXPECT_EQ((co_await service_->resume(execution.id, me_, {"after", "approve", {}})).error().reason(),
                  "not_waiting");
        EXPECT_TRUE(co_await service_->resume(execution.id, me_, {"ask", "approve", "fine"}));
        EXPECT_EQ((co_await service_->resume(execution.id, me_, {"ask", "approve", {}})).error().reason(),
                  "not_waiting");
        const auto done = co_await ended(execution.id);
        EXPECT_EQ(done.status, Status::succeeded);
        const auto all = co_await steps(execution.id);
        EXPECT_EQ(all.size(), 2u);
        EXPECT_EQ(all.at(0).output, (Json{{"action", "approve"}, {"feedback", "fine"}, {"by", "me"}}));
        EXPECT_EQ(co_await replayed(execution.id), co_await shown(execution.id));
    });
}

TEST_P(ExecutionServiceTest, AFailedExecutionGoesOnFromItsFailedNode)
{
    std::atomic<int> first = 0, second = 0;
    flow("fails", [&] {
        return HandMade()
            .node("a", [&](graph::NodeContext&) -> Task<Result<Json>> { co_return Json(++first); })
            .node("b",
                  [&](graph::NodeContext&) -> Task<Result<Json>> {
                      if (++second == 1)
                          co_return Error(Errc::invalid_argument, "not today");
                      co_return Json("worked");
                  })
            .compile();
    });
    work();
    play([&]() -> Task<void> {
        const auto execution = co_await started("fails");
        const auto failed = co_await ended(execution.id);
        EXPECT_EQ(failed.status, Status::failed);
        EXPECT_EQ(failed.error->at("node_id"), "b");
        EXPECT_EQ((co_await steps(execution.id)).at(1).status, "failed");
        EXPECT_EQ(co_await replayed(execution.id), co_await shown(execution.id));
        EXPECT_TRUE(co_await service_->retry(execution.id, me_));
        EXPECT_EQ((co_await ended(execution.id)).status, Status::succeeded);
        EXPECT_EQ((co_await service_->retry(execution.id, me_)).error().reason(), "not_failed");
        EXPECT_EQ(co_await replayed(execution.id), co_await shown(execution.id));
    });
    EXPECT_EQ(first, 1);
    EXPECT_EQ(second, 2);
}

TEST_P(ExecutionServiceTest, OneThatWasCancelledInTheQueueBeginsWithItsInputWhenItIsTriedAgain)
{
    flow("late", [] { return HandMade().node("a", says("hello")).compile(); });
    Execution execution;
    play([&]() -> Task<void> {
        execution = co_await started("late");
        EXPECT_TRUE(co_await service_->cancel(execution.id, me_));
        EXPECT_TRUE(co_await service_->retry(execution.id, me_));
    });
    work();
    play([&]() -> Task<void> {
        const auto after = co_await ended(execution.id);
        EXPECT_EQ(after.status, Status::succeeded) << dump(after.error.value_or(Json()));
    });
}

TEST_P(ExecutionServiceTest, AStepThatEndedBesideAQuestionIsRecordedOnce)
{
    flow("both", [] { return HandMade().node("ask", asks).beside("other", says("done")).compile(); });
    work();
    play([&]() -> Task<void> {
        const auto execution = co_await started("both");
        EXPECT_EQ((co_await ended(execution.id)).status, Status::waiting);
        EXPECT_TRUE(co_await service_->resume(execution.id, me_, {"ask", "approve", {}}));
        EXPECT_EQ((co_await ended(execution.id)).status, Status::succeeded);
        const auto types = co_await event_types(execution.id);
        EXPECT_EQ(std::count(types.begin(), types.end(), "ExecutionStepCompleted"), 2);
        EXPECT_EQ(co_await replayed(execution.id), co_await shown(execution.id));
    });
}

TEST_P(ExecutionServiceTest, CancelEndsWhatIsQueuedWaitingOrRunning)
{
    std::atomic<bool> runs = false;
    flow("slow", [&] {
        return HandMade()
            .node("sleep",
                  [&](graph::NodeContext&) -> Task<Result<Json>> {
                      runs = true;
                      co_await sleep_for(std::chrono::seconds(60));
                      co_return Json();
                  })
            .compile();
    });
    flow("asks", [] { return HandMade().node("ask", asks).compile(); });
    play([&]() -> Task<void> {
        const auto queued = co_await started("slow");
        EXPECT_EQ((co_await service_->cancel(queued.id, me_)).value().status, Status::cancelled);
        EXPECT_EQ((co_await service_->cancel(queued.id, me_)).value().status, Status::cancelled);
        auto other = me_;
        other.user_id = "you";
        EXPECT_EQ((co_await service_->cancel(queued.id, other)).error().code(), Errc::not_found);
    });
    work();
    play([&]() -> Task<void> {
        const auto waits = co_await started("asks");
        EXPECT_EQ((co_await ended(waits.id)).status, Status::waiting);
        EXPECT_EQ((co_await service_->cancel(waits.id, me_)).value().status, Status::cancelled);
        EXPECT_EQ((co_await service_->resume(waits.id, me_, {"", "approve", {}})).error().reason(), "not_waiting");
        EXPECT_EQ((co_await steps(waits.id)).at(0).status, "cancelled");
        EXPECT_EQ(co_await replayed(waits.id), co_await shown(waits.id));
        const auto running = co_await started("slow");
        const auto deadline = Deadline::after(std::chrono::seconds(10));
        while (!runs && !deadline.passed())
            co_await sleep_for(std::chrono::milliseconds(2));
        EXPECT_TRUE(co_await service_->cancel(running.id, me_));
        EXPECT_EQ((co_await ended(running.id)).status, Status::cancelled);
        events::EventService events(*database_, *bus_);
        const auto page = co_await events.of_aggregate({"me", false}, {running.id, "Execution"}, {});
        const auto wish = std::find_if(page->events.begin(), page->events.end(), [](const auto& event) {
            return event.event_type == "ExecutionCancelRequested";
        });
        EXPECT_TRUE(wish != page->events.end() && wish->user_id == "me") << "who cancelled it is on record";
        const auto cut = co_await steps(running.id);
        EXPECT_EQ(cut.size(), 1u);
        if (cut.size() == 1)
            EXPECT_EQ(cut.front().node_id + " " + cut.front().status, "sleep cancelled");
        EXPECT_EQ(co_await replayed(running.id), co_await shown(running.id));
        const auto done = co_await started("asks");
        EXPECT_EQ((co_await ended(done.id)).status, Status::waiting);
    });
}

TEST_P(ExecutionServiceTest, AStepThatIsCancelledIsToldAsCancelled)
{
    flow("asks", [] { return HandMade().node("ask", asks).compile(); });
    work();
    play([&]() -> Task<void> {
        const auto waits = co_await started("asks");
        EXPECT_EQ((co_await ended(waits.id)).status, Status::waiting);
        EXPECT_EQ((co_await service_->cancel(waits.id, me_)).value().status, Status::cancelled);
        EXPECT_EQ(co_await event_types(waits.id),
                  (std::vector<std::string>{"ExecutionStarted", "ExecutionBegan", "ExecutionStepWaiting",
                                            "ExecutionWaiting", "ExecutionStepCancelled", "ExecutionCancelled"}));
    });
}

TEST_P(ExecutionServiceTest, AForkKeepsWhatWasBeforeAndRunsTheStepAgainPatched)
{
    std::atomic<int> first = 0;
    flow("three", [&] {
        return HandMade()
            .node("zero", says(Json{{"usage", {{"input_tokens", 3}, {"cost_usd", 0.1}}}}))
            .node("a",
                  [&](graph::NodeContext&) -> Task<Result<Json>> { co_return Json("a" + std::to_string(++first)); })
            .node("b",
                  [](graph::NodeContext& context) -> Task<Result<Json>> {
                      co_return Json(context.state().at("log").size());
                  })
            .node("c", says("c"))
            .compile();
    });
    work();
    play([&]() -> Task<void> {
        const auto original = co_await started("three");
        EXPECT_EQ((co_await ended(original.id)).output->at("text"), "c");
        const auto all = co_await steps(original.id);
        const auto fork = co_await service_->fork(original.id, me_, {"b", Json{{"log", {"x", "y"}}}});
        EXPECT_TRUE(fork) << (fork ? "" : fork.error().message());
        if (!fork)
            co_return;
        EXPECT_EQ(fork->forked_from, original.id);
        EXPECT_EQ(fork->forked_step, all.at(2).step);
        const auto done = co_await ended(fork->id);
        EXPECT_EQ(done.output->at("all"), (Json{"x", "y", 2, "c"}));
        std::vector<std::string> nodes;
        for (const auto& step : co_await steps(fork->id))
            nodes.push_back(step.node_id);
        EXPECT_EQ(nodes, (std::vector<std::string>{"zero", "a", "b", "c"}));
        EXPECT_EQ(first, 1);
        EXPECT_EQ(co_await replayed(fork->id), co_await shown(fork->id));
        EXPECT_EQ((co_await ended(original.id)).output->at("all").at(1), "a1");
        EXPECT_EQ((co_await service_->fork(original.id, me_, {77, {}})).error().param(), "step");
    });
}

TEST_P(ExecutionServiceTest, AForkOfAForkMayBeginBeforeTheStepItWasForkedAt)
{
    std::atomic<int> runs_of_a = 0;
    flow("three", [&] {
        return HandMade()
            .node("a",
                  [&](graph::NodeContext&) -> Task<Result<Json>> { co_return Json("a" + std::to_string(++runs_of_a)); })
            .node("b", says("b"))
            .node("c", says("c"))
            .compile();
    });
    work();
    play([&]() -> Task<void> {
        const auto original = co_await started("three");
        co_await ended(original.id);
        const auto child = (co_await service_->fork(original.id, me_, {"c", Json{{"log", {"patched"}}}})).value();
        EXPECT_EQ((co_await ended(child.id)).output->at("all"), (Json{"patched", "c"}));
        const auto grandchild = (co_await service_->fork(child.id, me_, {"c", Json{{"log", {"again"}}}})).value();
        EXPECT_EQ((co_await ended(grandchild.id)).output->at("all"), (Json{"again", "c"}));
        const auto earlier = co_await service_->fork(grandchild.id, me_, {"b", {}});
        EXPECT_TRUE(earlier) << (earlier ? "" : earlier.error().message());
        if (!earlier)
            co_return;
        EXPECT_EQ(earlier->forked_from, grandchild.id);
        EXPECT_EQ((co_await ended(earlier->id)).output->at("all"), (Json{"a1", "b", "c"}));
        EXPECT_EQ(runs_of_a, 1);
        EXPECT_EQ(co_await replayed(earlier->id), co_await shown(earlier->id));
    });
}

TEST_P(ExecutionServiceTest, ForksWaitInTheSameBoundedQueue)
{
    flow("two", two_nodes);
    work();
    play([&]() -> Task<void> {
        const auto original = co_await started("two");
        co_await ended(original.id);
        const auto filled = co_await database_->write([](sql::Connection& c) -> Result<void> {
            for (int i = 0; i < 2'000; ++i) {   // nobody has them in hand: their runs are not there
                Execution waits;
                waits.id = "filler-" + std::to_string(i);
                waits.owner_id = "me";
                waits.flow_id = "two";
                if (auto stored = ExecutionRows(c).insert(waits); !stored)
                    return stored;
            }
            return {};
        });
        EXPECT_TRUE(filled) << (filled ? "" : filled.error().message());
        const auto threads = [&]() -> Task<std::int64_t> {
            co_return (co_await database_->read([](sql::Connection& c) -> Result<std::int64_t> {
                return c.query("SELECT COUNT(DISTINCT thread_id) FROM graph_checkpoints")->front().integer(0);
            })).value();
        };
        const auto before = co_await threads();
        const auto refused = co_await service_->fork(original.id, me_, {"b", {}});
        EXPECT_FALSE(refused);
        EXPECT_EQ(refused.error().reason(), "queue_full");
        EXPECT_EQ(co_await threads(), before);
    });
}

TEST_P(ExecutionServiceTest, AForkThatCannotBeStoredLeavesNothingBehind)
{
    flow("two", two_nodes);
    work();
    play([&]() -> Task<void> {
        const auto original = co_await started("two");
        co_await ended(original.id);
        const auto rename = [&](std::string from, std::string to) -> Task<void> {
            const auto renamed = co_await database_->write([&](sql::Connection& c) -> Result<void> {
                return c.run_script("ALTER TABLE " + from + " RENAME TO " + to);
            });
            EXPECT_TRUE(renamed) << (renamed ? "" : renamed.error().detail());
        };
        const auto left = [&]() -> Task<std::int64_t> {
            co_return (co_await database_->read([](sql::Connection& c) -> Result<std::int64_t> {
                return c.query("SELECT (SELECT COUNT(DISTINCT thread_id) FROM graph_checkpoints) + "
                               "(SELECT COUNT(*) FROM graph_threads) + (SELECT COUNT(*) FROM executions)")
                    ->front()
                    .integer(0);
            })).value();
        };
        const auto before = co_await left();
        co_await rename("events", "events_away");   // the last thing that is written
        EXPECT_FALSE(co_await service_->fork(original.id, me_, {"b", {}}));
        co_await rename("events_away", "events");
        EXPECT_EQ(co_await left(), before);
        EXPECT_TRUE(co_await service_->fork(original.id, me_, {"b", {}}));
    });
}

TEST_P(ExecutionServiceTest, ARepeatedRequestGetsItsFirstAnswerAlsoWhenItNoLongerFitsTheFlow)
{
    flow("two", two_nodes);
    play([&]() -> Task<void> {
        StartRequest request;
        request.flow = "two";
        request.idempotency_key = "k";
        request.request_hash = "h";
        const auto first = (co_await service_->start(me_, request)).value();
        flow("two", two_nodes, R"(,"inputs":[{"name":"n","type":"integer","required":true}])");
        const auto again = co_await service_->start(me_, request);
        EXPECT_TRUE(again) << (again ? "" : again.error().message());
        if (again) {
            EXPECT_TRUE(again->again);
            EXPECT_EQ(again->execution.id, first.execution.id);
        }
        request.idempotency_key = "k2";
        EXPECT_EQ((co_await service_->start(me_, request)).error().param(), "inputs");
    });
}

TEST_P(ExecutionServiceTest, InputsAreCheckedBeforeAnythingRuns)
{
    flow("inputs", two_nodes,
         R"(,"inputs":[{"name":"n","type":"integer","required":true},{"name":"t","type":"text","default":"x"}])");
    play([&]() -> Task<void> {
        StartRequest request;
        request.flow = "inputs";
        for (const auto& [given, where] : std::vector<std::pair<Json, std::string>>{{Json::object(), "n"},
                                                                                    {{{"n", "1"}}, "n"},
                                                                                    {{{"n", 1}, {"t", 2}}, "t"},
                                                                                    {{{"n", 1}, {"z", 2}}, "z"}}) {
            request.inputs = given;
            const auto refused = co_await service_->start(me_, request);
            EXPECT_FALSE(refused) << given;
            if (!refused) {
                const auto& problems = refused.error().extra().problems;
                EXPECT_EQ(problems.size(), 1u);
                EXPECT_EQ(problems.at(0).location, (std::vector<std::string>{"body", "inputs", where}));
            }
        }
        request.inputs = Json{{"n", 1}};
        EXPECT_EQ((co_await service_->start(me_, request)).value().execution.inputs, (Json{{"n", 1}, {"t", "x"}}));
        EXPECT_EQ((co_await service_->list("me", {})).value().total, 1);
    });
}

TEST_P(ExecutionServiceTest, ListsAreOfTheOwnerByStatusAndFlowInPages)
{
    flow("two", two_nodes);
    flow("other", two_nodes);
    play([&]() -> Task<void> {
        std::vector<std::string> ids;
        for (int i = 0; i < 5; ++i)
            ids.insert(ids.begin(), (co_await started("two")).id);
        co_await started("other");
        co_await service_->cancel(ids[4], me_);
        Filter filter;
        filter.flow_id = "two";
        filter.page_size = 2;
        filter.page = 2;
        const auto page = (co_await service_->list("me", filter)).value();
        EXPECT_EQ(page.total, 5);
        EXPECT_EQ(page.executions.size(), 2u);
        EXPECT_EQ(page.executions.at(0).id, ids[2]);
        filter.page = 1;
        filter.status = Status::cancelled;
        EXPECT_EQ((co_await service_->list("me", filter)).value().executions.at(0).id, ids[4]);
        EXPECT_EQ((co_await service_->list("you", {})).value().total, 0);
    });
}

// An iteration over thousands of items asks for it at each: never by reading all that were.
TEST_P(ExecutionServiceTest, TheNewestVisitOfANodeIsReadFromItsIndex)
{
    const auto plan = test::query_plan(
        *database_, "SELECT MAX(visit) FROM execution_steps WHERE execution_id = 'e' AND node_id = 'n'");
    EXPECT_NE(plan.find("execution_steps_by_visit"), std::string::npos) << plan;
}

INSTANTIATE_TEST_SUITE_P(Drivers, ExecutionServiceTest, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace dure::executions
