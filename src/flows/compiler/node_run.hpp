// NodeRun: one execution of a node of a flow: what comes in, its config evaluated, its kind done, its edges decided.
#pragma once

#include "flows/compiler/decisions.hpp"
#include "flows/compiler/run_scope.hpp"

namespace dure::flows {

// What a node gave: its output and the handles it leaves by.
struct NodeOutcome {
    Json output = Json::object();
    std::set<std::string> handles{"out"};
    Json values = Json::object();   // of further channels
};

// Tells the run of a value that is stored for it; an error: it holds too much.
Result<void> held_by(FlowRun& run, const Json& value);

class NodeRun {
public:
    NodeRun(const Stage& stage, std::size_t place, graph::NodeContext& context);
    Task<Result<graph::Update>> run();

private:
    Task<Result<graph::Update>> attempt();
    Task<void> count_spending(graph::Update& update);
    Result<void> hold(const Json& value) const { return held_by(run_, value); }
    Task<Result<void>> prepare();
    Task<Result<void>> look_for_crash();
    Task<Result<bool>> begins(std::string mark);
    Task<Result<bool>> ask_after_crash(std::string time, int& asked);
    Task<Result<NodeOutcome>> outcome();
    Task<Result<NodeOutcome>> ask_world();
    Task<Result<NodeOutcome>> ask_person();
    Task<Result<NodeOutcome>> reply();
    Task<Result<Json>> whole_config();
    // These look at values only.
    Result<NodeOutcome> shape();
    Result<NodeOutcome> choose_case();
    Result<NodeOutcome> merge_branches();
    Result<NodeOutcome> set_values();
    Result<Json> evaluated(const ConfigTemplate& config) const;
    Result<Json> attached() const;
    Result<Json> attached_list(const std::vector<AttachedNode>& list) const;

    const Stage& stage_;
    const PlannedNode& planned_;
    const std::size_t place_;
    graph::NodeContext& context_;
    FlowRun& run_;
    const std::shared_ptr<OpenTask> task_;
    const std::shared_ptr<const Json> kept_input_;
    const Json& input_;
    RunScope scope_;
};

// The update of a node that has an outcome: its output, its step, what follows.
graph::Update finished(const Stage& stage, std::size_t place, NodeOutcome outcome, Json step);
// The record of a step under step_channel. `error` null: it succeeded. `usage` null: no model was asked.
Json step_record(const PlannedNode& planned, const Json& input, const Json& output, UnixMillis began, UnixMillis now,
                 int attempts, const Json& error, const Json& usage = Json());
// What a node gives may be nested so deep: each value is copied and written level by level. invalid_argument "value_too_deep".
inline constexpr std::size_t deepest_value = 128;
Result<graph::Update> within_depth(Result<graph::Update> update);

Json told_error(const Error& error, int attempts);

graph::NodeFunction node_of(std::shared_ptr<const Stage> stage, std::size_t place);
// What the policy says when a node has failed for good; empty: the run fails (§7).
graph::ErrorHandler error_handler_of(std::shared_ptr<const Stage> stage, std::size_t place);
// The outcome a policy gives in place of a failed node's.
NodeOutcome outcome_of_failure(const PlannedNode& planned, const Json& error);

}  // namespace dure::flows
