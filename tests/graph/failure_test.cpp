// Rules F1–F9, X1 and C3's list of Commands: what happens when nodes fail, hang, are cancelled or cached.
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>

#include "dure/base/timeout.hpp"
#include "dure/graph/node_cache.hpp"
#include "graph/support.hpp"

namespace dure::graph {
namespace {

using namespace std::chrono_literals;
using namespace test;

RetryPolicy quick(int attempts = 3)
{
    RetryPolicy policy;
    policy.attempts = attempts;
    policy.first_pause = 1ms;
    return policy;
}

NodeFunction sleeps(Steady::duration pause, bool beats = false)
{
    return [=](NodeContext& context) -> Task<Result<Update>> {
        for (int i = 0; i < 20; ++i) {
            co_await sleep_for(pause / 20);
            if (beats)
                context.heartbeat();
        }
        co_return Update(entry("log", "slept"));
    };
}

TEST(F1, AllFailuresAreListedAndTheFirstInOrderIsTheRuns)
{
    LogGraph graph{};
    graph.add_node("b", fails("b broke")).add_node("a", [](NodeContext&) -> Task<Result<Update>> {
        co_await sleep_for(2ms);
        co_return Error(Errc::internal, "a broke");
    });
    graph.add_edge(start, "a").add_edge(start, "b");
    RunOptions options;
    options.on_failure = OnFailure::finish;
    const auto result = run(compiled(graph), log_of({}), options);
    EXPECT_EQ(reason(result), "NODE_ERROR");
    ASSERT_EQ(result.failures.size(), 2u);
    EXPECT_EQ(result.failures[0].node, "a");
    EXPECT_NE(result.error->message().find("a broke"), std::string::npos);
}

TEST(F2, FinishLetsTheSiblingsEndAndKeepsThem)
{
    for (const auto on_failure : {OnFailure::cancel, OnFailure::finish}) {
        LogGraph graph{};
        graph.add_node("p", sleeps(20ms)).add_node("q", fails("down")).add_edge(start, "p").add_edge(start, "q");
        ThreadOf thread(compiled(graph));
        RunOptions options;
        options.on_failure = on_failure;
        thread.run(log_of({}), options);
        EXPECT_EQ(thread.state().next, on_failure == OnFailure::finish ? (Lines{"q"}) : (Lines{"p", "q"}));
    }
}

// A thousand times as fast as the clock, from its making on.
class HastyTime final : public Timekeeper {
public:
    Steady::time_point now() const override { return began_ + (Steady::now() - began_) * 1000; }
    Task<void> wait(Signal& signal, Steady::time_point until) override
    {
        co_await signal.wait(until == Steady::time_point::max() ? until : began_ + (until - began_) / 1000);
    }

private:
    const Steady::time_point began_ = Steady::now();
};

// A node that does not hear its cancellation before the failure beside it is durable, on its level or below a sub-graph's node.
struct Deaf {
    ThreadOf* thread = nullptr;
    std::vector<std::string> refused;

