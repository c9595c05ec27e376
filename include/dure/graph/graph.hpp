// StateGraph: declare channels, nodes and edges, compile once, run many times at once. Reads like LangGraph:
//     StateGraph graph;
//     graph.add_channel("log", reducers::append()).add_node("p", p).add_edge(start, "p").add_edge("p", end);
//     const auto compiled = graph.compile();
//     co_await compiled->run(input, options, result);
// A run goes in supersteps: plan (src/graph/algorithm) → run the tasks (runner) → fold their updates → tell (loop).
#pragma once

#include <any>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dure/base/clock.hpp"
#include "dure/base/error.hpp"
#include "dure/base/task.hpp"
#include "dure/graph/events.hpp"
#include "dure/graph/node.hpp"
#include "dure/graph/reducer.hpp"
#include "dure/graph/state.hpp"

namespace dure::graph {

struct Definition;

struct RunOptions {
    std::int64_t recursion_limit = 25;         // P6
    std::size_t max_concurrency = 0;           // P5; 0: no bound
    Deadline deadline = Deadline::never();     // of the whole run: RUN_TIMEOUT
    EventSink* events = nullptr;
    std::any context;                          // a T*, read back by NodeContext::context<T>()
};

enum class RunStatus { pending, running, success, error, timeout, cancelled };
std::string_view name_of(RunStatus status);

struct NodeFailure {
    NodeFailure(std::string which, Error why) : node(std::move(which)), cause(std::move(why)) {}
    std::string node;
    Error cause;
};

// Filled while the run goes, so that a cancelled run leaves what it had.
struct RunResult {
    RunStatus status = RunStatus::pending;
    State state;                               // after the last whole superstep
    Json output;                               // the state's output channels
    std::vector<std::string> next;             // nodes that would have run next; empty after success
    std::int64_t supersteps = 0;
    std::optional<Error> error;                // its reason() is a code of graph-semantics §14
    std::vector<NodeFailure> failures;         // of NODE_ERROR, in P1 order
    std::vector<std::string> warnings;         // S6, once per node and key
};

// Immutable; cheap to copy; any number of runs at once, from any core.
class CompiledGraph {
public:
    explicit CompiledGraph(std::shared_ptr<const Definition> definition) : definition_(std::move(definition)) {}

    // Fails only by cancellation of the awaiting coroutine (operation_aborted); everything else is in `into`.
    Task<void> run(Json input, const RunOptions& options, RunResult& into) const;

    std::vector<std::string> nodes() const;

private:
    std::shared_ptr<const Definition> definition_;
};

struct NodeOptions {
    bool defer = false;                        // E3
    std::vector<std::string> destinations;     // nodes its Commands may name; makes them reachable for compile()
};

struct CompileOptions {
    std::vector<std::string> input;            // channels an input may write; empty: all (S7)
    std::vector<std::string> output;           // channels of RunResult::output; empty: all
};

// Labels that are the names of their nodes: add_conditional_edges("a", route, targets({"b", "c", end})).
std::map<std::string, std::string> targets(std::initializer_list<std::string_view> nodes);

// A builder: mistakes are gathered and all named by compile() (E7).
class StateGraph {
public:
    StateGraph();
    ~StateGraph();
    StateGraph(const StateGraph&) = delete;
    StateGraph& operator=(const StateGraph&) = delete;

    StateGraph& add_channel(std::string name, Reducer reducer = reducers::last());
    StateGraph& add_channel(std::string name, Reducer reducer, Json initial);
    StateGraph& add_node(std::string name, NodeFunction function, NodeOptions options = NodeOptions());
    StateGraph& add_edge(std::string_view from, std::string_view to);
    // Waiting edge (E2): `to` runs once after each of `from` has finished.
    StateGraph& add_edge(std::initializer_list<std::string_view> from, std::string_view to);
    StateGraph& add_edge(std::vector<std::string> from, std::string_view to);
    // Without labels the route may name any node; with them it returns labels.
    StateGraph& add_conditional_edges(std::string_view from, RouteFunction route);
    StateGraph& add_conditional_edges(std::string_view from, RouteFunction route,
                                      std::map<std::string, std::string> labels);

    // Error INVALID_GRAPH naming everything that is wrong.
    Result<CompiledGraph> compile(const CompileOptions& options = CompileOptions()) const;

private:
    struct Draft;
    std::unique_ptr<Draft> draft_;
};

}  // namespace dure::graph
