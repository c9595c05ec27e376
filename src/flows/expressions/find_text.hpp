// Finds a text in another in linear time: std::string::find takes the product of both lengths for what a caller may choose.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace dure::flows {

// From `from` on, which is not behind the end; npos: not there.
std::size_t find_text(std::string_view text, std::string_view part, std::size_t from = 0);

}  // namespace dure::flows
