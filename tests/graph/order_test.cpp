// Rules P3, P4, C2, I2, I6, T5, X3: what waits for what, in which order sent tasks come, what is executed again.
#include "dure/base/timeout.hpp"
#include "graph/support.hpp"

namespace dure::graph {
namespace {

using namespace std::chrono_literals;
using namespace test;

TEST(P3, OneSlowTaskHoldsTheNextSuperstepBack)
{
    bool slow_ended = false;
    bool ended_before_next = false;
    LogGraph graph{"fast"};
    graph.add_node("slow", [&](NodeContext&) -> Task<Result<Update>> {
        co_await sleep_for(5ms);
        slow_ended = true;
        co_return Update(entry("log", "slow"));
    });
    graph.add_node("next", [&](NodeContext&) -> Task<Result<Update>> {
        ended_before_next = slow_ended;
        co_return Update(entry("log", "next"));
    });
    graph.add_edge(start, "fast").add_edge(start, "slow").add_edge("fast", "next");
    EXPECT_EQ(log_text(run(compiled(graph), log_of({}))), "[fast,slow,next]");
    EXPECT_TRUE(ended_before_next);
}

TEST(P4, StartRunsEntryConditionsAndTheRunEndsWhenNothingIsReady)
{
    LogGraph graph{"a"};
    graph.add_conditional_edges(
        start, [](const State& state) { return state.at("log").empty() ? Routes(end) : Routes("a"); },
        targets({"a", end}));
    const auto shared = compiled(graph);
    const auto nothing = run(shared, log_of({}));
    EXPECT_EQ(nothing.status, RunStatus::success);
    EXPECT_EQ(nothing.supersteps, 0);
    EXPECT_EQ(log_text(run(shared, log_of({"i"}))), "[i,a]");
}

TEST(C2, SendsComeInTheOrderOfTheirSendersAndEdgesAfterThemFireOnce)
{
    LogGraph graph{"z"};
    const auto sends = [](const char* name, Steady::duration pause) {
        return [name, pause](NodeContext&) -> Task<Result<Update>> {
            co_await sleep_for(pause);
            const auto text = std::string(name);
            co_return Update(Json(), Routes{Send("w", Json(text + "2")), Send("w", Json(text + "1"))});
        };
    };
    NodeOptions options;
    options.destinations = {"w"};
    graph.add_node("a", sends("a", 5ms), options).add_node("b", sends("b", 0ms), options);
    graph.add_node(
        "w", [](NodeContext& context) -> Task<Result<Update>> { co_return Update(entry("log", *context.argument())); });
    graph.add_edge(start, "a").add_edge(start, "b").add_edge("w", "z");
    EXPECT_EQ(log_text(run(compiled(graph), log_of({}))), "[a2,a1,b2,b1,z]");
}

TEST(I2, SiblingsOfAnAskingTaskRunToTheirEndAndAreKept)
{
    int asking = 0;
    int slow = 0;
    LogGraph graph{};
    graph.add_node("p", asks("p", "a?", &asking));
    graph.add_node("s", [&](NodeContext&) -> Task<Result<Update>> {
        co_await sleep_for(5ms);
        ++slow;
        co_return Update(entry("log", "s"));
    });
    graph.add_edge(start, "p").add_edge(start, "s");
    ThreadOf thread(compiled(graph));
    const auto stopped = thread.run(log_of({}));
    EXPECT_EQ(stopped.status, RunStatus::interrupted);
    EXPECT_EQ(Recorder::list(thread.state().values.at("log")), "[s]");
    EXPECT_EQ(thread.resume(7).status, RunStatus::success);
    EXPECT_EQ(Recorder::list(thread.state().values.at("log")), "[p=7,s]");
    EXPECT_EQ(slow, 1);
    EXPECT_EQ(asking, 2);
}

TEST(I6, OnlyAnsweredTasksRunAgainAndOpenOnesAreAnnouncedAgain)
{
    int p = 0;
    int q = 0;
    LogGraph graph{};
    graph.add_node("p", asks("p", "a?", &p)).add_node("q", asks("q", "b?", &q));
    graph.add_edge(start, "p").add_edge(start, "q");
    ThreadOf thread(compiled(graph));
    const auto second = thread.resume_one(thread.run(log_of({})), "q", false);
    EXPECT_EQ(p, 1);
    EXPECT_EQ(q, 2);
    ASSERT_EQ(second.interrupts.size(), 1u);
    EXPECT_EQ(second.interrupts.front().node, "p");
    EXPECT_NE(std::find(thread.events.begin(), thread.events.end(), "int p"), thread.events.end());
    const auto state = thread.state();
    EXPECT_EQ(state.next, (Lines{"p"}));
    ASSERT_EQ(state.tasks.size(), 2u);
    EXPECT_EQ(state.tasks.front().interrupts.size(), 1u);
}

TEST(T5, AKeptResultIsMarkedCachedAndANewExecutionReplayed)
{
    int p = 0;
    int q = 0;
    int failures = 1;
    LogGraph graph{};
    graph.add_node("p", counts("p", &p)).add_node("q", counts("q", &q, &failures));
    graph.add_edge(start, "p").add_edge(start, "q");
    ThreadOf thread(compiled(graph));
    thread.run(log_of({}));
    thread.modes = Mode::updates | Mode::tasks;
    thread.run(RunInput::nothing());
    EXPECT_EQ(thread.events, (Lines{"u p (cached)", "u q"}));
    const auto started = std::find_if(thread.others.begin(), thread.others.end(),
                                      [](const Json& one) { return one.value("event", "") == "start"; });
    ASSERT_NE(started, thread.others.end());
    EXPECT_EQ(started->at("name"), "q");
    EXPECT_EQ(started->at("replayed"), true);
}

TEST(X3, ANodeSeesWhereItStands)
{
    LogGraph graph{};
    std::vector<std::string> seen;
    graph.add_node("a", [&](NodeContext& context) -> Task<Result<Update>> {
        seen = {context.thread_id(),
                context.run_id(),
                context.node(),
                std::to_string(context.attempt()),
                std::to_string(context.remaining_steps()),
                context.ns()};
        EXPECT_EQ(context.task_id().size(), 32u);
        EXPECT_EQ(context.idempotency_key(""), context.task_id());
        EXPECT_EQ(context.idempotency_key("mail"), context.task_id() + "/mail");
        co_return Update(entry("log", "a"));
    });
    graph.add_edge(start, "a");
    ThreadOf thread(compiled(graph));
    RunOptions options;
    options.run = "r1";
    thread.run(log_of({}), options);
    EXPECT_EQ(seen, (std::vector<std::string>{"t", "r1", "a", "1", "24", ""}));
}

// A circle of p and a node that only carries it on: p may run as often as if it went to itself.
TEST(P6, SuperstepsWithoutUserNodesDoNotCount)
{
    LogGraph graph{"p"};
    NodeOptions carrier;
    carrier.counts = false;
    graph.add_node("d", [](NodeContext&) -> Task<Result<Update>> { co_return Update(); }, carrier);
    graph.add_edge(start, "p").add_edge("p", "d").add_edge("d", "p");
    RunOptions options;
    options.recursion_limit = 3;
    const auto result = run(compiled(graph), log_of({}), options);
    EXPECT_EQ(reason(result), "GRAPH_RECURSION_LIMIT");
    EXPECT_EQ(log_text(result), "[p,p,p]");
    EXPECT_EQ(result.supersteps, 3);
    EXPECT_EQ(result.next, (Lines{"p"}));
}

}  // namespace
}  // namespace dure::graph
