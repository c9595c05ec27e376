// What a person wants, by rule: a calculation, the weather, or neither; and which offered tool fits.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "dure/model/chat.hpp"

namespace dure::llm::mock {

enum class Want { nothing, calculation, weather };

struct Intent {
    Want want = Want::nothing;
    std::string subject;      // the expression, or the place
};

Intent read_intent(std::string_view question);
// Null when no tool fits.
const model::ToolDefinition* fitting_tool(const std::vector<model::ToolDefinition>& tools, Want want);
// Arguments for the tool out of its schema: the subject stands in its main string property.
std::string tool_arguments(const model::ToolDefinition& tool, const Intent& intent, std::string_view question);

}  // namespace dure::llm::mock