    bool failure_is_durable() const
    {
        const auto tasks = thread->state().tasks;
        return std::any_of(tasks.begin(), tasks.end(), [](const TaskSnapshot& task) { return task.error.has_value(); });
    }
    Task<Result<Update>> work(NodeContext& context)
    {
        const auto& seen = context.state();
        co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
        const auto longest = Steady::now() + 20s;
        while (!failure_is_durable() && Steady::now() < longest)
            co_await sleep_for(1ms);
        EXPECT_EQ(Recorder::list(seen.at("log")), "[i]") << "what it saw stays";
        refused.push_back((co_await context.emit_custom(Json("late"))).error().reason());
        refused.push_back((co_await context.interrupt(Json("late?"))).error().reason());
        const auto nothing = []() -> Task<Result<Json>> { co_return Json(1); };
        refused.push_back((co_await context.step("late", nothing)).error().reason());
        co_return Update(entry("log", Json::array({"absent"})));
    }
};

TEST(F2, ASiblingThatDoesNotHearItsCancellationHoldsTheFailureUpForABoundedTime)
{
    for (const bool below : {false, true}) {
        Deaf deaf;
        LogGraph graph{};
        graph.add_node("absent", [&deaf](NodeContext& context) { return deaf.work(context); });
        graph.add_node("bad", fails("down")).add_edge(start, "absent").add_edge(start, "bad");
        LogGraph outer{};
        outer.add_subgraph("inner", compiled(graph)).add_edge(start, "inner");
        ThreadOf thread(compiled(below ? outer : graph));
        thread.modes = Mode::values | Mode::updates | Mode::custom;
        deaf.thread = &thread;
        HastyTime time;
        RunOptions options;
        options.timekeeper = &time;
        const auto result = thread.run(log_of({"i"}), options);
        EXPECT_EQ(reason(result), "NODE_ERROR") << below;
        EXPECT_EQ(result.next, below ? (Lines{"inner"}) : (Lines{"absent", "bad"}));
        EXPECT_EQ(log_text(result), "[i]");
        EXPECT_EQ(deaf.refused, (Lines{"CANCELLED", "CANCELLED", "CANCELLED"}));
        EXPECT_TRUE(thread.others.empty());
        EXPECT_EQ(Recorder::list(thread.state().values.at("log")), "[i]") << "its result is dropped";
        EXPECT_EQ(thread.state().next, result.next);
    }
}

TEST(F4, RetriesByTheFirstPolicyThatMatches)
{
    int executions = 0;
    int failures = 2;
    LogGraph graph{};
    NodeOptions options;
    options.retry = {quick()};
    graph.add_node("p", counts("p", &executions, &failures), options).add_edge(start, "p");
    EXPECT_EQ(log_text(run(compiled(graph), log_of({}))), "[p]");
    EXPECT_EQ(executions, 3);
    failures = 5;
    executions = 0;
    const auto result = run(compiled(graph), log_of({}));
    EXPECT_EQ(reason(result), "NODE_ERROR");
    EXPECT_EQ(result.failures.at(0).attempts, 3);
    EXPECT_EQ(executions, 3);
}

TEST(F4, OfSeveralPoliciesTheFirstThatMatchesCounts)
{
    const auto with = [](Errc code) {
        int executions = 0;
        LogGraph graph{};
        NodeOptions options;
        auto limited = quick(2);
        limited.matches = [](const Error& error) { return error.code() == Errc::rate_limited; };
        auto any = quick(4);
        any.matches = [](const Error&) { return true; };
        options.retry = {limited, any};
        graph.add_node(
            "p",
            [&executions, code](NodeContext&) -> Task<Result<Update>> {
                ++executions;
                co_return Error(code, "no");
            },
            options);
        graph.add_edge(start, "p");
        EXPECT_EQ(reason(run(compiled(graph), log_of({}))), "NODE_ERROR");
        return executions;
    };
    EXPECT_EQ(with(Errc::rate_limited), 2);
    EXPECT_EQ(with(Errc::invalid_argument), 4);
}

TEST(F4, AFailedAttemptLeavesNothingOfItsUpdate)
{
    int attempts = 0;
    LogGraph graph{"b"};
    NodeOptions options;
    auto any = quick();
    any.matches = [](const Error&) { return true; };
    options.retry = {any};
    graph.add_node(
        "p",
        [&](NodeContext& context) -> Task<Result<Update>> {
            attempts = context.attempt();
            co_return Update(entry("log", attempts));
        },
        options);
    graph.add_edge(start, "p").add_conditional_edges("p", [&attempts](const State&) {
        return attempts < 3 ? Routes("nowhere") : Routes("b");
    });
    EXPECT_EQ(log_text(run(compiled(graph), log_of({}))), "[3,b]");
}

TEST(F4, ValidationAndLogicAreNotRetriedAndRetryAfterWins)
{
    int executions = 0;
    LogGraph graph{};
    graph.add_node("p", [&](NodeContext&) -> Task<Result<Update>> {
        ++executions;
        co_return Error(Errc::invalid_argument, "wrong");
    });
    graph.add_edge(start, "p");
    RunOptions options;
    options.retry = {quick()};
    run(compiled(graph), log_of({}), options);
    EXPECT_EQ(executions, 1);

    std::vector<Steady::time_point> at;
    LogGraph limited{};
    limited.add_node("p", [&](NodeContext&) -> Task<Result<Update>> {
        at.push_back(Steady::now());
        if (at.size() == 1)
            co_return Error(Errc::rate_limited, "slow down").retry_after(std::chrono::seconds(1));
        co_return Update(entry("log", "p"));
    });
    limited.add_edge(start, "p");
    EXPECT_EQ(log_text(run(compiled(limited), log_of({}), options)), "[p]");
    ASSERT_EQ(at.size(), 2u);
    EXPECT_GE(at[1] - at[0], 1s);
}

TEST(F5, TimeoutsPerAttemptAreNodeTimeouts)
{
    const auto with = [](NodeTimeouts timeouts, bool beats) {
        LogGraph graph{};
        NodeOptions options;
        options.timeouts = timeouts;
        graph.add_node("p", sleeps(400ms, beats), options).add_edge(start, "p");
        return reason(run(compiled(graph), log_of({})));
    };
    EXPECT_EQ(with({.run = 30ms}, false), "NODE_TIMEOUT");
    EXPECT_EQ(with({.run = 30ms}, true), "NODE_TIMEOUT");
    EXPECT_EQ(with({.idle = 150ms}, false), "NODE_TIMEOUT");
    EXPECT_EQ(with({.idle = 150ms}, true), "");
}

TEST(F5, WhatASubGraphDoesKeepsTheIdleLimitOfItsNodeAway)
{
    for (const bool quiet : {false, true}) {
        LogGraph inner{};
        inner.add_node("x", sleeps(quiet ? 5s : 100ms, true)).add_node("y", sleeps(200ms, !quiet));
        inner.add_edge(start, "x").add_edge("x", "y");
        LogGraph middle{};
        middle.add_subgraph("inner", compiled(inner)).add_edge(start, "inner");
        LogGraph graph{};
        SubgraphOptions options;
        options.timeouts.idle = quiet ? 50ms : 150ms;
        graph.add_subgraph("middle", compiled(middle), options).add_edge(start, "middle");
        EXPECT_EQ(reason(run(compiled(graph), log_of({}))), quiet ? "NODE_TIMEOUT" : "");
    }
}

TEST(F5, ASendMayHaveATimeoutOfItsOwnAndASuperstepToo)
{
    LogGraph graph{};
    graph.add_node("w", sleeps(10s));
    graph.add_conditional_edges(start, [](const State&) { return Routes{Send("w", 1, 20ms)}; });
    EXPECT_EQ(reason(run(compiled(graph), log_of({}))), "NODE_TIMEOUT");

    LogGraph slow{"fast"};
    slow.add_node("slow", sleeps(10s)).add_edge(start, "slow").add_edge(start, "fast");
    ThreadOf thread(compiled(slow));
    RunOptions options;
    options.step_timeout = 30ms;
    EXPECT_EQ(reason(thread.run(log_of({}), options)), "STEP_TIMEOUT");
    EXPECT_EQ(thread.state().next, (Lines{"slow"}));
}

TEST(F5, ARunDeadlineKeepsWhatIsFinished)
{
    LogGraph graph{"fast"};
    graph.add_node("slow", sleeps(10s)).add_edge(start, "slow").add_edge(start, "fast");
    ThreadOf thread(compiled(graph));
    RunOptions options;
    options.deadline = Deadline::after(30ms);
    const auto result = thread.run(log_of({}), options);
    EXPECT_EQ(result.status, RunStatus::timeout);
    EXPECT_EQ(reason(result), "RUN_TIMEOUT");
    EXPECT_EQ(thread.state().next, (Lines{"slow"}));
}

TEST(F6, AHandlerStandsInForItsNodeAndSiblingsGoOn)
{
    std::string seen;
    LogGraph graph{"sibling", "after"};
    NodeOptions options;
    options.on_error = [&](NodeContext& context, const Error& error) -> Task<Result<Update>> {
        seen = context.node() + ": " + error.message();
        co_return Update(entry("log", "handled"), Routes{"after"});
    };
    options.destinations = {"after"};
    graph.add_node("p", fails("p is down"), options).add_edge(start, "p").add_edge(start, "sibling");
    ThreadOf thread(compiled(graph));
    EXPECT_EQ(log_text(thread.run(log_of({}))), "[handled,sibling,after]");
    EXPECT_EQ(seen, "p: p is down");
}

TEST(F6, AfterACrashTheHandlerRunsAgainNotTheNode)
{
    int node = 0;
    int handler = 0;
    int always = 100;
    LogGraph graph{};
    graph.add_node("p", counts("p", &node, &always)).add_edge(start, "p");
    CompileOptions options;
    options.on_error = [&](NodeContext&, const Error&) -> Task<Result<Update>> {
        if (++handler == 1)
            co_return Error(Errc::internal, "the handler broke too");
        co_return Update(entry("log", "handled"));
    };
    ThreadOf thread(graph.compile(options).value());
    EXPECT_EQ(reason(thread.run(log_of({}))), "NODE_ERROR");
    EXPECT_EQ(log_text(thread.run(RunInput::nothing())), "[handled]");
    EXPECT_EQ(node, 1);
    EXPECT_EQ(handler, 2);
}

TEST(F7, ACancelledRunKeepsFinishedTasksAlsoInSubGraphs)
{
    int x = 0;
    LogGraph inner{};
    inner.add_node("x", counts("x", &x)).add_node("y", sleeps(10s)).add_edge(start, "x").add_edge("x", "y");
    LogGraph graph{"p"};
    graph.add_subgraph("sub", compiled(inner)).add_edge(start, "sub").add_edge(start, "p");
    ThreadOf thread(compiled(graph));
    boost::asio::io_context loop(1);
    boost::asio::cancellation_signal cancel;
    RunResult result;
    RunOptions options;
    options.checkpointer = &thread.checkpointer;
    options.thread = thread.thread;
    bool ended = false;
    boost::asio::co_spawn(
        loop, thread.graph.run(log_of({}), options, result),
        boost::asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr) { ended = true; }));
    boost::asio::steady_timer timer(loop, 30ms);
    timer.async_wait([&](auto) { cancel.emit(boost::asio::cancellation_type::terminal); });
    loop.run();
    EXPECT_TRUE(ended);
    EXPECT_EQ(result.status, RunStatus::cancelled);
    EXPECT_EQ(reason(result), "CANCELLED");
    const auto state = thread.state({}, true);
    EXPECT_EQ(state.next, (Lines{"sub"}));
    ASSERT_TRUE(state.tasks.at(1).state);
    EXPECT_EQ(state.tasks.at(1).state->next, (Lines{"y"}));
    EXPECT_EQ(x, 1);
}

