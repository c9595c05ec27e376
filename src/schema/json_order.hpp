// JSON values compared as JSON Schema does: numbers by what they are worth, 64-bit integers exactly. (As doubles 2^53 and its
// neighbour are equal, and the library's own == takes 18446744073709551615 for -1.)
#pragma once

#include <compare>

#include "dure/base/json.hpp"

namespace dure::schema {

// A number without a fraction that 64 bits hold, as an integer; any other value as it is.
Json whole_if_possible(const Json& value);

// NaN, which JSON cannot say, stands behind all other numbers: sorting needs a place for everything.
std::weak_ordering compare_numbers(const Json& a, const Json& b);

// Of any two values; equivalent when they are equal.
std::weak_ordering compare_values(const Json& a, const Json& b);

// Both integers, `step` above 0.
bool divides(const Json& step, const Json& number);

}  // namespace dure::schema
