// What stands between the quotes of a JSON string, decoded. Shared by the checker (keys) and the view.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dure::schema {

static_assert(std::endian::native == std::endian::little, "bytes of a word are counted from its low end");

constexpr std::uint64_t every_byte(std::uint64_t byte)
{
    return byte * 0x0101010101010101ull;
}

// The high bit of each byte of x that is zero. Only the lowest set bit is exact (borrows run upward).
constexpr std::uint64_t zero_bytes(std::uint64_t x)
{
    return (x - every_byte(1)) & ~x & every_byte(0x80);
}

// Index of the first quote or backslash among eight bytes; 8 when there is none.
constexpr std::size_t first_quote_or_backslash(std::uint64_t word)
{
    const auto found = zero_bytes(word ^ every_byte('"')) | zero_bytes(word ^ every_byte('\\'));
    return static_cast<std::size_t>(std::countr_zero(found)) / 8;
}

// Value of the four hex digits at the front; empty when there are not four.
std::optional<std::uint32_t> hex4(std::string_view digits);

// Never fails: an escape that does not exist and a lone surrogate become U+FFFD.
std::string decode_json_string(std::string_view inner);

}  // namespace dure::schema
