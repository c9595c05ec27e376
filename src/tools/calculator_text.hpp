// Normalisation of expressions before they are parsed; see calculator_text.cpp.
#pragma once

#include <string>
#include <string_view>

#include "dure/base/error.hpp"

namespace dure::tools {

// ASCII only; an error names the character that has no meaning.
Result<std::string> normalize_expression(std::string_view text);

}  // namespace dure::tools
