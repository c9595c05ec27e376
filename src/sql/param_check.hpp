// What may be bound, the same for every driver: only what each of them can keep.
#pragma once

#include "dure/sql/value.hpp"

namespace dure::sql {

Result<void> check_text_or_real(const Param::Value& value);

// invalid_argument: a text with U+0000, invalid UTF-8 or of more than 64 MiB; a number that is not finite.
inline Result<void> check_param(const Param::Value& value)
{
    if (std::holds_alternative<std::int64_t>(value) || std::holds_alternative<std::nullptr_t>(value))
        return {};
    return check_text_or_real(value);
}

}  // namespace dure::sql
