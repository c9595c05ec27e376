// A tool that is one HTTP request: arguments -> request -> fetch under the egress policy -> a part of the answer. Tool
// files and OpenAPI operations are both read into an HttpToolPlan.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "dure/base/secret.hpp"
#include "dure/http/fetch.hpp"
#include "dure/tools/tool.hpp"
#include "tools/http/parameter_style.hpp"
#include "tools/http/template.hpp"

namespace dure::tools {

// How an argument that is a list or an object stands in the query.
enum class QueryStyle { repeated, commas, spaces, pipes, deep_object, json };

struct QueryPart {
    std::string name;
    Template value;
    QueryStyle style = QueryStyle::repeated;
};

struct HeaderPart {
    std::string name;
    Template value;
    std::optional<ParameterStyle> style = std::nullopt;   // of a value that is one argument
};

enum class BodyKind { none, json, form, text };

struct HttpToolPlan {
    model::ToolDefinition definition;
    std::string source;
    std::string version;
    http::Method method = http::Method::get;
    std::string origin;                      // "https://api.example.com:443", never from arguments
    Template path;                           // begins with '/'
    std::map<std::string, ParameterStyle> path_styles;   // of its arguments; others are written as one text
    std::vector<QueryPart> query;
    std::vector<HeaderPart> headers;
    std::vector<std::pair<std::string, SecretString>> secret_headers;
    std::vector<std::pair<std::string, SecretString>> secret_query;
    BodyKind body_kind = BodyKind::none;
    Json body;  // a template: texts in it hold places; "{x}" alone becomes the argument itself
    std::string body_type;  // Content-Type; empty: that of the kind
    std::string result;  // JSON pointer into the answer; empty: all of it
    std::string permission;
    std::string unavailable;  // why it cannot be used, e.g. a variable that is not set
    bool pure = false;
    bool acts = false;
    bool per_caller = false;
    std::chrono::milliseconds cache_life{std::chrono::minutes(5)};
    std::chrono::milliseconds timeout{0};
    std::size_t largest_answer = 4u << 20;
};

// What HTTP tools share; outlives them.
struct HttpToolWorld {
    http::Client& client;
    const http::EgressPolicy& egress;
};

// The request of a call. invalid_argument: an argument would change the path (".", "..", empty).
Result<http::FetchRequest> http_tool_request(const HttpToolPlan& plan, const Json& arguments, const Caller& caller);
// What the model gets of an answer.
Result<Json> http_tool_result(const HttpToolPlan& plan, const http::FetchAnswer& answer);

std::shared_ptr<Tool> make_http_tool(HttpToolPlan plan, HttpToolWorld world);

}  // namespace dure::tools
