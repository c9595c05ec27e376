// GET /api/events/aggregate/{id}, GET /api/events/replay/{id}, GET /api/events/audit, GET /api/events/stream
#pragma once

#include "api/routes.hpp"
#include "dure/events/service.hpp"

namespace dure::api {

Handler get_aggregate_events(const ApiParts& parts);
Handler replay_aggregate(const ApiParts& parts);
Handler audit_events(const ApiParts& parts);
Handler stream_events(const ApiParts& parts);

events::Reader event_reader(const RequestContext& context);
// A key bound to models sees of its owner only the executions of the flows it opens, unless it has events:read: not_found, and
// permission_denied where `aggregate_id` is empty (everything is asked for).
Task<Result<void>> check_bound_reader(const ApiParts& parts, const RequestContext& context,
                                      const std::string& aggregate_id);
OrderedJson event_json(const model::Event& event);

}  // namespace dure::api
