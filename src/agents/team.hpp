// What the nodes of a compiled team share, and the channels of its state beside task, results, rounds and answer:
//   queue     assignments that wait for their turn, one after another: [{worker, instruction}]
//   at_once   assignments of this round that run side by side
//   finished  the supervisor wants no more work
#pragma once

#include <string>
#include <vector>

#include "dure/agents/work.hpp"
#include "dure/agents/orchestration.hpp"

namespace dure::agents {

struct Orchestrator::State {
    State(llm::Gateway& models, tools::Registry& registered, Logger& log, const config::Agent& configured)
        : gateway(models), registry(registered), calls(models, registered), logger(log), settings(configured),
          prompts(configured.prompts, log)
    {}
    llm::Gateway& gateway;
    tools::Registry& registry;
    mutable DirectCalls calls;
    Logger& logger;
    const config::Agent settings;
    const Prompts prompts;
};

struct TeamPlan {
    std::shared_ptr<const Orchestrator::State> services;
    Team team;
    Orchestrator::FindRun find_run;

    std::string model_or_default(const std::string& model) const;
    Workshop workshop(TeamRun& run, const graph::State& state) const;
};

struct Assignment {
    std::string worker;
    std::string instruction;
};

struct Round {
    bool finish = false;
    bool at_once = false;
    std::vector<Assignment> steps;
};

// The supervisor's next round, by the team's decision strategy; it finishes when its rounds are used up.
Task<Result<Round>> decide_round(const TeamPlan& plan, Workshop& shop, const graph::State& state);

// Results in the form that workers and supervisors read; only the last one when `last_only`.
std::string results_text(const Json& results, bool last_only);
// The user message with task, part and results.
std::string assignment_text(const Workshop& shop, const graph::State& state, const std::string& instruction,
                            const std::string& results);

}  // namespace dure::agents
