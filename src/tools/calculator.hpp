// The arithmetic of the calculator tool: text in, number out. No names but the fixed lists in calculator.cpp, doubles
// only, every size bounded (threat model: 1,000 characters, depth 64, factorial up to 170).
#pragma once

#include <string>
#include <string_view>

#include "dure/base/error.hpp"

namespace dure::tools {

inline constexpr std::size_t longest_expression = 1000;   // characters; bounds the number of operations too
inline constexpr int deepest_expression = 64;

// The error's message tells a model what to correct.
Result<double> evaluate(std::string_view expression);

}  // namespace dure::tools
