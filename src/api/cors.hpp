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
    explicit Cors(std::vector<std::string> origins) : origins_(std::move(origins)) {}

    // Headers for every answer to this request; empty when no origin is configured.
    std::vector<std::pair<std::string, std::string>> answer_headers(const http::RequestHead& head) const;
    bool is_preflight(const http::RequestHead& head) const;
    http::Response preflight(const http::RequestHead& head) const;

private:
    bool allows(std::string_view origin) const;
    std::vector<std::string> origins_;
};

}  // namespace dure::api
