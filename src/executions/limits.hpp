// What an execution may use up: the flow's own `limits`, never above the server's (flow-format §1, threat-model §6).
#pragma once

#include "dure/config/settings.hpp"
#include "dure/executions/execution.hpp"
#include "dure/flows/document.hpp"

namespace dure::executions {

inline constexpr std::int64_t default_steps = 500;
inline constexpr std::int64_t most_model_calls = 200;

Limits limits_of(const flows::Document& document, const config::Flows& settings);

}  // namespace dure::executions
