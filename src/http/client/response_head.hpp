// The head of an upstream's answer: strict parsing of foreign bytes, and how its body is framed (RFC 9112 §6).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dure/http/message.hpp"

namespace dure::http::outgoing {

enum class Framing { none, length, chunked, until_close };

struct ResponseHead {
    int status = 0;
    std::vector<std::pair<std::string, std::string>> headers;
    Framing framing = Framing::none;
    std::uint64_t length = 0;     // with Framing::length
    bool keep_alive = true;
};

constexpr std::size_t longest_response_head = 64 * 1024;

// Bytes of the head with its empty line; 0: not whole yet. `scanned` remembers where to look on.
std::size_t find_head_end(std::string_view bytes, std::size_t& scanned);

// `head` ends with its empty line. Empty: broken, and `problem` says how.
std::optional<ResponseHead> parse_response_head(std::string_view head, Method request, const char*& problem);

}  // namespace dure::http::outgoing
