// What may stand in names and values of header fields (RFC 9110 §5), for what is sent and what is received.
#pragma once

#include <algorithm>
#include <string_view>

namespace dure::http::outgoing {

inline bool is_token(std::string_view text)
{
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
    };
    return !text.empty() && std::all_of(text.begin(), text.end(), allowed);
}

// No control characters but HTAB.
inline bool is_field_text(std::string_view text)
{
    return std::all_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
    });
}

}  // namespace dure::http::outgoing
