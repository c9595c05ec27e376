// The one loop that every reader and writer of JSON text needs to be quick: passing over the ordinary characters of a string.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace dure {

namespace json_words {

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

// As above, for bytes that end a run of ordinary characters: quote, backslash, control character, not ASCII.
constexpr std::uint64_t special_bytes(std::uint64_t word)
{
    const auto control = (word - every_byte(0x20)) & ~word;
    return ((word | control) & every_byte(0x80)) | zero_bytes(word ^ every_byte('"')) |
           zero_bytes(word ^ every_byte('\\'));
}

}  // namespace json_words

// Place of the first quote, backslash, control character or byte that is not ASCII at or behind `at`; the text's size when
// there is none. Eight bytes at a time.
inline std::size_t plain_json_run_end(std::string_view text, std::size_t at)
{
    for (; at + 8 <= text.size(); at += 8) {
        std::uint64_t word;
        std::memcpy(&word, text.data() + at, 8);
        if (const auto special = json_words::special_bytes(word))
            return at + static_cast<std::size_t>(std::countr_zero(special)) / 8;
    }
    for (; at < text.size(); ++at) {
        const auto c = static_cast<unsigned char>(text[at]);
        if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\')
            break;
    }
    return at;
}

}  // namespace dure
