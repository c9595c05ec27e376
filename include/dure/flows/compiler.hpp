// The compiler: a checked flow document becomes a graph (module graph). Compiled once per version, run many times at once.
//   auto flow = flows::compile_flow(document, {…});                       // Result<CompiledFlow>
//   options.context = std::any(&run);                                     // a FlowRun*, lives as long as the run
//   co_await flow->graph.run(flow_input(facts), options, result);
// Kinds that only move data (start, condition, loop, set, join …) are done here. Kinds that ask the world (llm, agent,
// supervisor, router, tool, http, extract) go through NodeServices, which the composition root hands in.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "dure/base/clock.hpp"
#include "dure/base/error.hpp"
#include "dure/base/json.hpp"
#include "dure/base/task.hpp"
#include "dure/flows/document.hpp"
#include "dure/flows/open_tasks.hpp"
#include "dure/flows/rights.hpp"
#include "dure/graph/graph.hpp"

namespace dure::flows {

// What is known of a run before its first node, and stays: the roots start, run, flow and session.id of expressions.
struct RunFacts {
    std::string execution_id;
    std::string owner;  // whose rights the run has, as far as `rights` goes
    std::optional<Rights> rights = {};  // nothing: all its owner has
    std::string user_id;       // a label (routes.md); gives no rights
    std::string session_id;    // empty: none
    std::string flow_id, slug;
    std::int64_t flow_version = 0;
    std::string message;
    Json inputs = Json::object();
    Json files = Json::array();
    Json history = Json::array();   // session.history: [{role, content}], oldest first
    std::int64_t turn = 0;          // session.turn
    Json session_state = Json::object();   // values of state with scope session, by name
    UnixMillis started_at = 0;
    std::int64_t retries = 0;  // how often a person has set it going again
};

// What a run may still use of tokens, money and model calls. One run, one core: not thread-safe.
class CallBudget {
public:
    virtual ~CallBudget() = default;
    // Before each model call: an error when a limit is reached.
    virtual Result<void> check() = 0;
    // After it: {"input_tokens", "output_tokens", "cost_usd", "model_calls"}. `call` not empty: the same call is counted once,
    // however often its kept answer is used.
    virtual void count(std::string_view call, const Json& usage) = 0;
};

// One call of a node that asks the world.
struct NodeCall {
    const Node& node;          // kind, id, policy
    const RunFacts& facts;
    Json config;               // every expression evaluated; secrets only where §4.4 allows them: never tell or log it whole
    Json input;                // main output of the edge it was started by
    Json attached;             // of agent and supervisor: {"tools": [{id, label, config}], "workers": [{id, label, config}]}
    graph::NodeContext& context;   // emit_message, step, interrupt, idempotency_key, deadline
    CallBudget* budget = nullptr;  // null: no limits
};

// Thread-safe. call() gives the output object of §3's table, with `usage {input_tokens, output_tokens, cost_usd}` where a model
// was asked; an Error is what policy (§7) works on.
class NodeServices {
public:
    virtual ~NodeServices() = default;
    virtual Task<Result<Json>> call(NodeCall call) = 0;
    // `vars.<name>` of the workspace; nothing: not set.
    virtual std::optional<Json> variable(std::string_view owner, std::string_view name) = 0;
    // `secrets.<name>`; nothing: not set.
    virtual std::optional<std::string> secret(std::string_view owner, std::string_view name) = 0;
};

// What RunOptions::context of a flow's run points to.
class Evaluations;

struct FlowRun {
    RunFacts facts;
    NodeServices* services = nullptr;
    const Clock* clock = nullptr;
    // Told of what each node reads and makes, in bytes of text: all of it is stored. An error: the run holds too much. Null: no
    // bound.
    std::function<Result<void>(std::size_t bytes)> hold = nullptr;
    OpenTasks open = {};
    Evaluations* evaluations =
        nullptr;  // for expressions over large values; null: they are evaluated where the run goes on
};

// Another flow a `subflow` node names, at the version this run is pinned to. Null: there is none.
using SubflowSource = std::function<const Document*(std::string_view flow, std::string_view version)>;

struct CompiledFlow {
    graph::CompiledGraph graph;
    // Ours for the engine's name of a node ("ns" of sub-graphs included); empty: a helper node of the compiler, not a step.
    std::function<std::string(std::string_view ns, std::string_view graph_node)> flow_node;
    std::int64_t max_steps = 500;   // recursion limit
    Json state = Json::array();   // Document::state
};

// The document has passed check_document() without errors. invalid_argument where it cannot run (unsupported nodes …).
Result<CompiledFlow> compile_flow(const Document& document, const SubflowSource& subflows);

// The helper that ends a round of a container's body: the container's result and its `until` are read there.
inline constexpr std::string_view closing_node = "h.done";
// How the names of those begin that drive a container from round to round.
inline constexpr std::string_view driver_prefix = "d.";
// And of the rounds themselves, each a run of the container's body.
inline constexpr std::string_view round_prefix = "b.";

// The node of the drawing that a node of the graph stands for or drives: "n.ask", "d.ask" -> "ask".
std::string drawn_id(std::string_view graph_node);
// What the engine says of a node or of what nodes set, with the drawing's names: "Node 'n.ask' took …" -> "Node 'ask' took …"
std::string in_drawn_words(std::string message);

// The graph's fresh input.
Json flow_input(const RunFacts& facts);
// The run's result from the graph's output: {"text", "outputs", "replies", "session_state"?, "session_changes"?}; text: what reply
// nodes said, else the last main output; session_changes: of session_channel, beside session_state.
Json flow_result(const Json& graph_output);

// The values of a checkpoint of the flow's graph with a patch {"nodes": {id: output}, "state": {name: value}} in them. `next`: what the
// graph runs from there. invalid_argument "patch_invalid": the flow has no such node or state, the state cannot hold the value, or the
// node is one of `next`, whose own output would take the place of the patch.
Result<Json> patched_values(const CompiledFlow& flow, const Json& values, const std::vector<std::string>& next,
                            const Json& patch);

// The containers of the flow itself that are under way in a checkpoint's values: the superstep each began in, by its id.
std::map<std::string, std::int64_t> containers_under_way(const CompiledFlow& flow, const Json& values);

// Whether an answer fits what a node asks: an action that is offered, required fields. Gives it as the node takes it.
// invalid_argument "answer_invalid".
Result<Json> check_answer(const Json& question, Json answer);

// The channel that tells steps: every Update of a flow node has, under this key, {"node_id", "visit", "status": "succeeded" |
// "failed" | "skipped", "input", "output", "started_at", "duration_ms", "attempts", "usage", "error"}: so a step's row is
// written with the result it describes (mode tasks, event "end"). Of a container also "step" and "task", the superstep
// and the task it began in.
inline constexpr std::string_view step_channel = "__step__";
// The channel of what a run has changed of the state of scope session: {name: {"replaced": true} | {"added": of the reducer "add" the
// sum, of "merge" the object, of "append" how many}}.
inline constexpr std::string_view session_channel = "changed";

}  // namespace dure::flows