TEST(X1, EqualInputsRunOnceAlsoAtTheSameTime)
{
    int executions = 0;
    NodeCache cache;
    LogGraph graph{};
    NodeOptions options;
    options.cache = CachePolicy();
    graph.add_node(
        "w",
        [&](NodeContext& context) -> Task<Result<Update>> {
            ++executions;
            co_await sleep_for(5ms);
            co_return Update(entry("log", *context.argument()));
        },
        options);
    graph.add_conditional_edges(start, [](const State&) { return Routes{Send("w", 1), Send("w", 2), Send("w", 1)}; });
    Recorder recorder;
    RunOptions with_cache;
    with_cache.cache = &cache;
    with_cache.events = &recorder;
    EXPECT_EQ(log_text(run(compiled(graph), log_of({}), with_cache)), "[1,2,1]");
    EXPECT_EQ(executions, 2);
    EXPECT_EQ(std::count(recorder.lines.begin(), recorder.lines.end(), "u w (cached)"), 1);
}

TEST(X1, FailuresAreNotKept)
{
    int executions = 0;
    int failures = 1;
    NodeCache cache;
    LogGraph graph{};
    NodeOptions options;
    options.cache = CachePolicy();
    graph.add_node("p", counts("p", &executions, &failures), options).add_edge(start, "p");
    RunOptions with_cache;
    with_cache.cache = &cache;
    EXPECT_EQ(reason(run(compiled(graph), log_of({}), with_cache)), "NODE_ERROR");
    EXPECT_EQ(log_text(run(compiled(graph), log_of({}), with_cache)), "[p]");
    EXPECT_EQ(log_text(run(compiled(graph), log_of({}), with_cache)), "[p]");
    EXPECT_EQ(executions, 2);
}

