// Flows under /api/agent-builder: list, get, create, update, delete, validate, save by name; versions, diff, restore, publish
// (versions.cpp). Running them: ../executions.
#pragma once

#include <optional>

#include "api/routes.hpp"
#include "dure/flows/document.hpp"

namespace dure::api {

// `type`: the routes of one type of flow; nullopt: /flows, which has both.
Handler list_flows(const ApiParts& parts, std::optional<flows::FlowType> type);
Handler create_flow(const ApiParts& parts, flows::FlowType type);
Handler get_flow(const ApiParts& parts, std::optional<flows::FlowType> type);
Handler update_flow(const ApiParts& parts, std::optional<flows::FlowType> type);
Handler delete_flow(const ApiParts& parts, std::optional<flows::FlowType> type);
Handler validate_flow(const ApiParts& parts);
Handler save_flow(const ApiParts& parts);

Handler list_flow_versions(const ApiParts& parts);
Handler get_flow_version(const ApiParts& parts);
Handler diff_flow_versions(const ApiParts& parts);
Handler restore_flow_version(const ApiParts& parts);
Handler publish_flow(const ApiParts& parts);
Handler unpublish_flow(const ApiParts& parts);

}  // namespace dure::api
