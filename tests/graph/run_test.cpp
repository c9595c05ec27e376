// Rules P1–P6, E1–E7, C1–C3, F1, F2, F7, T1 and the rows of graph-semantics §14 that need no checkpoint.
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>

#include "dure/base/timeout.hpp"
#include "graph/support.hpp"

namespace dure::graph {
namespace {

using namespace std::chrono_literals;
using namespace test;

struct Outcome {
    RunResult result;
    Lines events;
};

Outcome trace(const StateGraph& graph, Json input, RunOptions options = RunOptions())
{
    Recorder recorder;
    options.events = &recorder;
    auto result = run(compiled(graph), std::move(input), options);
    return Outcome{std::move(result), recorder.lines};
}

TEST(Examples, Row1ChainOfTwo)
{
    LogGraph graph{"p", "q"};
    graph.add_edge(start, "p").add_edge("p", "q").add_edge("q", end);
    const auto [result, events] = trace(graph, log_of({"i"}));
    EXPECT_EQ(result.status, RunStatus::success);
    EXPECT_EQ(events, (Lines{"v[i]", "u p", "v[i,p]", "u q", "v[i,p,q]"}));
    EXPECT_EQ(result.supersteps, 2);
    EXPECT_TRUE(result.next.empty());
}

TEST(Examples, Row2WaitingEdgeOverUnequalLengths)
{
    LogGraph graph{"m", "k", "t", "z"};
    graph.add_edge(start, "m").add_edge(start, "k").add_edge("k", "t").add_edge({"m", "t"}, "z");
    EXPECT_EQ(trace(graph, log_of({})).events,
              (Lines{"v[]", "u k", "u m", "v[k,m]", "u t", "v[k,m,t]", "u z", "v[k,m,t,z]"}));
}

TEST(Examples, Row3PlainEdgesOverUnequalLengthsRunTheNodeTwice)
{
    LogGraph graph{"m", "k", "t", "z"};
    graph.add_edge(start, "m").add_edge(start, "k").add_edge("k", "t").add_edge("m", "z").add_edge("t", "z");
    const auto [result, events] = trace(graph, log_of({}));
    EXPECT_EQ(log_text(result), "[k,m,t,z,z]");
    EXPECT_EQ(result.supersteps, 3);
}

TEST(Examples, Row4SendsFromStartBesideAPlainEdge)
{
    LogGraph graph{"b"};
    graph.add_node("w", [](NodeContext& context) -> Task<Result<Update>> {
        co_return Update(entry("log", *context.argument()));
    });
    graph.add_edge(start, "b").add_conditional_edges(start, [](const State&) {
        return Routes{Send("w", 3), Send("w", 1)};
    });
    const auto [result, events] = trace(graph, log_of({}));
    EXPECT_EQ(events, (Lines{"v[]", "u b", "u w", "u w", "v[b,3,1]"}));
    EXPECT_EQ(result.supersteps, 1);
}

TEST(Examples, Row9LoopEndsAtTheRecursionLimit)
{
    LogGraph graph{"p"};
    graph.add_edge(start, "p").add_edge("p", "p");
    RunOptions options;
    options.recursion_limit = 2;
    const auto [result, events] = trace(graph, log_of({}), options);
    EXPECT_EQ(events, (Lines{"v[]", "u p", "v[p]", "u p", "v[p,p]"}));
    EXPECT_EQ(reason(result), "GRAPH_RECURSION_LIMIT");
    EXPECT_EQ(result.next, (Lines{"p"}));
    EXPECT_EQ(log_text(result), "[p,p]");
}

TEST(P1, FoldingFollowsNamesNotCompletion)
{
    LogGraph graph{"c"};
    graph.add_node("a", adds_after("a", 20ms)).add_node("b", adds_after("b", 5ms));
    graph.add_edge(start, "a").add_edge(start, "b").add_edge(start, "c");
    const auto [result, events] = trace(graph, log_of({}));
    EXPECT_EQ(events, (Lines{"v[]", "u c", "u b", "u a", "v[a,b,c]"}));   // T2: updates as they finish
}

TEST(P2, ANodeWithSeveralTriggersRunsOncePerSuperstep)
{
    LogGraph graph{"a", "b", "z"};
    graph.add_edge(start, "a").add_edge(start, "b").add_edge("a", "z").add_edge("b", "z");
    EXPECT_EQ(log_text(trace(graph, log_of({})).result), "[a,b,z]");
}

TEST(P5, MaxConcurrencyBoundsRunningTasksAndChangesNoResult)
{
    for (const std::size_t bound : {0u, 1u, 2u, 3u, 16u}) {
        int running = 0;
        int most = 0;
        LogGraph graph{};
        for (const auto* name : {"a", "b", "c", "d", "e", "f"}) {
            graph.add_node(name, [name, &running, &most](NodeContext&) -> Task<Result<Update>> {
                most = std::max(most, ++running);
                co_await sleep_for(1ms);
                --running;
                co_return Update(entry("log", name));
            });
            graph.add_edge(start, name);
        }
        RunOptions options;
        options.max_concurrency = bound;
        EXPECT_EQ(log_text(run(compiled(graph), log_of({}), options)), "[a,b,c,d,e,f]");
        EXPECT_EQ(most, bound == 0 ? 6 : static_cast<int>(std::min<std::size_t>(bound, 6)));
    }
}

TEST(P6, ARunWithNothingLeftAfterItsLimitSucceeds)
{
    LogGraph graph{"p", "q"};
    graph.add_edge(start, "p").add_edge("p", "q");
    RunOptions options;
    options.recursion_limit = 2;
    EXPECT_EQ(run(compiled(graph), log_of({}), options).status, RunStatus::success);
    options.recursion_limit = 1;
    const auto result = run(compiled(graph), log_of({}), options);
    EXPECT_EQ(reason(result), "GRAPH_RECURSION_LIMIT");
    EXPECT_EQ(result.next, (Lines{"q"}));
}

TEST(E1, AnEdgeFiresAlsoWhenTheNodeReturnedNothing)
{
    LogGraph graph{"b"};
    graph.add_node("a", [](NodeContext&) -> Task<Result<Update>> { co_return Update(); });
    graph.add_edge(start, "a").add_edge("a", "b");
    const auto [result, events] = trace(graph, log_of({}));
    EXPECT_EQ(events, (Lines{"v[]", "u a", "u b", "v[b]"}));
}

TEST(E2, AWaitingEdgeReArmsInALoop)
{
    LogGraph graph{"a", "b"};
    graph.add_node("z", [](NodeContext& context) -> Task<Result<Update>> {
        co_return Update(entry("log", "z"), context.step() < 3 ? Routes{"a", "b"} : Routes());
    });
    graph.add_edge(start, "a").add_edge(start, "b").add_edge({"a", "b"}, "z");
    EXPECT_EQ(log_text(run(compiled(graph), log_of({}))), "[a,b,z,a,b,z]");
}

TEST(E3, ADeferredNodeRunsOnceWhenNothingElseIsReady)
{
    LogGraph graph{"a", "b", "c", "after"};
    NodeOptions deferred;
    deferred.defer = true;
    graph.add_node("z", adds("z"), deferred);
    graph.add_edge(start, "a").add_edge("a", "b").add_edge("b", "c").add_edge(start, "z");
    graph.add_edge("a", "z").add_edge("c", "z").add_edge("z", "after");
    EXPECT_EQ(log_text(run(compiled(graph), log_of({}))), "[a,b,c,z,after]");
}

TEST(E4, AConditionalEdgeSeesItsOwnUpdateButNotASiblings)
{
    LogGraph graph{"a", "b", "right", "wrong"};
    graph.add_edge(start, "a").add_edge(start, "b");
    graph.add_conditional_edges("b", [](const State& state) -> Routes {
        return Recorder::list(state.at("log")) == "[i,b]" ? "yes" : "no";
    }, {{"yes", "right"}, {"no", "wrong"}});
    EXPECT_EQ(log_text(run(compiled(graph), log_of({"i"}))), "[i,a,b,right]");
}

TEST(E4, ARouteMayNameSeveralNodesOrEnd)
{
    LogGraph graph{"a", "b", "c"};
    graph.add_edge(start, "a");
    graph.add_conditional_edges("a", [](const State&) { return Routes{"c", "b", end}; });
    EXPECT_EQ(log_text(run(compiled(graph), log_of({}))), "[a,b,c]");
    LogGraph ending{"a", "b"};
    ending.add_edge(start, "a").add_conditional_edges("a", [](const State&) { return Routes(end); });
    EXPECT_EQ(log_text(run(compiled(ending), log_of({}))), "[a]");
}

TEST(E5, AFailedRoutingDropsTheUpdateOfItsNode)
{
    LogGraph unknown{"a"};
    unknown.add_edge(start, "a").add_conditional_edges("a", [](const State&) { return Routes("nowhere"); });
    const auto result = run(compiled(unknown), log_of({"i"}));
    EXPECT_EQ(reason(result), "INVALID_DESTINATION");
    EXPECT_NE(result.error->message().find("nowhere"), std::string::npos);
    EXPECT_EQ(log_text(result), "[i]");
    EXPECT_EQ(result.next, (Lines{"a"}));

    LogGraph undeclared{"a", "b", "c"};
    undeclared.add_edge(start, "a").add_edge("b", "c");
    undeclared.add_conditional_edges("a", [](const State&) { return Routes("c"); }, targets({"b"}));
    EXPECT_EQ(reason(run(compiled(undeclared), log_of({}))), "INVALID_DESTINATION");

    LogGraph throwing{"a"};
    throwing.add_edge(start, "a").add_conditional_edges("a", [](const State& state) -> Routes {
        state.at("n");
        return "a";
    });
    EXPECT_EQ(reason(run(compiled(throwing), log_of({"i"}))), "NODE_ERROR");
}

TEST(E6, PlainConditionalAndGotoAddUp)
{
    LogGraph graph{"b", "c", "d"};
    graph.add_node("a", [](NodeContext&) -> Task<Result<Update>> { co_return Update(entry("log", "a"), Routes("d")); });
    graph.add_edge(start, "a").add_edge("a", "b");
    graph.add_conditional_edges("a", [](const State&) { return Routes{"c", end}; }, targets({"c", end}));
    graph.add_conditional_edges(start, [](const State&) { return Routes(); });
    EXPECT_EQ(log_text(run(compiled(graph), log_of({}))), "[a,b,c,d]");
}

Reducer without_default()
{
    auto reducer = reducers::append();
    reducer.initial.reset();
    return reducer;
}

TEST(E7, AnUnknownNodeOfAnInterruptIsNamed)
{
    for (const bool before : {true, false}) {
        LogGraph graph{"a"};
        graph.add_edge(start, "a");
        CompileOptions options;
        (before ? options.interrupt_before : options.interrupt_after) = {"*", "a", "ghost"};
        const auto result = graph.compile(options);
        ASSERT_TRUE(result.has_error());
        EXPECT_EQ(result.error().reason(), "INVALID_GRAPH");
        EXPECT_NE(result.error().message().find("'ghost'"), std::string::npos) << result.error().message();
    }
}

TEST(E7, AChannelThatIsChangedInPlaceMayGetItsDefaultWhereItIsDeclared)
{
    LogGraph graph{"a"};
    graph.add_channel("c", without_default(), Json::array({1})).add_edge(start, "a");
    EXPECT_EQ(run(compiled(graph), log_of({})).state.at("c"), Json::array({1}));
}

TEST(E7, CompileNamesWhatIsWrong)
{
    const auto route = [](const State&) { return Routes(end); };
    struct Case {
        std::function<void(StateGraph&)> build;
        const char* named;
    };
    const Case cases[] = {
        {[](StateGraph& g) { g.add_edge(start, "a").add_edge("a", "ghost"); }, "'ghost'"},
        {[](StateGraph& g) { g.add_edge(start, "a").add_edge("ghost", "a"); }, "'ghost'"},
        {[](StateGraph& g) { g.add_edge(start, "a").add_edge({"a", "ghost"}, "a"); }, "'ghost'"},
        {[](StateGraph& g) { g.add_edge("a", end); }, "no entry"},
        {[&](StateGraph& g) { g.add_edge(start, "a").add_conditional_edges("a", route, targets({"ghost"})); }, "'ghost'"},
        {[](StateGraph& g) { g.add_edge(start, "a").add_node("island", adds("x")); }, "'island'"},
        {[](StateGraph& g) { g.add_edge(start, "a").add_node("a", adds("x")); }, "'a' is there twice"},
        {[](StateGraph& g) { g.add_edge(start, "a").add_node("x|y", adds("x")); }, "'x|y'"},
        {[](StateGraph& g) { g.add_edge(start, "a").add_node("x:y", adds("x")); }, "'x:y'"},
        {[](StateGraph& g) { g.add_edge(start, "a").add_node("START", adds("x")); }, "'START'"},
        {[](StateGraph& g) { g.add_edge(start, "a").add_node(std::string(end), adds("x")); }, "'__end__'"},
        {[](StateGraph& g) { g.add_edge(start, "a").add_node("", adds("x")); }, "reserved"},
        {[](StateGraph& g) { g.add_edge(start, "a").add_node("b", nullptr).add_edge("a", "b"); }, "'b' has no function"},
        {[](StateGraph& g) { g.add_edge(start, "a").add_channel("log"); }, "channel 'log'"},
        {[](StateGraph& g) { g.add_edge(start, "a").add_channel("c", without_default()); }, "channel 'c' is changed in place"},
        {[](StateGraph& g) { g.add_edge(start, "a").add_edge(end, "a"); }, "'__end__'"},
        {[](StateGraph& g) { g.add_edge(start, "a").add_edge("a", start); }, "'__start__'"},
    };
    for (const auto& one : cases) {
        LogGraph graph{"a"};
        one.build(graph);
        const auto result = graph.compile();
        ASSERT_TRUE(result.has_error()) << one.named;
        EXPECT_EQ(result.error().reason(), "INVALID_GRAPH");
        EXPECT_NE(result.error().message().find(one.named), std::string::npos) << result.error().message();
    }
}

TEST(C1, EdgesAfterSentTasksFireOnceAndGotoMaySend)
{
    LogGraph graph{"after"};
    graph.add_node("w", [](NodeContext& context) -> Task<Result<Update>> {
        co_return Update(entry("log", *context.argument()));
    });
    NodeOptions sends;
    sends.destinations = {"w"};
    graph.add_node("a", [](NodeContext&) -> Task<Result<Update>> {
        co_return Update(entry("log", "a"), Routes{Send("w", 2), Send("w", 1)});
    }, sends);
    graph.add_edge(start, "a").add_edge("w", "after");
    EXPECT_EQ(log_text(run(compiled(graph), log_of({}))), "[a,2,1,after]");
}

TEST(F1, AFailingNodeEndsTheRunWithItsCause)
{
    LogGraph graph{"a"};
    graph.add_node("b", fails("no service")).add_edge(start, "a").add_edge("a", "b");
    const auto [result, events] = trace(graph, log_of({}));
    EXPECT_EQ(reason(result), "NODE_ERROR");
    EXPECT_EQ(result.error->code(), Errc::unavailable);
    EXPECT_EQ(result.error->message(), "Node 'b' failed: no service");
    ASSERT_EQ(result.failures.size(), 1u);
    EXPECT_EQ(result.failures[0].node, "b");
    EXPECT_EQ(events, (Lines{"v[]", "u a", "v[a]"}));   // F9
    EXPECT_EQ(result.next, (Lines{"b"}));
}

TEST(F1, AnExceptionOfANodeIsItsFailureWithoutItsTextInTheMessage)
{
    LogGraph graph{};
    graph.add_node("a", [](NodeContext&) -> Task<Result<Update>> {
        throw std::runtime_error("secret inside");
        co_return Update();
    });
    graph.add_edge(start, "a");
    const auto result = run(compiled(graph), log_of({}));
    EXPECT_EQ(reason(result), "NODE_ERROR");
    EXPECT_EQ(result.error->message().find("secret"), std::string::npos);
    EXPECT_NE(result.error->detail().find("secret"), std::string::npos);
}

TEST(F2, SiblingsOfAFailedTaskAreCancelledAndAwaited)
{
    bool cancelled = false;
    LogGraph graph{};
    graph.add_node("asleep", [&cancelled](NodeContext&) -> Task<Result<Update>> {
        try {
            co_await sleep_for(60s);
        } catch (const boost::system::system_error&) {
            cancelled = true;
            throw;
        }
        co_return Update();
    });
    graph.add_node("bad", fails("x")).add_edge(start, "asleep").add_edge(start, "bad");
    const auto began = Steady::now();
    const auto result = run(compiled(graph), log_of({"i"}));
    EXPECT_TRUE(cancelled);
    EXPECT_LT(Steady::now() - began, 5s);
    EXPECT_EQ(reason(result), "NODE_ERROR");
    EXPECT_EQ(result.failures.size(), 1u);
    EXPECT_EQ(result.next, (Lines{"asleep", "bad"}));
}

// Runs the graph, cancels it after `after`, gives the result and how long cancelling took.
std::pair<RunResult, Steady::duration> cancel_after(const CompiledGraph& graph, Steady::duration after,
                                                    Deadline deadline = Deadline::never())
{
    RunResult result;
    RunOptions options;
    options.deadline = deadline;
    boost::asio::io_context loop(1);
    boost::asio::cancellation_signal signal;
    bool aborted = false;
    Steady::time_point told;
    Steady::time_point ended;
    boost::asio::co_spawn(
        loop, graph.run(log_of({"i"}), options, result),
        boost::asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr error) {
            aborted = error != nullptr;
            ended = Steady::now();
        }));
    boost::asio::steady_timer timer(loop, after);
    timer.async_wait([&](boost::system::error_code) {
        told = Steady::now();
        signal.emit(boost::asio::cancellation_type::terminal);
    });
    loop.run();
    EXPECT_TRUE(aborted);
    return {std::move(result), ended - told};
}

