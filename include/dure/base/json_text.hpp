// The two loops that every reader and writer of JSON text needs to be quick: passing over the ordinary characters of a string,
// and over whatever is neither its end nor an escape.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__SSE2__)   // every x86-64 has it
#include <emmintrin.h>
#endif

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

// As above, for quotes and backslashes alone.
constexpr std::uint64_t quotes_and_backslashes(std::uint64_t word)
{
    return zero_bytes(word ^ every_byte('"')) | zero_bytes(word ^ every_byte('\\'));
}

#if defined(__SSE2__)
// Bit i: byte i of the sixteen at `bytes` is a quote or a backslash.
inline unsigned quotes_and_backslashes(__m128i bytes)
{
    const auto found = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
    return static_cast<unsigned>(_mm_movemask_epi8(found));
}

inline __m128i sixteen(const char* at)
{
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}
#endif

}  // namespace json_words

// Place of the first quote, backslash, control character or byte that is not ASCII at or behind `at`; the text's size when
// there is none. Sixteen or eight bytes at a time.
inline std::size_t plain_json_run_end(std::string_view text, std::size_t at)
{
#if defined(__SSE2__)
    for (; at + 16 <= text.size(); at += 16) {
        const auto bytes = json_words::sixteen(text.data() + at);
        // As signed numbers what is not ASCII is below the control characters.
        const auto low = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20))));
        if (const auto special = low | json_words::quotes_and_backslashes(bytes))
            return at + static_cast<std::size_t>(std::countr_zero(special));
    }
#endif
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

// Place of the first quote or backslash at or behind `at`. It is looked for up to `until` and a little beyond: without one the
// answer is any place from there on, at most the text's size.
inline std::size_t json_string_stop(std::string_view text, std::size_t at, std::size_t until)
{
#if defined(__SSE2__)
    for (; at < until && at + 16 <= text.size(); at += 16)
        if (const auto found = json_words::quotes_and_backslashes(json_words::sixteen(text.data() + at)))
            return at + static_cast<std::size_t>(std::countr_zero(found));
#endif
    for (; at < until && at + 8 <= text.size(); at += 8) {
        std::uint64_t word;
        std::memcpy(&word, text.data() + at, 8);
        if (const auto found = json_words::quotes_and_backslashes(word))
            return at + static_cast<std::size_t>(std::countr_zero(found)) / 8;
    }
    while (at < until && at < text.size() && text[at] != '"' && text[at] != '\\')
        ++at;
    return at;
}

}  // namespace dure
