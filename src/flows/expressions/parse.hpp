// From the text between {{ and }} to an Expression, and what the closed lists of roots and filters hold.
#pragma once

#include "dure/flows/expression.hpp"

namespace dure::flows {

// Errors: invalid_argument, reason "expression_syntax", "expression_unknown", or "secret_misplaced" (a filter no secret takes).
Result<Expression> parse_expression(std::string_view text, const Template::Limits& limits);
Error syntax_error(std::string message);

struct FilterRule {
    std::string_view name;
    FilterKind kind;
    std::size_t fewest, most;  // arguments
};
const FilterRule* find_filter(std::string_view name);
// Roots that are values themselves have no names behind them.
bool names_something(Root root);

}  // namespace dure::flows