TEST(F7, CancellationReachesEveryNodeWithin100MsAndKeepsFinishedSupersteps)
{
    for (const int nodes : {1, 4}) {
        for (const auto deadline : {Deadline::never(), Deadline::after(60s)}) {
            LogGraph graph{"first"};
            graph.add_edge(start, "first");
            for (int i = 0; i < nodes; ++i) {
                const auto name = "n" + std::to_string(i);
                graph.add_node(name, adds_after(name, 60s)).add_edge("first", name);
            }
            const auto [result, took] = cancel_after(compiled(graph), 10ms, deadline);
            EXPECT_LT(took, 100ms);
            EXPECT_EQ(result.status, RunStatus::cancelled);
            EXPECT_EQ(reason(result), "CANCELLED");
            EXPECT_EQ(log_text(result), "[i,first]");
            EXPECT_EQ(result.next.size(), static_cast<std::size_t>(nodes));
        }
    }
}

TEST(Runs, PastTheirDeadlineEndAsTimeout)
{
    LogGraph graph{};
    graph.add_node("a", adds_after("a", 60s)).add_edge(start, "a");
    RunOptions options;
    options.deadline = Deadline::after(10ms);
    const auto result = run(compiled(graph), log_of({"i"}), options);
    EXPECT_EQ(result.status, RunStatus::timeout);
    EXPECT_EQ(reason(result), "RUN_TIMEOUT");
    EXPECT_EQ(result.next, (Lines{"a"}));
}

