// The one parser of request heads, without sockets, stricter than RFC 9112 asks (threat-model §3): what it lets through
// has exactly one reading. scan() looks for the end of the head in what has arrived, parse() then reads it.
//
//   scan(all bytes so far) until complete -> parse(head bytes) -> RequestHead and its framing
#pragma once

#include <cstddef>
#include <string_view>

#include "dure/base/error.hpp"
#include "dure/http/message.hpp"
#include "dure/http/server.hpp"

namespace dure::http {

// What the connection must know of a head besides RequestHead.
struct Framing {
    bool http_1_0 = false;
    bool chunked = false;
    bool expects_continue = false;
    std::string_view authority;     // of a target in absolute form
    std::string_view host;          // that authority, else of the Host field; empty: not sent (HTTP/1.0 only)
};

class HeadGuard {
public:
    explicit HeadGuard(const ServerLimits& limits) : limits_(&limits) {}

    // Size of the complete head with its empty line, 0 when more is needed. `bytes` is everything since the head began;
    // what was looked at is not looked at again until restart().
    Result<std::size_t> scan(std::string_view bytes);
    void restart() { scanned_ = 0; }

    // Fills method, target, path, query, headers, content_length, has_body and keep_alive; views point into `head`.
    Result<Framing> parse(std::string_view head, RequestHead& out) const;

    // Path of a head that may be broken or unfinished, as far as it can be told (up to the first byte that no path has):
    // only for the form of the refusal.
    static std::string_view path_of(std::string_view bytes);
    // Its Origin field, if there is one and its line is whole: only for who may read the refusal.
    static std::string_view origin_of(std::string_view bytes);

private:
    Result<void> parse_request_line(std::string_view line, RequestHead& out, Framing& framing) const;
    Result<void> parse_fields(std::string_view lines, RequestHead& out) const;

    const ServerLimits* limits_;
    std::size_t scanned_ = 0;
};

}  // namespace dure::http
