// Cors; see cors.hpp.
#include "api/cors.hpp"

#include <algorithm>

#include "dure/base/text.hpp"
#include "dure/http/client.hpp"

namespace dure::api {

namespace {

bool is_token(std::string_view name)
{
    if (name.empty() || name.size() > 128)
        return false;
    return std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
    });
}

// The requested header names that are valid tokens, as they came.
std::string echoed_headers(std::string_view requested)
{
    std::string names;
    while (!requested.empty()) {
        const auto comma = requested.find(',');
        const auto name = trim(requested.substr(0, comma));
        if (is_token(name))
            names += (names.empty() ? "" : ", ") + std::string(name);
        requested.remove_prefix(comma == std::string_view::npos ? requested.size() : comma + 1);
    }
    return names;
}

// As browsers write it: in small letters, without the port that its scheme has anyway.
std::string as_sent(const std::string& configured)
{
    const auto url = http::parse_url(configured);
    if (!url)
        return configured;
    auto origin = url->origin();
    const std::string_view usual = url->tls ? ":443" : ":80";
    if (origin.ends_with(usual))
        origin.resize(origin.size() - usual.size());
    return origin;
}

}  // namespace

Cors::Cors(std::vector<std::string> origins, std::string_view public_url) : origins_(std::move(origins))
{
    std::transform(origins_.begin(), origins_.end(), origins_.begin(), as_sent);
    if (const auto url = http::parse_url(public_url); url)
        own_ = url->origin();
}

bool Cors::is_own(std::string_view origin, std::string_view host) const
{
    const auto scheme = origin.find("://");
    if (scheme != std::string_view::npos && !host.empty() && equals_ignoring_case(origin.substr(scheme + 3), host))
        return true;
    if (own_.empty())
        return false;
    const auto page = http::parse_url(origin);
    return page && page->origin() == own_;
}

bool Cors::allows(std::string_view origin) const
{
    return origin != "null" && std::find(origins_.begin(), origins_.end(), origin) != origins_.end();
}

bool Cors::is_foreign_page(const http::RequestHead& head) const
{
    const auto host = head.header("host").value_or("");
    for (const auto& field : head.headers) {
        if (!equals_ignoring_case(field.name, "origin"))
            continue;
        const auto origin = trim(field.value);
        if (!is_own(origin, host) && !allows(origin))
            return true;
    }
    return false;
}

std::vector<std::pair<std::string, std::string>> Cors::answer_headers(const http::RequestHead& head) const
{
    return origins_.empty() ? answer_headers(std::string_view()) : answer_headers(head.header("origin").value_or(""));
}

std::vector<std::pair<std::string, std::string>> Cors::answer_headers(std::string_view origin) const
{
    std::vector<std::pair<std::string, std::string>> headers;
    if (origins_.empty())
        return headers;
    headers.emplace_back("Vary", "Origin");
    if (!allows(origin))
        return headers;
    headers.emplace_back("Access-Control-Allow-Origin", std::string(origin));
    headers.emplace_back("Access-Control-Expose-Headers",
                         "x-request-id, retry-after, ratelimit-limit, ratelimit-remaining, ratelimit-reset, "
                         "x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens, "
                         "x-dure-model, x-dure-attempts, x-dure-cache, x-dure-fallback, x-dure-dropped-params, "
                         "x-should-retry, idempotent-replayed, etag, location");
    return headers;
}

bool Cors::is_preflight(const http::RequestHead& head) const
{
    return head.method == http::Method::options && head.header("origin") &&
           head.header("access-control-request-method");
}

http::Response Cors::preflight(const http::RequestHead& head) const
{
    http::Response response;
    response.status = 204;
    response.headers = answer_headers(head);
    if (!allows(head.header("origin").value_or("")))
        return response;   // the browser refuses by itself when the allowing headers are missing
    response.headers.emplace_back("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    const auto names = echoed_headers(head.header("access-control-request-headers").value_or(""));
    if (!names.empty())
        response.headers.emplace_back("Access-Control-Allow-Headers", names);
    response.headers.emplace_back("Access-Control-Max-Age", "600");
    return response;
}

}  // namespace dure::api