TEST(Runs, OfOneGraphDoNotDisturbEachOther)
{
    LogGraph graph{};
    graph.add_node("a", adds_after("a", 2ms)).add_node("b", adds_after("b", 1ms));
    graph.add_edge(start, "a").add_edge("a", "b");
    const auto shared = compiled(graph);
    std::vector<std::thread> threads;
    std::atomic<int> right = 0;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 10; ++i)
                if (log_text(run(shared, log_of({"i"}))) == "[i,a,b]")
                    ++right;
        });
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(right, 40);
}

TEST(T1, MessagesAndCustomCarryTheNodeAndTasksTellStartAndEnd)
{
    int answer = 42;
    LogGraph graph{};
    graph.add_node("a", [](NodeContext& context) -> Task<Result<Update>> {
        if (auto told = co_await context.emit_message("chunk"); !told)
            co_return told.error();
        if (auto told = co_await context.emit_custom(context.context<int>()); !told)
            co_return told.error();
        EXPECT_EQ(context.remaining_steps(), 24);
        co_return Update(entry("log", "a"));
    });
    graph.add_edge(start, "a");
    Recorder recorder(Mode::messages | Mode::custom | Mode::tasks);
    RunOptions options;
    options.events = &recorder;
    options.context = &answer;
    ASSERT_EQ(run(compiled(graph), log_of({}), options).status, RunStatus::success);
    ASSERT_EQ(recorder.others.size(), 4u);
    const auto id = recorder.others[0].at("id");
    EXPECT_EQ(id.get<std::string>().size(), 32u);
    const auto with_id = [&](const char* key, const char* text) {
        auto event = Json::parse(text);
        event[key] = id;
        return event;
    };
    EXPECT_EQ(recorder.others[0], with_id("id", R"({"event":"start","name":"a","step":1,"attempt":1,"input":{"log":[]},
                                                    "triggers":["pull","a"]})"));
    EXPECT_EQ(recorder.others[1], (Json::array({"chunk", with_id("task", R"({"node":"a","step":1,"ns":""})")})));
    EXPECT_EQ(recorder.others[2], Json(42));
    EXPECT_EQ(recorder.others[3], with_id("id", R"({"event":"end","name":"a","step":1,"result":{"log":"a"}})"));
}

