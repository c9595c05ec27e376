// Rules G1–G5 and C4: graphs as nodes.
#include "graph/support.hpp"

namespace dure::graph {
namespace {

using namespace test;

// Inner: x -> y on `log`; y asks when told to.
CompiledGraph inner(NodeFunction x, NodeFunction y)
{
    StateGraph graph;
    graph.add_channel("log", reducers::append()).add_channel("own", reducers::append());
    graph.add_node("x", std::move(x)).add_node("y", std::move(y)).add_edge(start, "x").add_edge("x", "y");
    return compiled(graph);
}

CompiledGraph outer(CompiledGraph sub, SubgraphOptions options = SubgraphOptions())
{
    LogGraph graph{"a", "z"};
    graph.add_subgraph("sub", std::move(sub), std::move(options));
    graph.add_edge(start, "a").add_edge("a", "sub").add_edge("sub", "z");
    return compiled(graph);
}

SubgraphOptions only_new_entries()
{
    SubgraphOptions options;
    options.input_map = {{"own", "n"}};
    options.output_map = {{"log", "own"}};
    return options;
}

TEST(G1, ASharedAppendChannelGetsTheWholeListUnlessItIsMapped)
{
    EXPECT_EQ(log_text(run(outer(inner(adds("x"), adds("y"))), log_of({"i"}))), "[i,a,i,a,x,y,z]");
    const auto own = [](std::string name) -> NodeFunction {
        return [name](NodeContext&) -> Task<Result<Update>> { co_return Update(entry("own", name)); };
    };
    EXPECT_EQ(log_text(run(outer(inner(own("x"), own("y")), only_new_entries()), log_of({"i"}))), "[i,a,x,y,z]");
}

TEST(G2, EventsOfASubGraphCarryTheirNamespaceOnRequestOnly)
{
    class Everything final : public EventSink {
    public:
        Modes modes() const override { return Mode::updates; }
        bool subgraphs() const override { return all; }
        Task<Result<void>> event(const Event& event) override
        {
            lines.push_back(event.ns.substr(0, event.ns.find(':')) + "/" + event.data.begin().key());
            co_return Result<void>();
        }
        bool all = true;
        Lines lines;
    };
    Everything sink;
    RunOptions options;
    options.events = &sink;
    const auto graph = outer(inner(adds("x"), adds("y")));
    run(graph, log_of({}), options);
    EXPECT_EQ(sink.lines, (Lines{"/a", "sub/x", "sub/y", "/sub", "/z"}));
    sink.lines.clear();
    sink.all = false;
    run(graph, log_of({}), options);
    EXPECT_EQ(sink.lines, (Lines{"/a", "/sub", "/z"}));
}

TEST(G3, InheritStartsAfreshOwnLastsNoneKeepsNothing)
{
    const auto counting = [](NodeContext& context) -> Task<Result<Update>> {
        const auto before = context.state().at("own").size();
        co_return Update(Json{{"own", 1}, {"log", before}});
    };
    const auto nothing = [](NodeContext&) -> Task<Result<Update>> { co_return Update(); };
    for (const auto& [persistence, second] :
         {std::pair(Persistence::inherit, "0"), {Persistence::own, "1"}, {Persistence::none, "0"}}) {
        SubgraphOptions options;
        options.persistence = persistence;
        options.input_map = {{"log", "n"}};
        StateGraph graph;
        graph.add_channel("log", reducers::append()).add_channel("n");
        StateGraph sub;
        sub.add_channel("log").add_channel("own", reducers::append());
        sub.add_node("x", counting).add_node("y", nothing).add_edge(start, "x").add_edge("x", "y");
        graph.add_subgraph("sub", compiled(sub), options).add_edge(start, "sub");
        ThreadOf thread(compiled(graph));
        thread.run(log_of({}));
        EXPECT_EQ(log_text(thread.run(log_of({}))), std::string("[0,") + second + "]");
        Lines namespaces;
        dure::test::run([&]() -> Task<void> { namespaces = (co_await thread.checkpointer.namespaces("t")).value(); });
        const std::size_t wanted = persistence == Persistence::inherit ? 3 : persistence == Persistence::own ? 2 : 1;
        EXPECT_EQ(namespaces.size(), wanted);
    }
}

TEST(G3, ALastingSubGraphThatIsEnteredTwiceInARunGoesOnWhateverTheDurability)
{
    for (const auto durability : {Durability::sync, Durability::async, Durability::exit}) {
        StateGraph sub;
        sub.add_channel("n").add_channel("own", reducers::append()).add_channel("log", reducers::append());
        sub.add_node("x", [](NodeContext& context) -> Task<Result<Update>> {
            co_return Update(Json{{"own", 1}, {"n", context.state().at("own").size()}});
        });
        sub.add_edge(start, "x");
        SubgraphOptions options;
        options.persistence = Persistence::own;
        options.output_map = {{"log", "n"}};
        StateGraph graph;
        graph.add_channel("log", reducers::append()).add_channel("n");
        graph.add_subgraph("sub", compiled(sub), options).add_edge(start, "sub");
        graph.add_conditional_edges("sub", [](const State& state) {
            return state.at("log").size() < 3 ? Routes("sub") : Routes(end);
        });
        ThreadOf thread(compiled(graph));
        RunOptions with;
        with.durability = durability;
        auto input = log_of({});
        input["n"] = 0;
        EXPECT_EQ(log_text(thread.run(input, with)), "[0,1,2]");
        EXPECT_EQ(Recorder::list(thread.state().values.at("log")), "[0,1,2]");
        EXPECT_EQ(log_text(thread.run(Json{{"log", overwrite(Json::array())}, {"n", 0}}, with)), "[3,4,5]");
    }
}

TEST(G3, TwoParallelExecutionsOfALastingSubGraphAreRefused)
{
    SubgraphOptions options;
    options.persistence = Persistence::own;
    LogGraph graph{};
    graph.add_subgraph("sub", inner(adds("x"), adds("y")), options);
    graph.add_conditional_edges(
        start, [](const State&) { return Routes{Send("sub", entry("log", 1)), Send("sub", entry("log", 2))}; });
    ThreadOf thread(compiled(graph));
    EXPECT_EQ(reason(thread.run(log_of({}))), "MULTIPLE_SUBGRAPHS");
}

TEST(G4, ResumeReentersTheSubGraphWhereItStopped)
{
    for (const auto persistence : {Persistence::inherit, Persistence::own}) {
        int x = 0;
        int y = 0;
        SubgraphOptions options;
        options.persistence = persistence;
        ThreadOf thread(outer(inner(counts("x", &x), asks("y", "inner?", &y)), options));
        const auto asked = thread.run(log_of({}));
        ASSERT_EQ(asked.interrupts.size(), 1u);
        EXPECT_EQ(asked.interrupts[0].value, "inner?");
        EXPECT_EQ(asked.interrupts[0].ns.substr(0, 3), "sub");
        EXPECT_EQ(thread.events.back(), "int y");
        const auto state = thread.state({}, true);
        ASSERT_EQ(state.tasks.size(), 1u);
        ASSERT_TRUE(state.tasks[0].state);
        EXPECT_EQ(state.tasks[0].state->next, (Lines{"y"}));
        const auto done = thread.resume("yes");
        EXPECT_EQ(done.status, RunStatus::success);
        EXPECT_EQ(log_text(done), "[a,a,x,y=\"yes\",z]");
        EXPECT_EQ(x, 1);
        EXPECT_EQ(y, 2);
    }
}

TEST(G4, AnAnswerReachesOnlyItsSubGraphTwoLevelsDown)
{
    int deep = 0;
    int other = 0;
    const auto middle = outer(inner(adds("x"), asks("y", "deep?", &deep)));
    LogGraph graph{};
    graph.add_subgraph("left", middle).add_subgraph("right", outer(inner(adds("x"), asks("y", "other?", &other))));
    graph.add_edge(start, "left").add_edge(start, "right");
    ThreadOf thread(compiled(graph));
    const auto asked = thread.run(log_of({}));
    ASSERT_EQ(asked.interrupts.size(), 2u);
    const auto& left = asked.interrupts[0].value == "deep?" ? asked.interrupts[0] : asked.interrupts[1];
    const auto half = thread.resume(Json{{left.id, 1}});
    EXPECT_EQ(half.status, RunStatus::interrupted);
    EXPECT_EQ(deep, 2);
    EXPECT_EQ(other, 1);
    EXPECT_EQ(half.next, (Lines{"right"}));
    EXPECT_EQ(thread.resume(2).status, RunStatus::success);
    EXPECT_EQ(deep, 2);
    EXPECT_EQ(other, 2);
}

TEST(G4, AFailureInsideKeepsWhatIsFinished)
{
    int x = 0;
    int y = 0;
    int failures = 1;
    ThreadOf thread(outer(inner(counts("x", &x), counts("y", &y, &failures))));
    const auto failed = thread.run(log_of({}));
    EXPECT_EQ(reason(failed), "NODE_ERROR");
    EXPECT_EQ(failed.next, (Lines{"sub"}));
    EXPECT_EQ(thread.run(RunInput::nothing()).status, RunStatus::success);
    EXPECT_EQ(x, 1);
    EXPECT_EQ(y, 2);
}

TEST(G5, ARetryOfTheNodeContinuesTheSubGraphAndTheLimitCountsPerLevel)
{
    int x = 0;
    int y = 0;
    int failures = 1;
    SubgraphOptions options;
    RetryPolicy policy;
    policy.first_pause = std::chrono::milliseconds(0);
    policy.matches = [](const Error&) { return true; };
    options.retry = {policy};
    ThreadOf thread(outer(inner(counts("x", &x), counts("y", &y, &failures)), options));
    RunOptions limit;
    limit.recursion_limit = 3;   // a, sub, z; and x, y below
    EXPECT_EQ(thread.run(log_of({}), limit).status, RunStatus::success);
    EXPECT_EQ(x, 1);
    EXPECT_EQ(y, 2);
}

TEST(C4, ACommandForTheParentEndsTheSubGraphInPlaceOfItsResult)
{
    const auto leaves = [](NodeContext&) -> Task<Result<Update>> {
        Update command(entry("log", "left"), Routes{"z"});
        command.to_parent = true;
        co_return command;
    };
    int y = 0;
    LogGraph graph{"z"};
    graph.add_subgraph("sub", inner(leaves, counts("y", &y)), SubgraphOptions{{.destinations = {"z"}}});
    graph.add_edge(start, "sub");
    for (const bool durable : {false, true}) {
        ThreadOf thread(compiled(graph));
        const auto result = durable ? thread.run(log_of({})) : run(thread.graph, log_of({}));
        EXPECT_EQ(log_text(result), "[left,z]");
        EXPECT_EQ(y, 0);
    }
    LogGraph root{};
    root.add_node("p", leaves).add_edge(start, "p");
    EXPECT_EQ(reason(run(compiled(root), log_of({}))), "INVALID_DESTINATION");
}

}  // namespace
}  // namespace dure::graph
