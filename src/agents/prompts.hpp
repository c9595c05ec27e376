// The compiled-in prompts, which the build makes from config/prompts (module.cmake); how they are used: dure/agents/prompts.hpp.
#pragma once

#include <string_view>
#include <vector>

#include "dure/agents/prompts.hpp"

namespace dure::agents {

struct BuiltinPrompt {
    std::string_view name;   // "ko/router"
    std::string_view text;
};
const std::vector<BuiltinPrompt>& builtin_prompts();

}  // namespace dure::agents
