// The closed list of filters: one value in, one out. A value a filter cannot work on is an error, never a guess.
#pragma once

#include <optional>

#include "dure/flows/expression.hpp"

namespace dure::flows {

// `value` empty: the path led nowhere; only `default` makes something of that, every other filter passes it on.
Result<std::optional<Json>> apply_filter(const Filter& filter, std::optional<Json> value, std::size_t result_bytes,
                                         EvaluationWork& work);
Error filter_result_too_large(std::size_t bytes);

}  // namespace dure::flows
