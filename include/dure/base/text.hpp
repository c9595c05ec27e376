// Small text work that several modules share: UTF-8 checks and cuts, JSON string escapes, ASCII case, base64, hex.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dure {

// Strict: no overlong forms, no surrogates, nothing above U+10FFFF.
bool valid_utf8(std::string_view text);
// The longest prefix of at most `bytes` bytes that does not end inside a character.
std::string_view utf8_prefix(std::string_view text, std::size_t bytes);
// Code points, where the text is valid UTF-8.
std::size_t utf8_characters(std::string_view text);
// Invalid bytes become U+FFFD.
std::string to_valid_utf8(std::string_view text);
// One character per code point, appended as UTF-8; surrogates become U+FFFD.
void append_utf8(std::string& out, std::uint32_t code_point);

enum class JsonEscape {
    minimal,    // what RFC 8259 demands; invalid UTF-8 becomes U+FFFD
    for_logs,   // also bidirectional controls, U+2028/9 and other invisible characters
};
// Appends `text` escaped for a JSON string, without or with the quotes.
void append_json_escaped(std::string& out, std::string_view text, JsonEscape how = JsonEscape::minimal);
void append_json_string(std::string& out, std::string_view text, JsonEscape how = JsonEscape::minimal);

// ASCII only: header names, schemes, tokens.
bool equals_ignoring_case(const char* a, const char* b, std::size_t size);
inline bool equals_ignoring_case(std::string_view a, std::string_view b)   // mostly the sizes tell
{
    return a.size() == b.size() && equals_ignoring_case(a.data(), b.data(), a.size());
}
std::string ascii_lower(std::string_view text);
std::string_view trim(std::string_view text);

// %XX decoding; empty when a % is not followed by two hex digits.
std::optional<std::string> percent_decode(std::string_view text);

std::string base64(std::string_view bytes);
std::string base64url(std::string_view bytes);   // without padding
std::string hex(std::string_view bytes);
std::string sha256(std::string_view bytes);      // the 32 raw bytes
using Sha256 = std::array<unsigned char, 32>;
Sha256 sha256_digest(std::string_view bytes);    // the same, without a string
std::uint32_t crc32(std::string_view bytes);

}  // namespace dure
