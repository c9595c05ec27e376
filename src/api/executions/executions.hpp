// POST /api/agent-builder/flows/{id}/execute, GET /api/agent-builder/flows/{id}/executions,
// GET /api/executions, GET /api/executions/{id}, POST /api/executions/{id}/cancel, /resume, /retry, /fork,
// GET /api/executions/{id}/stream, GET /ws/executions/{id}, POST /ws/ticket
#pragma once

#include "api/routes.hpp"
#include "dure/executions/service.hpp"

namespace dure::api {

Handler execute_flow(const ApiParts& parts);
Handler list_flow_executions(const ApiParts& parts);
Handler list_executions(const ApiParts& parts);
Handler get_execution(const ApiParts& parts);
Handler cancel_execution(const ApiParts& parts);
Handler resume_execution(const ApiParts& parts);
Handler retry_execution(const ApiParts& parts);
Handler fork_execution(const ApiParts& parts);
Handler stream_execution(const ApiParts& parts);
Handler watch_execution(const ApiParts& parts);
Handler create_ticket(const ApiParts& parts);

// A bound key sees only executions of the flows it opens; not_found, also where the execution is not the caller's.
Task<Result<void>> check_seen(const ApiParts& parts, const RequestContext& context, const std::string& execution_id);

// The execution with its steps.
Json whole_json(const executions::Whole& whole);

// What a reader of an execution's log asked for.
struct LogRequest {
    std::string execution_id;
    std::int64_t after = 0;
    std::vector<std::string> modes;   // empty: all
};
// "updates,messages"; a problem of the query parameter `modes`.
Result<std::vector<std::string>> read_modes(const std::string& list);

// Answers with the log as server-sent events: `first` (may be null) as event "execution", then what follows, then "end".
Task<Result<void>> stream_log(const ApiParts& parts, RequestContext& context, LogRequest request, Json first);
// The last frame of a log: {id, status, output, error, waiting}.
Json end_of_log(const executions::Execution& execution);

}  // namespace dure::api
