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
OrderedJson event_json(const model::Event& event);

}  // namespace dure::api
