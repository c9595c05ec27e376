// The events of an execution: what each one carries. Their data have the members of the API's form; a replay sets them one by
// one, and puts a step's into `steps` (events/replay.hpp), so that it gives what GET /api/executions/{id} gave.
#pragma once

#include "dure/events/journal.hpp"
#include "dure/executions/execution.hpp"
#include "executions/execution_rows.hpp"

namespace dure::executions {

store::NewEvent execution_started(const Execution& execution, const model::Actor& by);
// As ExecutionStarted, with the steps it took over; the patch is metadata.
store::NewEvent execution_forked(const Execution& execution, const std::vector<Step>& steps, const Json& patch,
                                 const model::Actor& by);
// ExecutionBegan: a worker has it; started_at: when the first one had.
store::NewEvent execution_began(const std::string& id, const std::string& owner, UnixMillis started_at, UnixMillis now);
// ExecutionStepCompleted, ExecutionStepFailed, ExecutionStepSkipped, ExecutionStepWaiting, ExecutionStepCancelled.
// `step` as to_json() gives it.
store::NewEvent step_ended(const std::string& id, const std::string& owner, std::string status, Json step);
store::NewEvent step_ended(const std::string& id, const std::string& owner, Step step);
// ExecutionCompleted, ExecutionFailed, ExecutionCancelled, ExecutionWaiting; ExecutionParked: back in the queue.
store::NewEvent execution_left(const Execution& execution, const Outcome& outcome, UnixMillis now,
                               const model::Actor& by);
// ExecutionCancelRequested: changes nothing yet; its worker is told, and ends it.
store::NewEvent execution_cancel_requested(const Execution& execution, const model::Actor& by);
// ExecutionResumed (the answer is metadata), ExecutionRetried.
store::NewEvent execution_queued(const Execution& execution, std::string type, Json answered, const model::Actor& by);

// ExecutionWebhookFailed: nobody took one of its ends; why is metadata.
store::NewEvent execution_webhook_failed(const Execution& execution, const std::string& cause);

// The same event for the same cause, so that a repeated write stores it once.
std::string event_id_for(UnixMillis created_at, const std::string& cause);

}  // namespace dure::executions
