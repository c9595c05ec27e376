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

    bool is_open;
    std::string_view needed;   // empty: none beyond a credential
    bool people_only = false;
    RateClass rate = RateClass::requests;
    bool socket = false;
};

// What /openapi.json says about a route. Names of schemas stand in openapi_schemas.cpp.
struct Doc {
    std::string_view operation;
    std::string_view tag;
    std::string_view summary;
    std::string_view request = {};             // schema name of the body
    std::string_view answer = {};              // schema name of the success answer; empty: no JSON body
    int status = 200;
    std::string_view answer_type = "application/json";
    std::vector<std::string_view> query = {};  // names of query parameters
    std::string_view request_type = "application/json";
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
