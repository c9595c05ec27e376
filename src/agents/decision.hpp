// What a router said, read with the patience that models need: {"action", "selected_tool", "arguments", "reasoning"}.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "dure/base/json.hpp"

namespace dure::agents {

struct Decision {
    std::string action;      // execute_tool, direct_response, need_more_info, END
    std::string tool;        // of execute_tool: one of the offered names
    std::string arguments;   // JSON text of an object; empty: the model gave none
    std::string reasoning;
};

// Why an answer is no decision, in words for the model.
struct Misunderstood {
    std::string problem;
};

// Takes spellings that leave no doubt ("Execute-Tool", "functions.calculator", a tool's name as the action, a name with a
// slip of the pen that only one tool is near to, arguments as a string of JSON); anything else is Misunderstood.
std::variant<Decision, Misunderstood> read_decision(std::string_view text, const std::vector<std::string>& tools);

// The one offered name that is meant; nothing when none is, or several may be.
std::optional<std::string> nearest_tool(std::string_view name, const std::vector<std::string>& tools);

}  // namespace dure::agents
