// Rules S1–S10 of graph-semantics: channels, reducers, updates.
#include "dure/base/timeout.hpp"
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
        {"messages", R"([[{"id":"1"},{"id":"2"}], {"type":"remove","id":"1"}, {"type":"remove","id":"9"}])",
         R"([{"id":"2"}])"},
        {"messages", R"([[{"id":"1"}], [{"type":"remove","id":"__remove_all__"},{"id":"3"}]])", R"([{"id":"3"}])"},
        {"messages", R"([[{"id":1},{"id":"1"},{"id":""}], [{"id":1,"x":2},{"id":""}]])",
         R"([{"id":1,"x":2},{"id":"1"},{"id":""},{"id":""}])"},
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
                          {"sum", "1e308", "1e308"},
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
        graph.add_node("a", [bad](NodeContext&) -> Task<Result<Update>> { co_return Update(bad); })
            .add_edge(start, "a");
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

TEST(S7, TheOutputLimitsWhatARunReturnsNotWhatIsStreamedOrKept)
{
    LogGraph graph{"a"};
    graph.add_edge(start, "a");
    CompileOptions options;
    options.output = {"n"};
    ThreadOf thread(graph.compile(options).value());
    auto input = log_of({"i"});
    input["n"] = 7;
    EXPECT_EQ(thread.run(input).output, entry("n", 7));
    EXPECT_EQ(thread.events.back(), "v[i,a]");                                          // T1
    EXPECT_EQ(Recorder::list(thread.state().values.at("log")), "[i,a]");                // K3
    EXPECT_EQ(Recorder::list(thread.history().front().values.at("log")), "[i,a]");      // K4
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

// One node that writes to a channel holding `before`, whose routing sees `seen` and then leads nowhere.
struct RoutedUpdate {
    const char* what;
    const char* before;
    std::vector<const char*> updates;   // several: a list of Commands
    const char* seen;
};

void check_routed(const RoutedUpdate& one, const Reducer& reducer)
{
    Update update(entry("c", Json::parse(one.updates.front())));
    for (std::size_t i = 1; i < one.updates.size(); ++i)
        update.then.emplace_back(entry("c", Json::parse(one.updates[i])));
    Json seen;
    StateGraph graph;
    graph.add_channel("c", reducer);
    graph.add_node("n", [update](NodeContext&) -> Task<Result<Update>> { co_return update; }).add_edge(start, "n");
    graph.add_conditional_edges("n", [&seen](const State& state) {
        seen = state.at("c");
        return Routes("nowhere");
    });
    const auto result = run(compiled(graph), entry("c", overwrite(Json::parse(one.before))));
    EXPECT_EQ(reason(result), "INVALID_DESTINATION") << one.what;
    EXPECT_EQ(seen, Json::parse(one.seen)) << one.what;
    EXPECT_EQ(result.state.at("c"), Json::parse(one.before)) << one.what;
}

TEST(E4, RoutingSeesTheNodesOwnUpdateAndLeavesTheStateAsItWas)
{
    for (const auto& one : std::vector<RoutedUpdate>{{"one more", "[1]", {"2"}, "[1,2]"},
                                                     {"several", "[1]", {"[2,3]"}, "[1,2,3]"},
                                                     {"none", "[1]", {"[]"}, "[1]"},
                                                     {"two Commands", "[]", {"1", "2"}, "[1,2]"},
                                                     {"an Overwrite", "[1]", {R"({"__overwrite__":[9]})"}, "[9]"}})
        check_routed(one, reducers::append());
    for (const auto& one : std::vector<RoutedUpdate>{
             {"a new one", R"([{"id":"a"}])", {R"({"id":"b"})"}, R"([{"id":"a"},{"id":"b"}])"},
             {"one without id", R"([{"id":"a"}])", {R"({"x":1})"}, R"([{"id":"a"},{"x":1}])"},
             {"a replaced one", R"([{"id":"a"}])", {R"({"id":"a","x":1})"}, R"([{"id":"a","x":1}])"},
             {"new, then replaced",
              R"([{"id":"a"}])",
              {R"({"id":"b"})", R"({"id":"b","x":1})"},
              R"([{"id":"a"},{"id":"b","x":1}])"},
             {"twice in one update",
              R"([{"id":"a"}])",
              {R"([{"id":"b"},{"id":"b","x":1}])"},
              R"([{"id":"a"},{"id":"b","x":1}])"},
             {"new, then all removed",
              R"([{"id":"a"}])",
              {R"({"id":"b"})", R"({"type":"remove","id":"__remove_all__"})"},
              "[]"},
             {"a removed one", R"([{"id":"a"},{"id":"b"}])", {R"({"type":"remove","id":"a"})"}, R"([{"id":"b"}])"}})
        check_routed(one, reducers::messages());
    check_routed({"union", "[1,2]", {"[2,3]"}, "[1,2,3]"}, reducers::unite());
    check_routed({"merge", R"({"a":1})", {R"({"b":2})"}, R"({"a":1,"b":2})"}, reducers::merge());
    check_routed({"sum", "1", {"2"}, "3"}, reducers::sum());
}

TEST(E4, RoutingOfTheLastTaskCopiesNoConversation)
{
    const Json* read = nullptr;
    StateGraph graph;
    graph.add_channel("log", reducers::append());
    graph.add_node("n", [&read](NodeContext& context) -> Task<Result<Update>> {
        read = &context.state().at("log");
        co_return Update(entry("log", "n"));
    });
    graph.add_edge(start, "n");
    graph.add_conditional_edges("n", [&read](const State& state) {
        EXPECT_EQ(&state.at("log"), read) << "the same value, longer";
        return state.at("log").size() < 10 ? Routes("n") : Routes(end);
    });
    EXPECT_EQ(run(compiled(graph), log_of({})).state.at("log").size(), 10U);
}

TEST(E4, AStateThatRoutingKeptStaysAsItWasThen)
{
    std::vector<State> kept;
    StateGraph graph;
    graph.add_channel("log", reducers::append()).add_node("n", adds("n")).add_edge(start, "n");
    graph.add_conditional_edges("n", [&kept](const State& state) {
        kept.push_back(state);
        return kept.size() < 3 ? Routes("n") : Routes(end);
    });
    const auto result = run(compiled(graph), log_of({}));
    EXPECT_EQ(log_text(result), "[n,n,n]");
    for (std::size_t i = 0; i < kept.size(); ++i)
        EXPECT_EQ(kept[i].at("log").size(), i + 1);
}

TEST(E4, RoutingBesideTasksThatStillReadDoesNotChangeWhatTheySee)
{
    StateGraph graph;
    graph.add_channel("log", reducers::append()).add_node("quick", adds("quick")).add_node("join", adds("join"));
    graph.add_node("slow", [](NodeContext& context) -> Task<Result<Update>> {
        const auto& log = context.state().at("log");
        co_await sleep_for(std::chrono::milliseconds(5));   // quick has ended and routed
        co_return Update(entry("log", log.size()));
    });
    graph.add_edge(start, "quick").add_edge(start, "slow");
    graph.add_conditional_edges("quick", [](const State& state) {
        EXPECT_EQ(state.at("log"), (Json{"i", "quick"}));
        return Routes("join");
    });
    EXPECT_EQ(log_text(run(compiled(graph), log_of({"i"}))), "[i,quick,1,join]");
}

}  // namespace
}  // namespace dure::graph
