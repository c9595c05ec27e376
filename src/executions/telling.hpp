// Telling: the events of a graph as readers of an execution see them: by the nodes of the flow, without the compiler's
// helpers and channels. The end of a task carries the steps it was, which the Recorder stores. One run, one core.
#pragma once

#include <map>
#include <unordered_map>

#include "dure/executions/execution.hpp"
#include "dure/flows/compiler.hpp"
#include "dure/graph/events.hpp"
#include "dure/runs/graph_body.hpp"

namespace dure::executions {

// The engine's code for the failure of a node, when it is not one of its own.
inline constexpr std::string_view wrapped_error = "NODE_ERROR";

class Telling {
public:
    using Told = runs::PreparedRun::Told;
    // All outlive it. `open`: of the run's FlowRun.
    Telling(const flows::CompiledFlow& flow, const Clock& clock, const flows::OpenTasks& open)
        : flow_(flow), clock_(clock), open_(open)
    {}

    std::optional<runs::PreparedRun::Told> tell(const graph::Event& event);
    // {id, node_id, value} of an open question as the engine shows it ({id, value, node, ns}).
    Json question(const Json& interrupt) const;
    // At the end of the run: nodes that were cut off, and those of rounds whose time was over.
    std::vector<Told> cancelled() const;
    // The node of the flow that failed last, unless a container around it goes on; empty: none.
    const std::string& failed_node() const { return failed_node_; }
    // {node_id, code, message}: what a node said itself when it failed, not the container around it; null: none did.
    const Json& cause() const { return cause_; }

private:
    std::optional<Told> task_started(const graph::Event& event);
    std::optional<Told> task_ended(const graph::Event& event);
    std::optional<Told> updated(const graph::Event& event) const;
    std::optional<Told> message(const graph::Event& event) const;
    struct Round {
        std::string container, task;
    };
    Round round_of(std::string_view ns) const;
    std::string container(std::string_view ns, std::string_view helper) const;
    std::optional<Step> failed_step(const graph::Event& event, const std::string& node_id, Json error);
    void note_failure(const std::string& ns, const std::string& node_id, const Json& error);
    void forget_failure_in(std::string_view ns);
    std::string task_of_container(const std::string& ns, const std::string& node_id, std::string otherwise);
    Step step_of(const Json& record, const std::string& node_id) const;
    Step plain_step(const std::string& node_id, const std::string& task, std::string status) const;

    const flows::CompiledFlow& flow_;
    const Clock& clock_;
    const flows::OpenTasks& open_;
    std::int64_t superstep_ = 0;   // of the flow itself, not of its containers
    struct Begun {
        UnixMillis at = 0;
        std::int64_t step = 0;
        std::string node_id;  // empty: of a helper
        std::int64_t attempts = 1;
    };
    std::unordered_map<std::string, Begun> started_;  // open tasks
    // Containers under way that began here: the task each began in, by its namespace and node.
    std::map<std::pair<std::string, std::string>, std::string> under_way_;
    // Of containers whose round failed at its end, by the round's task: whether it may is known when that ends.
    std::unordered_map<std::string, Step> unclosed_;
    std::string failed_node_, failed_ns_;
    Json cause_;
};

}  // namespace dure::executions
