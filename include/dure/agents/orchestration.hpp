// Teams of agents as graphs (product G4). A team compiles to a graph::CompiledGraph:
//   sequential    w1 → w2 → … → finish                       each gets the last one's text
//   parallel      all at once → finish                       the results are merged
//   hierarchical  supervisor ⇄ one worker … → finish         a supervisor picks a worker per round until it finishes
//   adaptive      supervisor ⇄ workers … → finish            it also chooses between one after another and at once
// Input of the graph: {"task": text}. Channels of its end: "answer" (text), "results" [{worker, text | error}] in the
// order they came, "rounds" (decisions of the supervisor). Each node is told to the sink as progress, its name is the worker's.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dure/agents/agent.hpp"
#include "dure/agents/calls.hpp"
#include "dure/graph/graph.hpp"

namespace dure::agents {

enum class Pattern { sequential, parallel, hierarchical, adaptive };
// Who decides. llm_based: the supervisor's model; an answer it cannot mend is decided by rule. rule_based: the workers whose
// name and description share most with the task, each at most once. round_robin: every worker once, in their order.
enum class DecisionStrategy { llm_based, rule_based, round_robin };

std::optional<Pattern> pattern_named(std::string_view name);
std::optional<DecisionStrategy> decision_strategy_named(std::string_view name);

struct Worker {
    std::string name;  // unique in the team, 1 to 64 bytes; not "supervisor" or "finish"
    std::string description;  // what it is good at: read by the supervisor
    std::string instructions;  // its system prompt
    std::string model;  // empty: the agent's configured one
    std::vector<std::string> tools;  // names of the server's tools it may call
    std::optional<double> temperature;
    std::optional<std::int64_t> max_tokens;
    std::optional<std::int64_t> max_iterations = {};  // rounds of tool calls; empty: the agent's configured ones
    OrderedJson extra = {};  // further fields of its model calls in OpenAI form, or null
    std::vector<model::ToolDefinition> definitions = {};  // offered beside `tools`: whoever gives them has checked them
};

struct Supervisor {
    bool enabled = true;  // false: decisions by rule, results joined without a model
    std::string model;  // empty: the agent's configured one
    std::string instructions;
    std::int64_t max_iterations = 10;  // 1 to 100 rounds
    DecisionStrategy decision_strategy = DecisionStrategy::llm_based;
    // Of the call that writes the final answer.
    std::optional<double> temperature = {};
    std::optional<std::int64_t> max_tokens = {};
    OrderedJson extra = {};
};

struct Team {
    Pattern pattern = Pattern::sequential;
    std::vector<Worker> workers;  // 1 to 32
    Supervisor supervisor;
};

// What a run of a team left.
struct TeamOutcome {
    std::string answer;
    Json results = Json::array();  // [{worker, text | error}] in the order they came
    std::int64_t rounds = 0;  // decisions of the supervisor
};

class Teller;

// What one run has of its own; what it points to outlives the run. Used by one run, on one core; calls of `sink` come one at
// a time although workers run side by side.
class TeamRun {
public:
    // `calls` null: models and tools are called directly.
    TeamRun(const llm::CallContext& call, const tools::Caller& caller, model::AnswerSink& sink, AgentRecord& record,
            Calls* calls = nullptr);
    ~TeamRun();
    TeamRun(const TeamRun&) = delete;
    TeamRun& operator=(const TeamRun&) = delete;

    const llm::CallContext& call;
    const tools::Caller& caller;
    model::AnswerSink& sink;
    AgentRecord& record;  // path: the nodes as they ran; tools_used, usage, the final text
    Calls* const calls;
    Teller& teller() { return *teller_; }

private:
    std::unique_ptr<Teller> teller_;
};

// Thread-safe. Compiled teams outlive it, but not the gateway, the registry and the logger.
class Orchestrator {
public:
    // How nodes find their TeamRun when the graph runs inside another graph; by default it is the run's context.
    using FindRun = std::function<TeamRun&(graph::NodeContext&)>;

    Orchestrator(llm::Gateway& gateway, tools::Registry& tools, Logger& logger, const config::Agent& settings);
    ~Orchestrator();

    // invalid_argument with the wrong field as param ("workers[1].name").
    Result<graph::CompiledGraph> compile(const Team& team, FindRun find_run = {}) const;

    // Supersteps that a run of the team can need, for RunOptions::recursion_limit.
    static std::int64_t supersteps_of(const Team& team);

    // One run from task to answer. A worker's failure ends a sequential run; elsewhere the others go on, and the run fails
    // with upstream_failed only when nobody has a result.
    Task<Result<void>> run(const Team& team, const std::string& task, TeamRun& run, TeamOutcome* outcome = nullptr) const;

    struct State;  // of the module's own

private:
    std::shared_ptr<const State> state_;
};

}  // namespace dure::agents
