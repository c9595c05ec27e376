// A graph written as JSON, and the functions it may name. docs/graph.md shows the form:
//   {"channels": {"log": {"reducer": "append", "initial": []}, "n": {}},
//    "nodes": {"p": {"function": "write", "config": {…}, "defer": false, "input": [], "destinations": [], "tags": [],
//                    "retry": {"attempts": 3, "first_pause_ms": 500, "factor": 2, "longest_pause_ms": 128000},
//                    "timeout_ms": 0, "idle_timeout_ms": 0},
//              "s": {"graph": {…}, "persistence": "inherit", "input_map": {}, "output_map": {}}},
//    "edges": [["START", "p"], [["a", "b"], "c"], ["c", "END"]],
//    "conditional_edges": [{"from": "p", "function": "by_value", "config": {…}, "labels": {"yes": "q", "no": "END"}}],
//    "input": [], "output": [], "interrupt_before": [], "interrupt_after": []}
// A sub-graph's persistence is inherit, own (or true) or none (or false): graph-semantics G3. "" in a map gives nothing.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "dure/graph/graph.hpp"

namespace dure::graph {

// Named functions, made once per node from its config. A factory's error names what is wrong with the config.
class FunctionRegistry {
public:
    using NodeFactory = std::function<Result<NodeFunction>(const Json& config)>;
    using RouteFactory = std::function<Result<RouteFunction>(const Json& config)>;

    FunctionRegistry& add_node(std::string name, NodeFactory factory);
    FunctionRegistry& add_route(std::string name, RouteFactory factory);
    const NodeFactory* node(const std::string& name) const;
    const RouteFactory* route(const std::string& name) const;

private:
    std::map<std::string, NodeFactory> nodes_;
    std::map<std::string, RouteFactory> routes_;
};

// Functions that need nothing but the state. Nodes:
//   write {values}               writes the values
//   copy {from, to}              writes channel `to` with the value of `from`, or with the argument of its Send without `from`
//   ask {question, to}           asks a person and writes the answer
//   wait {milliseconds}          waits, at most an hour
//   fail {message, times?}       fails, the first `times` attempts only when given
//   go {to, values?}             a Command to a node or a list of them
// Routes:
//   by_value {channel}           the channel's value as text is the label; an absent one "absent"
//   each {channel, node}         a Send to the node for each item of the channel's list; nothing for an absent one, any other value is an error
//   always {to}                  one node or a list
FunctionRegistry standard_functions();

// INVALID_GRAPH naming everything that is wrong, with its place.
Result<CompiledGraph> compile_json(const Json& document, const FunctionRegistry& functions);

}  // namespace dure::graph
