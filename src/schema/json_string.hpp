// What stands between the quotes of a JSON string, decoded. Shared by the checker (keys) and the view.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "dure/base/json_text.hpp"

namespace dure::schema {

// Value of the four hex digits at the front; empty when there are not four.
std::optional<std::uint32_t> hex4(std::string_view digits);

// Never fails: an escape that does not exist and a lone surrogate become U+FFFD.
std::string decode_json_string(std::string_view inner);

}  // namespace dure::schema