TEST(X1, TheKeyIsTheNodeItsVersionAndItsInputOrWhatAFunctionMakesOfItForAsLongAsItIsToBeKept)
{
    struct Case {
        const char* what;
        CachePolicy first;
        CachePolicy second;
        Json input;   // of the second run; the first has {"n": 1}
        int executions;
    };
    const auto by_parity = [](const Json& input) { return std::to_string(input.at("n").get<int>() % 2); };
    const std::chrono::milliseconds minute(60'000);
    const Case cases[] = {{"the same", {}, {}, entry("n", 1), 1},
                          {"another input", {}, {}, entry("n", 3), 2},
                          {"another version", {minute, "1", {}}, {minute, "2", {}}, entry("n", 1), 2},
                          {"equal by the function", {minute, "", by_parity}, {minute, "", by_parity}, entry("n", 3), 1},
                          {"its time is over", {std::chrono::milliseconds(0), "", {}}, {}, entry("n", 1), 2}};
    for (const auto& one : cases) {
        int executions = 0;
        NodeCache cache;
        RunOptions with_cache;
        with_cache.cache = &cache;
        const auto graph_with = [&executions](const CachePolicy& policy) {
            StateGraph graph;
            NodeOptions options;
            options.cache = policy;
            graph.add_channel("n").add_channel("log", reducers::append());
            graph.add_node("p", counts("p", &executions), options).add_edge(start, "p");
            return compiled(graph);
        };
        EXPECT_EQ(log_text(run(graph_with(one.first), entry("n", 1), with_cache)), "[p]") << one.what;
        EXPECT_EQ(log_text(run(graph_with(one.second), one.input, with_cache)), "[p]") << one.what;
        EXPECT_EQ(executions, one.executions) << one.what;
    }
}

TEST(C3, AListOfCommandsAppliesInOrder)
{
    LogGraph graph{"b", "c"};
    graph.add_node("a",
                   [](NodeContext&) -> Task<Result<Update>> {
                       Update first(entry("log", 1), Routes{"b"});
                       first.then.emplace_back(entry("log", 2), Routes{"c"});
                       co_return first;
                   },
                   {.destinations = {"b", "c"}});
    graph.add_edge(start, "a");
    ThreadOf thread(compiled(graph));
    EXPECT_EQ(log_text(thread.run(log_of({}))), "[1,2,b,c]");
}

TEST(S7, ANodeSeesOnlyItsInputChannels)
{
    LogGraph graph{};
    graph.add_node("p",
                   [](NodeContext& context) -> Task<Result<Update>> {
                       EXPECT_EQ(context.state().find("log"), nullptr);
                       co_return Update(entry("log", *context.state().find("n")));
                   },
                   {.input = {"n"}});
    graph.add_edge(start, "p");
    Recorder recorder(Mode::tasks);
    RunOptions options;
    options.events = &recorder;
    EXPECT_EQ(log_text(run(compiled(graph), Json{{"n", 7}}, options)), "[7]");
    ASSERT_FALSE(recorder.others.empty());
    EXPECT_EQ(recorder.others[0].at("input"), (Json{{"n", 7}})) << "what is told is what it sees";
}

}  // namespace
}  // namespace dure::graph
