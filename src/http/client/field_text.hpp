// What may stand in names and values of header fields (RFC 9110 §5), for what is sent and what is received.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace dure::http::outgoing {

namespace field_text {

constexpr std::uint8_t token = 1;
constexpr std::uint8_t value = 2;

constexpr std::array<std::uint8_t, 256> classes = [] {
    std::array<std::uint8_t, 256> all{};
    for (std::size_t byte = 0; byte < all.size(); ++byte) {
        const auto c = static_cast<char>(byte);
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (letter || (byte != 0 && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos))
            all[byte] |= token;
        if ((byte >= 0x20 && byte != 0x7f) || c == '\t')
            all[byte] |= value;
    }
    return all;
}();

// Without a way out in the middle: fields are nearly always sound.
inline bool all_are(std::string_view text, std::uint8_t wanted)
{
    std::uint8_t common = wanted;
    for (const char c : text)
        common &= classes[static_cast<unsigned char>(c)];
    return common != 0;
}

}  // namespace field_text

inline bool is_token(std::string_view text)
{
    return !text.empty() && field_text::all_are(text, field_text::token);
}

// No control characters but HTAB.
inline bool is_field_text(std::string_view text)
{
    return field_text::all_are(text, field_text::value);
}

}  // namespace dure::http::outgoing
