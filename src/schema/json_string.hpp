// What stands between the quotes of a JSON string, decoded. Shared by the checker (keys) and the view.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "dure/base/json_text.hpp"

namespace dure::schema {

// Index of the first quote or backslash among eight bytes; 8 when there is none.
constexpr std::size_t first_quote_or_backslash(std::uint64_t word)
{
    using json_words::every_byte;
    const auto found = json_words::zero_bytes(word ^ every_byte('"')) | json_words::zero_bytes(word ^ every_byte('\\'));
    return static_cast<std::size_t>(std::countr_zero(found)) / 8;
}

// Value of the four hex digits at the front; empty when there are not four.
std::optional<std::uint32_t> hex4(std::string_view digits);

// Never fails: an escape that does not exist and a lone surrogate become U+FFFD.
std::string decode_json_string(std::string_view inner);

}  // namespace dure::schema
