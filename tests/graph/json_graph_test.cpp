// Graphs written as JSON: what runs, and how everything wrong is named.
#include "dure/graph/json_graph.hpp"

#include "graph/support.hpp"

namespace dure::graph {
namespace {

using namespace test;

CompiledGraph from_json(const char* text)
{
    auto graph = compile_json(Json::parse(text), standard_functions());
    if (!graph)
        throw std::runtime_error(graph.error().message());
    return *graph;
}

TEST(JsonGraph, RunsMapReduceWithSends)
{
    const auto graph = from_json(R"({
        "channels": {"items": {}, "log": {"reducer": "append"}, "sum": {"reducer": "sum"}},
        "nodes": {"split": {"function": "write", "config": {"values": {}}},
                  "add": {"function": "copy", "config": {"to": "sum"}},
                  "done": {"function": "copy", "config": {"from": "sum", "to": "log"}, "defer": true}},
        "edges": [["START", "split"], ["add", "done"], ["done", "END"]],
        "conditional_edges": [{"from": "split", "function": "each", "config": {"channel": "items", "node": "add"}}]})");
    const auto result = run(graph, Json{{"items", {1, 2, 3}}});
    EXPECT_EQ(result.status, RunStatus::success);
    EXPECT_EQ(result.output.at("log"), (Json{6}));
}

TEST(JsonGraph, ARouteOverWhatIsNoListFailsTheNode)
{
    const auto graph = from_json(R"({
        "channels": {"items": {}, "log": {"reducer": "append"}},
        "nodes": {"split": {"function": "write", "config": {"values": {"log": "split"}}},
                  "add": {"function": "copy", "config": {"to": "log"}}},
        "edges": [["START", "split"]],
        "conditional_edges": [{"from": "split", "function": "each", "config": {"channel": "items", "node": "add"}}]})");
    const auto result = run(graph, Json{{"items", 7}});
    EXPECT_EQ(result.status, RunStatus::error);
    ASSERT_TRUE(result.error);
    EXPECT_EQ(result.error->reason(), "NODE_ERROR");
    EXPECT_EQ(result.error->message(), "Node 'split' failed: The channel 'items' holds no list.");
    EXPECT_EQ(result.output.at("log"), Json::array()) << "its update is dropped";
    EXPECT_EQ(run(graph, Json{{"log", "i"}}).status, RunStatus::success) << "an absent one has no items";
}

TEST(JsonGraph, AsksRoutesByTheAnswerAndHoldsSubGraphs)
{
    ThreadOf thread(from_json(R"({
        "channels": {"answer": {}, "log": {"reducer": "append"}},
        "nodes": {"ask": {"function": "ask", "config": {"question": {"text": "계속할까요?"}, "to": "answer"}},
                  "yes": {"graph": {"channels": {"log": {"reducer": "append"}},
                                    "nodes": {"w": {"function": "write", "config": {"values": {"log": "approved"}}}},
                                    "edges": [["START", "w"]]},
                          "input_map": {"log": ""}, "persistence": false},
                  "no": {"function": "write", "config": {"values": {"log": "rejected"}}}},
        "edges": [["START", "ask"]],
        "conditional_edges": [{"from": "ask", "function": "by_value", "config": {"channel": "answer"},
                               "labels": {"approve": "yes", "reject": "no"}}]})"));
    EXPECT_EQ(thread.run(log_of({})).interrupts.at(0).value.at("text"), "계속할까요?");
    EXPECT_EQ(log_text(thread.resume("approve")), "[approved]");
    ThreadOf other(thread.graph);
    other.run(log_of({}));
    EXPECT_EQ(log_text(other.resume("reject")), "[rejected]");
    ThreadOf odd(thread.graph);
    odd.run(log_of({}));
    EXPECT_EQ(reason(odd.resume("maybe")), "INVALID_DESTINATION");
}

TEST(JsonGraph, RetriesAndCommands)
{
    EXPECT_EQ(log_text(run(from_json(R"({
        "channels": {"log": {"reducer": "append"}},
        "nodes": {"flaky": {"function": "fail", "config": {"message": "down", "times": 2},
                            "retry": {"attempts": 3, "first_pause_ms": 1}},
                  "go": {"function": "go", "config": {"to": ["end"], "values": {"log": 1}}, "destinations": ["end"]},
                  "end": {"function": "write", "config": {"values": {"log": 2}}}},
        "edges": [["START", "flaky"], ["flaky", "go"]]})"),
                           log_of({}))),
              "[1,2]");
}

