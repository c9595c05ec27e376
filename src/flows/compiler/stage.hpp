// Stage: what the compiler knows of one graph: the flow itself, the body of a loop or an iteration, a sub-flow. Made once by
// plan.cpp, shared by the node functions of all runs; immutable.
//
// How a drawing becomes a graph. A node X is the graph's node "n.X"; its output lies in the channel "n.X". A node finishes by
// deciding its edges (decisions.hpp): a target with one edge is started at once, or is skipped with all that hangs on it; a
// target with several has the gate "g.X", which looks at the channel "e" whenever one of its edges was decided, and starts it
// when all are (§6). A container is "n.X" (its beginning), the sub-graph "b.X" (its body) and the driver "d.X" between rounds.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dure/flows/compiler.hpp"
#include "dure/flows/condition.hpp"
#include "dure/flows/drawing.hpp"
#include "flows/compiler/config_template.hpp"

namespace dure::flows {

struct Stage;

// Of a node that a crash had cut and that may not run again.
inline constexpr std::string_view crash_reason = "on_crash";

struct PlannedEdge {
    std::size_t source = 0, target = 0;  // places in Stage::nodes
    std::string handle;
    std::string key;  // in the channel "e"
};

// A node that hangs on another one by a dashed edge and never runs by itself.
struct AttachedNode {
    std::string id, label;
    ConfigTemplate config;
    std::vector<AttachedNode> tools;  // of a worker
};

struct PlannedPolicy {
    enum class OnError { fail, branch, use_default, go_on };
    enum class OnCrash { retry, wait, fail };
    std::chrono::milliseconds timeout{0};
    std::optional<graph::RetryPolicy> retry;
    OnError on_error = OnError::fail;
    Json default_output;
    OnCrash on_crash = OnCrash::retry;
};

struct PlannedCase {
    std::string id;
    ConditionGroup holds;
};

struct PlannedOperation {
    std::string root, name;  // state.x, session.x, loop.x
    std::string op;
    ConfigTemplate value;
};

struct PlannedNode {
    Node node;
    std::string told_id;  // as steps name it: with the sub-flows around it, "outer/inner"
    std::string main_output;
    std::string cases_handle;  // output that names the handle it leaves by (router); empty: out
    std::vector<std::size_t> incoming, outgoing;  // places in Stage::edges, in the document's order
    std::vector<std::string> handles;
    ConfigTemplate config;
    bool asks_now = false;
    PlannedPolicy policy;
    std::vector<AttachedNode> tools, workers;
    std::vector<PlannedCase> cases;
    std::vector<PlannedOperation> operations;
    std::shared_ptr<const Stage> body;  // of a container, or the sub-flow
};

struct StateVariable {
    std::string name;
    std::string reducer;  // last, append, add, merge
    bool session = false;
    std::optional<Json> initial;
};

struct Stage {
    enum class Kind { flow, subflow, iteration, loop };
    Kind kind = Kind::flow;
    std::string prefix;  // of told_id
    std::vector<PlannedNode> nodes;
    std::map<std::string, std::size_t, std::less<>> places;  // by id
    std::vector<PlannedEdge> edges;
    std::vector<std::size_t> entries;  // start with the stage
    std::vector<StateVariable> state;
    std::vector<std::string> variables;  // of a loop
    // Of a body: what is read inside of nodes around it and of the start, and the state that is read or set. A round is
    // given only this: what it is given is stored with it, and a flow's inputs may be long.
    PartsRead outer, start_read;
    std::set<std::string> state_used;
    std::optional<ConditionGroup> until;  // of a loop, after each round
    std::optional<ConfigTemplate> result;  // of an iteration, after each item
    Json inputs;  // of a sub-flow: what the document declares

    const PlannedNode* find(std::string_view id) const
    {
        const auto found = places.find(id);
        return found == places.end() ? nullptr : &nodes[found->second];
    }
    const StateVariable* find_state(std::string_view name, bool session) const;
    bool is_body() const { return kind == Kind::iteration || kind == Kind::loop; }
};

// The engine forbids ':' in names, and ours have no '~'.
std::string graph_name(char sort, std::string_view id);
std::string id_of_graph_name(std::string_view name);  // of a name with its sort

// Plans a stage and those below. `depth`: of sub-flows.
Result<std::shared_ptr<const Stage>> plan_flow(const Document& document, const SubflowSource& subflows,
                                               std::string prefix, int depth);
// The graph of a stage.
Result<graph::CompiledGraph> build_graph(std::shared_ptr<const Stage> stage);

}  // namespace dure::flows
