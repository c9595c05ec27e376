// What single fields of a config may say. Asked twice: of what is written, when a flow is saved, and of what was computed, when
// its node runs.
#pragma once

#include <string_view>

#include "dure/base/json.hpp"

namespace dure::flows {

// `expect_status` of an http node, one of it: 200, "2xx", "200-299", "any".
bool is_expected_status(const Json& value);
inline constexpr const char* expected_status_forms =
    "must be a status (200), a class (\"2xx\"), a range (\"200-299\"), \"any\" or a list of them";

// Not those that the connection itself decides, nor cookies.
bool is_header_of_flows(std::string_view name);

// http or https.
bool is_web_address(std::string_view text);

// A web address, or the image itself as data:image/….
bool is_image_address(std::string_view text);

// Of an agent; empty is the loop of model and tools too.
bool is_agent_strategy(std::string_view word);
inline constexpr const char* agent_strategies = "must be one of: chat, graph, function_calling, react, simple";

}  // namespace dure::flows