TEST(JsonGraph, EveryProblemIsNamedAtOnce)
{
    const auto wrong = compile_json(Json::parse(R"({
        "channels": {"a": {"reducer": "mean"}, "b": {"reducer": "append", "initial": 3}, "c": 1},
        "nodes": {"p": {"function": "nothing"}, "q": {"function": "write", "config": {}},
                  "f": {"function": "fail", "config": {"message": "m", "times": "two"}},
                  "g": {"function": "copy", "config": {"to": "b", "from": 5}},
                  "h": {"function": "wait", "config": {"milliseconds": 1, "seconds": 1}},
                  "r": {"function": "copy", "config": {"to": "b"}, "retry": {"attempts": -1}, "defer": 1, "colour": "red"},
                  "s": {"graph": {"nodes": {"t": 7}}, "function": "write"},
                  "u": {"function": "write", "config": {"values": {}}, "persistence": true},
                  "v": {"graph": {"nodes": {}}, "persistence": "nonsense"}},
        "edges": [["p"], [["p", 2], "q"]],
        "conditional_edges": [{"from": "p", "function": "dice"}, {"from": "p", "function": "each", "config": {}},
                              {"from": "p", "function": "always", "config": {"to": "q", "node": "q"}}],
        "output": [1], "extra": true})"),
                                    standard_functions());
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().reason(), "INVALID_GRAPH");
    for (const auto* place : {"channels.a.reducer",
                              "channels.b.initial",
                              "channels.c must",
                              "nodes.p.function",
                              "nodes.q.config",
                              "nodes.f.config",
                              "nodes.g.config",
                              "nodes.h.config has the unknown key seconds",
                              "nodes.r.retry.attempts",
                              "nodes.r.defer",
                              "nodes.r.colour",
                              "nodes.s.graph.nodes.t",
                              "nodes.s.function",
                              "nodes.u.persistence",
                              "nodes.v.persistence",
                              "edges[0]",
                              "edges[1]",
                              "conditional_edges[0].function",
                              "conditional_edges[1].config",
                              "conditional_edges[2].config has the unknown key node",
                              "output must hold",
                              "extra is no key"})
        EXPECT_NE(wrong.error().message().find(place), std::string::npos) << place << " in " << wrong.error().message();
    EXPECT_FALSE(compile_json(Json(3), standard_functions()));
}

TEST(JsonGraph, WhatTheBuilderFindsIsSaidOnceWithItsPlace)
{
    const auto said = [](const char* text) {
        const auto wrong = compile_json(Json::parse(text), standard_functions());
        return wrong ? std::string() : wrong.error().message();
    };
    EXPECT_EQ(said(R"({"nodes": {"p": {"function": "write", "config": {"values": {}}}}})"),
              "The graph is not valid: the graph has no entry.");
    EXPECT_EQ(said(R"({"nodes": {"s": {"graph": {"nodes": {}}}}, "edges": [["START", "s"]]})"),
              "The graph is not valid: nodes.s.graph the graph has no entry.");
    EXPECT_EQ(said(R"({"channels": {"a": {}},
                       "nodes": {"s": {"graph": {"channels": {"b": {}}, "edges": [["START", "t"]],
                                                 "nodes": {"t": {"function": "write", "config": {"values": {}}}}},
                                       "input_map": {"a": "a", "b": "c"}, "output_map": {"a": "a", "b": "b"}}},
                       "edges": [["START", "s"]]})"),
              "The graph is not valid: the input map of node 's' names the unknown channel 'a' of its sub-graph; "
              "the input map of node 's' names the unknown channel 'c'; "
              "the output map of node 's' names the unknown channel 'a' of its sub-graph; "
              "the output map of node 's' names the unknown channel 'b'.");
    for (const std::string mark : {"__interrupt__", "__metadata__", "START", "a|b"})
        EXPECT_NE(said((R"({"nodes": {")" + mark + R"(": {"function": "write", "config": {"values": {}}}}})").c_str())
                      .find("'" + mark + "' is a reserved name"),
                  std::string::npos);
    EXPECT_EQ(said("3"), "The graph is not valid: it must be an object.");
}

}  // namespace
}  // namespace dure::graph
