// What may be bound, the same for every driver: only what each of them can keep.
#pragma once

#include "dure/sql/value.hpp"

namespace dure::sql {

// invalid_argument: a text with U+0000, invalid UTF-8 or of more than 64 MiB; a number that is not finite.
Result<void> check_param(const Param::Value& value);

}  // namespace dure::sql
