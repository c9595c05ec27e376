// The value of one hexadecimal digit, and of the four of a \u escape, for parsers that go byte by byte; whole texts:
// percent_decode and hex of text.hpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace dure {

// 0 to 15, or -1.
constexpr int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

// Value of the four digits at the front; empty when there are not four.
constexpr std::optional<std::uint32_t> hex4(std::string_view digits)
{
    if (digits.size() < 4)
        return std::nullopt;
    std::uint32_t value = 0;
    for (const char c : digits.substr(0, 4)) {
        const int digit = hex_value(c);
        if (digit < 0)
            return std::nullopt;
        value = value * 16 + static_cast<std::uint32_t>(digit);
    }
    return value;
}

}  // namespace dure
