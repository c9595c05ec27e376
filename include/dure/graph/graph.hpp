// StateGraph: declare channels, nodes and edges, compile once, run many times at once. Reads like LangGraph:
//     StateGraph graph;
//     graph.add_channel("log", reducers::append()).add_node("p", p).add_edge(start, "p").add_edge("p", end);
//     const auto compiled = graph.compile();
//     co_await compiled->run(input, options, result);
// A run goes in supersteps: plan (src/graph/algorithm) → run the tasks (runner) → fold their updates → tell (loop).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dure/graph/node.hpp"
#include "dure/graph/reducer.hpp"
#include "dure/graph/run.hpp"

namespace dure::graph {

struct Definition;

struct HistoryOptions {
    std::string ns;                            // of a sub-graph
    Json metadata = Json::object();            // as HistoryQuery
    std::string before;
    std::int64_t limit = 100;
};

// Immutable; cheap to copy; any number of runs at once, from any core.
class CompiledGraph {
public:
    explicit CompiledGraph(std::shared_ptr<const Definition> definition) : definition_(std::move(definition)) {}

    // Fails only by cancellation of the awaiting coroutine (operation_aborted); everything else is in `into`.
    Task<void> run(RunInput input, const RunOptions& options, RunResult& into) const;

    // The head of the thread, with the results of finished tasks whose superstep is open (K3); a named checkpoint exactly as
    // it was written. Nothing: there is none. `subgraphs`: the states of open sub-graphs too.
    Task<Result<std::optional<StateSnapshot>>> get_state(Checkpointer& checkpointer, std::string thread,
                                                         std::string checkpoint = {}, bool subgraphs = false) const;
    // Newest first (K4).
    Task<Result<std::vector<StateSnapshot>>> history(Checkpointer& checkpointer, std::string thread,
                                                     HistoryOptions options = HistoryOptions()) const;
    // K5. Gives the id of the new checkpoint. as_node empty: the node that wrote last. Errors: AMBIGUOUS_UPDATE,
    // INVALID_UPDATE, INVALID_CONCURRENT_GRAPH_UPDATE, not_found (the checkpoint).
    Task<Result<std::string>> update_state(Checkpointer& checkpointer, std::string thread, Update values,
                                           std::string as_node = {}, std::string at = {}) const;

    std::vector<std::string> nodes() const;
    std::vector<std::string> channels() const;
    const std::string& version() const;        // of nodes, edges and channels (D11)
    std::shared_ptr<const Definition> definition() const { return definition_; }

private:
    std::shared_ptr<const Definition> definition_;
};

struct NodeOptions {
    bool defer = false;                        // E3
    // P6: false for a node that only carries a graph on. A superstep of such nodes alone does not count towards the limit: what
    // ends their circles must be their own.
    bool counts = true;
    std::vector<std::string> destinations = {};     // nodes its Commands may name; makes them reachable for compile()
    std::vector<std::string> input = {};            // channels the node sees; empty: all (S7)
    std::vector<RetryPolicy> retry = {};            // empty: the run's
    NodeTimeouts timeouts = {};
    ErrorHandler on_error = {};                     // empty: the graph's, if there is one
    std::optional<CachePolicy> cache = {};
    std::vector<std::string> tags = {};             // into the metadata of its messages
};

// What a sub-graph keeps (G3). inherit: its own state starts afresh on every execution of its node but survives interrupts,
// failures and crashes of it; own: it lasts over the runs of the thread; none: nothing is kept.
enum class Persistence { inherit, own, none };

struct SubgraphOptions : NodeOptions {
    Persistence persistence = Persistence::inherit;
    // An empty map joins the channels of the same name; "" in place of a channel gives nothing.
    std::map<std::string, std::string> input_map = {};    // the sub-graph's channel → ours
    std::map<std::string, std::string> output_map = {};   // ours → the sub-graph's channel
};

struct CompileOptions {
    std::vector<std::string> input = {};            // channels an input may write; empty: all (S7)
    std::vector<std::string> output = {};           // channels of RunResult::output; empty: all
    std::vector<std::string> interrupt_before = {}; // nodes or "*" (I1)
    std::vector<std::string> interrupt_after = {};
    ErrorHandler on_error = {};                     // of nodes without one of their own (F6)
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
    // A compiled graph as a node (G1). A shared append channel gets the sub-graph's whole list: map it when that is not meant.
    StateGraph& add_subgraph(std::string name, CompiledGraph graph, SubgraphOptions options = SubgraphOptions());
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
