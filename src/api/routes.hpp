// The route table's row, and the table. A route names who may call it; there is no default that would open it.
#pragma once

#include <string_view>
#include <vector>

#include "api/context.hpp"
#include "dure/api/api.hpp"
#include "dure/base/json.hpp"

namespace dure::api {

// What a request takes from its caller's buckets (threat-model §7).
enum class RateClass { requests, chat, unlimited };

struct Access {
    // Without a credential.
    static constexpr Access open() { return Access{true, {}}; }
    // Any valid credential.
    static constexpr Access any() { return Access{false, {}}; }
    static constexpr Access permission(std::string_view name) { return Access{false, name}; }
    // Somebody who logged in; a key is not enough (keys change neither accounts nor keys).
    static constexpr Access person(std::string_view name = {}) { return Access{false, name, true}; }

    constexpr Access rated(RateClass as) const
    {
        auto copy = *this;
        copy.rate = as;
        return copy;
    }

    // A WebSocket: browsers show their credential as subprotocol or ticket (threat-model §4).
    constexpr Access over_socket() const
    {
        auto copy = *this;
        copy.socket = true;
        return copy;
    }

    // Open while the database is away to who was known before.
    constexpr Access also_without_database() const
    {
        auto copy = *this;
        copy.without_database = true;
        return copy;
    }

    bool is_open;
    std::string_view needed;   // empty: none beyond a credential
    bool people_only = false;
    RateClass rate = RateClass::requests;
    bool socket = false;
    bool without_database = false;
};

// An answer beside the usual one.
struct OtherAnswer {
    int status = 200;
    std::string_view description;
    std::string_view schema;
    std::string_view type = "application/json";
    std::vector<std::string_view> headers = {};
};

// What /openapi.json says about a route. Names of schemas, parameters and headers stand in the openapi_*_schemas.cpp files.
struct Doc {
    std::string_view operation;
    std::string_view tag;
    std::string_view summary;
    std::string_view request = {};  // schema name of the body
    std::string_view answer = {};  // schema name of the success answer; empty: no JSON body
    int status = 200;
    std::string_view answer_type = "application/json";
    std::vector<std::string_view> query = {};  // names of query parameters
    std::string_view request_type = "application/json";
    bool body_optional = false;
    std::vector<std::string_view> headers = {};  // of the request
    std::vector<std::string_view> answer_headers = {};
    std::vector<OtherAnswer> others = {};

    // The forms that routes share, to be said behind a row: Doc{…}.guarded().
    Doc may_lack_body() &&
    {
        body_optional = true;
        return std::move(*this);
    }
    Doc takes(std::vector<std::string_view> names) &&
    {
        headers.insert(headers.end(), names.begin(), names.end());
        return std::move(*this);
    }
    Doc gives(std::vector<std::string_view> names) &&
    {
        answer_headers.insert(answer_headers.end(), names.begin(), names.end());
        return std::move(*this);
    }
    Doc or_answers(OtherAnswer other) &&
    {
        others.push_back(std::move(other));
        return std::move(*this);
    }
    // If-Match, and what becomes of one that does not hold.
    Doc guarded() &&
    {
        return std::move(*this)
            .takes({"If-Match"})
            .or_answers({412,
                         "It was changed since; the ETag is the current one",
                         "Problem",
                         "application/problem+json",
                         {"ETag"}});
    }
};

struct Route {
    http::Method method;
    std::string_view pattern;
    Access access;
    Handler handler;
    Doc doc;
};

// `parts` null: the table without handlers, for the OpenAPI document. Without accounts their routes are not there.
std::vector<Route> routes(const ApiParts* parts);

OrderedJson openapi_document(const std::vector<Route>& table, const std::string& version);

}  // namespace dure::api
