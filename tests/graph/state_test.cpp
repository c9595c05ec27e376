// Rules S1–S10 of graph-semantics: channels, reducers, updates.
#include "graph/support.hpp"

namespace dure::graph {
namespace {

using namespace test;

CompiledGraph one_node(StateGraph& graph, NodeFunction function)
{
    graph.add_node("a", std::move(function)).add_edge(start, "a");
    return compiled(graph);
}

TEST(S1, AChannelWithoutReducerIsAbsentUntilWrittenAndNullIsAValue)
{
    StateGraph graph;
    graph.add_channel("log", reducers::append()).add_channel("n").add_channel("m");
    const auto result = run(one_node(graph, writes("n", nullptr)), log_of({"i"}));
    ASSERT_NE(result.state.find("n"), nullptr);
    EXPECT_TRUE(result.state.at("n").is_null());
    EXPECT_EQ(result.state.find("m"), nullptr);
    EXPECT_FALSE(result.output.contains("m"));
    EXPECT_THROW(result.state.at("m"), InvariantBroken);
}

TEST(S2, AChannelWithAReducerStartsAtItsDefault)
{
    StateGraph graph;
    graph.add_channel("n").add_channel("log", reducers::append()).add_channel("total", reducers::sum());
    graph.add_channel("best", reducers::max(), 10);
    const auto result = run(one_node(graph, writes("n", 1)), entry("n", 0));
    EXPECT_EQ(result.state.at("log"), Json::array());
    EXPECT_EQ(result.state.at("total"), Json(0));
    EXPECT_EQ(result.state.at("best"), Json(10));
}

TEST(S3, EveryBuiltInReducerFoldsAsItsNameSays)
{
    struct Case {
        const char* reducer;
        const char* updates;
        const char* expected;
    };
    const Case cases[] = {
        {"append", R"([[1,2], 3, [], {"a":1}])", R"([1,2,3,{"a":1}])"},
        {"sum", "[1, 2, -7]", "-4"},
        {"sum", "[1, 0.5]", "1.5"},
        {"sum", "[9007199254740993, 1]", "9007199254740994"},
        {"min", "[3, 1, 2]", "1"},
        {"max", R"(["가", "나"])", R"("나")"},
        {"merge", R"([{"a":1,"b":1}, {"b":2}])", R"({"a":1,"b":2})"},
        {"union", "[[1,2], 2, [3,1]]", "[1,2,3]"},
        {"messages", R"([{"id":"1","t":"a"}, [{"id":"2"},{"t":"no id"}], {"id":"1","t":"b"}])",
         R"([{"id":"1","t":"b"},{"id":"2"},{"t":"no id"}])"},
        {"messages", R"([[{"id":"1"},{"id":"2"}], {"type":"remove","id":"1"}, {"type":"remove","id":"9"}])", R"([{"id":"2"}])"},
        {"messages", R"([[{"id":"1"}], [{"type":"remove","id":"__remove_all__"},{"id":"3"}]])", R"([{"id":"3"}])"},
    };
    for (const auto& one : cases) {
        StateGraph graph;
        graph.add_channel("go").add_channel("c", *reducers::by_name(one.reducer));
        std::string previous(start);
        int count = 0;
        for (const auto& update : Json::parse(one.updates)) {
            const auto name = "n" + std::to_string(count++);
            graph.add_node(name, writes("c", update)).add_edge(previous, name);
            previous = name;
        }
        const auto result = run(compiled(graph), entry("go", 1));
        ASSERT_EQ(result.status, RunStatus::success) << one.reducer << " " << one.updates;
        EXPECT_EQ(result.state.at("c"), Json::parse(one.expected)) << one.reducer << " " << one.updates;
    }
    EXPECT_FALSE(reducers::by_name("nonsense"));
}

TEST(S3, ReducersRefuseUpdatesThatDoNotFit)
{
    struct Case {
        const char* reducer;
        const char* first;
        const char* second;
    };
    const Case cases[] = {{"sum", "1", R"("x")"},
                          {"sum", "9223372036854775807", "1"},
                          {"sum", "-9223372036854775808", "-1"},
                          {"sum", "1", "18446744073709551615"},
                          {"min", "1", R"("x")"},
                          {"max", "1", "[]"},
                          {"merge", "{}", "[1]"},
                          {"messages", "[]", R"("text")"},
                          {"append", "[1]", R"({"__overwrite__": 5})"},
                          {"sum", "1", R"({"__overwrite__": "x"})"}};
    for (const auto& one : cases) {
        StateGraph graph;
        graph.add_channel("go").add_channel("c", *reducers::by_name(one.reducer));
        graph.add_node("a", writes("c", Json::parse(one.first))).add_node("b", writes("c", Json::parse(one.second)));
        graph.add_edge(start, "a").add_edge("a", "b");
        const auto result = run(compiled(graph), entry("go", 1));
        EXPECT_EQ(reason(result), "INVALID_UPDATE") << one.reducer << " " << one.second;
        EXPECT_EQ(result.state.at("c"), Json::parse(one.first)) << one.reducer;
    }
}

TEST(S4, TwoUpdatesOfALastValueInOneSuperstepNameKeyAndNodes)
{
    LogGraph graph{};
    graph.add_node("p", writes("n", 1)).add_node("q", writes("n", 2)).add_edge(start, "p").add_edge(start, "q");
    Recorder events;
    RunOptions options;
    options.events = &events;
    const auto result = run(compiled(graph), log_of({}), options);
    EXPECT_EQ(reason(result), "INVALID_CONCURRENT_GRAPH_UPDATE");
    EXPECT_NE(result.error->message().find("'n'"), std::string::npos);
    EXPECT_NE(result.error->message().find("p, q"), std::string::npos);
    EXPECT_EQ(events.lines, (Lines{"v[]", "u p", "u q"}));
    EXPECT_EQ(result.next, (Lines{"p", "q"}));
}

TEST(S5, OverwriteReplacesAndDropsTheOtherUpdates)
{
    LogGraph graph{"a", "c"};
    graph.add_node("b", writes("log", overwrite(Json::array({"new"}))));
    graph.add_edge(start, "a").add_edge(start, "b").add_edge(start, "c");
    EXPECT_EQ(log_text(run(compiled(graph), log_of({"i"}))), "[new]");
}

TEST(S5, TwoOverwritesOfOneKeyAreAnError)
{
    LogGraph graph{};
    for (const auto* name : {"a", "b"})
        graph.add_node(name, writes("log", overwrite(Json::array()))).add_edge(start, name);
    EXPECT_EQ(reason(run(compiled(graph), log_of({"i"}))), "INVALID_CONCURRENT_GRAPH_UPDATE");
}

TEST(S6, UnknownKeysAreDroppedWithOneWarningPerNodeAndKey)
{
    LogGraph graph{};
    graph.add_node("a", [](NodeContext& context) -> Task<Result<Update>> {
        auto update = entry("log", "a");
        update["stranger"] = 1;
        co_return Update(update, context.step() < 3 ? Routes("a") : Routes());
    });
    graph.add_edge(start, "a");
    const auto result = run(compiled(graph), log_of({}));
    EXPECT_EQ(log_text(result), "[a,a,a]");
    ASSERT_EQ(result.warnings.size(), 1u);
    EXPECT_NE(result.warnings[0].find("'stranger'"), std::string::npos);
}

TEST(S6, AnUpdateThatIsNoObjectIsAnError)
{
    for (const auto& bad : {Json(1), Json("x"), Json::array(), Json(true)}) {
        LogGraph graph{};
        graph.add_node("a", [bad](NodeContext&) -> Task<Result<Update>> { co_return Update(bad); }).add_edge(start, "a");
        EXPECT_EQ(reason(run(compiled(graph), log_of({}))), "INVALID_GRAPH_NODE_RETURN_VALUE") << bad;
    }
}

TEST(S7, InputWithoutAKnownKeyIsEmptyAndOutputShowsItsChannelsOnly)
{
    LogGraph graph{"a"};
    graph.add_edge(start, "a");
    CompileOptions options;
    options.input = {"log"};
    options.output = {"n"};
    const auto plain = *graph.compile(options);
    for (const auto& input : {Json(), Json::object(), entry("x", 1), entry("n", 1), Json::array({1}), Json("log")})
        EXPECT_EQ(reason(run(plain, input)), "EMPTY_INPUT") << input;
    auto input = log_of({"i"});
    input["n"] = 7;
    const auto result = run(plain, input);
    EXPECT_EQ(result.status, RunStatus::success);
    EXPECT_EQ(result.output, Json::object());
    EXPECT_EQ(log_text(result), "[i,a]");
}

TEST(S9, NodesOfOneSuperstepDoNotSeeEachOthersUpdates)
{
    LogGraph graph{};
    const auto counts = [](NodeContext& context) -> Task<Result<Update>> {
        co_return Update(entry("log", context.state().at("log").size()));
    };
    graph.add_node("a", counts).add_node("b", counts).add_edge(start, "a").add_edge("a", "b").add_edge(start, "b");
    EXPECT_EQ(log_text(run(compiled(graph), log_of({"i"}))), "[i,1,1,3]");
}

TEST(S9, AStateThatWasKeptDoesNotChangeWhenTheRunGoesOn)
{
    LogGraph graph{"b"};
    State kept;
    graph.add_node("a", [&kept](NodeContext& context) -> Task<Result<Update>> {
        kept = context.state();
        co_return Update(entry("log", "a"));
    });
    graph.add_edge(start, "a").add_edge("a", "b");
    EXPECT_EQ(log_text(run(compiled(graph), log_of({"i"}))), "[i,a,b]");
    EXPECT_EQ(kept.at("log"), Json::array({"i"}));
}

TEST(S10, AThrowingReducerDiscardsTheWholeSuperstep)
{
    LogGraph graph{"a"};
    graph.add_channel("bad", reducers::custom("bad", Json(0), [](const Json&, const Json&) -> Json {
        throw std::runtime_error("broken");
    }));
    graph.add_node("b", writes("bad", 1)).add_edge(start, "a").add_edge(start, "b");
    const auto result = run(compiled(graph), log_of({"i"}));
    EXPECT_EQ(reason(result), "INVALID_UPDATE");
    EXPECT_EQ(log_text(result), "[i]");
    EXPECT_EQ(result.next, (Lines{"a", "b"}));
}

}  // namespace
}  // namespace dure::graph
