// Cross-origin rules (threat-model §3, openai-clients §8.2): exact match against configured origins, none by default; the
// preflight is answered without authentication and echoes the header names it was asked for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "dure/http/message.hpp"

namespace dure::api {

class Cors {
public:
    // `public_url`: where clients reach this server; empty: not known.
    explicit Cors(std::vector<std::string> origins, std::string_view public_url = {});

    // Headers for every answer to this request; empty when no origin is configured.
    std::vector<std::pair<std::string, std::string>> answer_headers(const http::RequestHead& head) const;
    // The same by its Origin field; empty: it has none.
    std::vector<std::pair<std::string, std::string>> answer_headers(std::string_view origin) const;
    bool is_preflight(const http::RequestHead& head) const;
    http::Response preflight(const http::RequestHead& head) const;
    // Sent by a page that is neither this server's own nor configured. Where no credential tells a person's program from a page in
    // their browser, such a request is refused: a page may send whatever it likes to 127.0.0.1, it only cannot read the answer.
    // Own is what has the address of the Host header, which was checked against pages that rebind their name (threat-model §3),
    // or of public_url: a proxy may send a Host of its own.
    bool is_foreign_page(const http::RequestHead& head) const;

private:
    bool allows(std::string_view origin) const;
    bool is_own(std::string_view origin, std::string_view host) const;

    std::vector<std::string> origins_;
    std::string own_;  // of public_url, with its port
};

}  // namespace dure::api
