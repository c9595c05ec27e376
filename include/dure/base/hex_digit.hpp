// The value of one hexadecimal digit, for parsers that go byte by byte; whole texts: percent_decode and hex of text.hpp.
#pragma once

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

}  // namespace dure