TEST(T4, ASinkThatIsGoneStopsTheRun)
{
    LogGraph graph{"a", "b"};
    graph.add_edge(start, "a").add_edge("a", "b");
    Recorder recorder;
    recorder.refuse_after = 2;
    RunOptions options;
    options.events = &recorder;
    const auto result = run(compiled(graph), log_of({}), options);
    EXPECT_EQ(result.status, RunStatus::cancelled);
    EXPECT_EQ(reason(result), "CANCELLED");
    EXPECT_EQ(result.next, (Lines{"a"}));
}

TEST(N1, TheSameRunGivesTheSameStateWhateverTheConcurrency)
{
    LogGraph graph{"a", "b", "c", "d", "z"};
    graph.add_conditional_edges(start, [](const State&) { return Routes{"c", "a", "d", "b"}; });
    for (const auto* name : {"a", "b", "c", "d"})
        graph.add_edge(name, "z");
    const auto shared = compiled(graph);
    RunOptions options;
    const auto first = run(shared, log_of({}), options).output;
    EXPECT_EQ(first, log_of({"a", "b", "c", "d", "z"}));
    for (const std::size_t bound : {1u, 2u, 3u}) {
        options.max_concurrency = bound;
        EXPECT_EQ(run(shared, log_of({}), options).output, first);
    }
}

}  // namespace
}  // namespace dure::graph
