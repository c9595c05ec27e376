// What the handlers of flows share: who asks, the text of a body, the forms of answers.
#pragma once

#include "api/context.hpp"
#include "dure/flows/service.hpp"

namespace dure::api {

flows::Caller flow_owner(const RequestContext& context);
// If-Match of the request, and the type the route is for.
flows::ChangeOptions change_options(const RequestContext& context, std::optional<flows::FlowType> type = {});

// A flow without its document.
OrderedJson flow_entry(const flows::FlowRecord& flow);
// The document with what the server knows of the flow in front of it. The document's text is not parsed again.
std::string flow_text(const flows::Flow& flow, const flows::Problems* warnings);

// The flow (with ETag, and Location where the route makes one), 412 with the current ETag, or 422 with every problem.
Task<Result<void>> answer_change(RequestContext& context, int status, const flows::Change& change,
                                 QueryParameters headers = {});
// The two refusals; false: the change was made.
Task<Result<bool>> answer_refusal(RequestContext& context, const flows::Change& change);

// A number in the path, e.g. of a version.
Result<std::int64_t> path_number(const RequestContext& context, const char* name);

}  // namespace dure::api
