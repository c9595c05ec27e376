// The kinds that shape data: start, prompt, template, end, and the question of human_input with its answer.
#pragma once

#include "flows/compiler/node_run.hpp"

namespace dure::flows {

// start, prompt, template, end, history, list: the output from the evaluated config.
Result<NodeOutcome> shaped(const PlannedNode& planned, const Json& config, const Json& input, const Json& start);

// What a person is asked: {kind, node_id, prompt, fields, actions, feedback, assignee, timeout_ms, deadline}.
Json question_of(const PlannedNode& planned, const Json& config, UnixMillis now);
// The outcome of an answer: {action, feedback, fields, by}, or {timeout: true}.
Result<NodeOutcome> answered(const PlannedNode& planned, const Json& answer);

}  // namespace dure::flows
