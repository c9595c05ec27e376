// The error renderers; see errors.hpp.
#include "api/errors.hpp"

#include "dure/base/json.hpp"

namespace dure::api {

namespace {

// No default: a new code does not compile until it is mapped.
int status_of(Errc code)
{
    switch (code) {
    case Errc::invalid_argument: return 400;
    case Errc::unauthenticated: return 401;
    case Errc::permission_denied: return 403;
    case Errc::not_found: return 404;
    case Errc::method_not_allowed: return 405;
    case Errc::conflict: return 409;
    case Errc::precondition_failed: return 412;
    case Errc::request_timeout: return 408;
    case Errc::payload_too_large: return 413;
    case Errc::target_too_long: return 414;
    case Errc::unsupported_media_type: return 415;
    case Errc::expectation_failed: return 417;
    case Errc::head_too_large: return 431;
    case Errc::rate_limited: return 429;
    case Errc::cancelled: return 499;
    case Errc::internal: return 500;
    case Errc::not_implemented: return 501;
    case Errc::upstream_failed: return 502;
    case Errc::unavailable: return 503;
    case Errc::timeout: return 504;
    case Errc::storage_full: return 507;
    }
    return 500;
}

std::string_view openai_type(int status)
{
    if (status == 403)
        return "permission_error";
    if (status == 429)
        return "rate_limit_error";
    return status >= 500 ? "server_error" : "invalid_request_error";
}

// OpenAI's own words where a client reads them; errors that name a reason keep it.
std::string openai_code(const Error& error, int status)
{
    if (!error.reason().empty())
        return error.reason();
    switch (status) {
    case 401: return "invalid_api_key";
    case 403: return "insufficient_permissions";
    case 429: return "rate_limit_exceeded";
    case 404: return "not_found";
    default: return std::string(name_of(error.code()));
    }
}

// Server faults never echo internals, whatever a lower layer wrote into the message.
std::string public_message(const Error& error)
{
    if (error.code() == Errc::internal || error.message().empty())
        return "The server failed to handle this request.";
    return error.message();
}

void add_headers(http::Response& response, const Error& error)
{
    const auto& extra = error.extra();
    if (extra.retry_after)
        response.headers.emplace_back("Retry-After", std::to_string(std::max<std::int64_t>(1, extra.retry_after->count())));
    else if (response.status == 503)
        response.headers.emplace_back("Retry-After", "1");   // threat-model §9: a 503 always says when to come back
    if (extra.should_retry)
        response.headers.emplace_back("x-should-retry", *extra.should_retry ? "true" : "false");
    if (response.status == 401)
        response.headers.emplace_back("WWW-Authenticate", "Bearer");
    if (!extra.allowed_methods.empty()) {
        std::string allow;
        for (const auto& method : extra.allowed_methods)
            allow += (allow.empty() ? "" : ", ") + method;
        response.headers.emplace_back("Allow", allow);
    }
}

OrderedJson entry_of(const FieldProblem& problem)
{
    OrderedJson entry{{"loc", problem.location}, {"msg", problem.message}, {"type", problem.type}};
    if (!problem.part)
        return entry;
    entry["code"] = problem.type;
    entry["level"] = "error";
    if (!problem.part->node_id.empty())
        entry["node_id"] = problem.part->node_id;
    if (!problem.part->edge_id.empty())
        entry["edge_id"] = problem.part->edge_id;
    return entry;
}

}  // namespace

ErrorForm error_form_of(std::string_view path)
{
    return path == "/v1" || path.starts_with("/v1/") ? ErrorForm::openai : ErrorForm::problem;
}

int http_status(const Error& error, ErrorForm form)
{
    if (form == ErrorForm::problem && error.code() == Errc::invalid_argument && !error.extra().problems.empty())
        return 422;
    return status_of(error.code());
}

std::string openai_error_json(const Error& error)
{
    const int status = status_of(error.code());
    OrderedJson body;
    body["message"] = public_message(error);
    body["type"] = openai_type(status);
    body["param"] = error.param().empty() ? OrderedJson(nullptr) : OrderedJson(error.param());
    body["code"] = openai_code(error, status);
    return dump(OrderedJson{{"error", std::move(body)}});
}

std::string problem_json(const Error& error, std::string_view request_id)
{
    const int status = http_status(error, ErrorForm::problem);
    OrderedJson body;
    body["type"] = "about:blank";
    body["title"] = http::reason_phrase(status);
    body["status"] = status;
    body["detail"] = public_message(error);
    if (!error.reason().empty())
        body["code"] = error.reason();
    if (!error.extra().problems.empty()) {
        auto& errors = body["errors"] = OrderedJson::array();
        for (const auto& problem : error.extra().problems)
            errors.push_back(entry_of(problem));
    }
    if (!request_id.empty())
        body["request_id"] = request_id;
    return dump(body);
}

http::Response render_error(ErrorForm form, const Error& error, std::string_view request_id)
{
    http::Response response;
    response.status = http_status(error, form);
    if (form == ErrorForm::openai) {
        response.content_type = "application/json";
        response.body = openai_error_json(error);
    } else {
        response.content_type = "application/problem+json";
        response.body = problem_json(error, request_id);
    }
    response.headers.emplace_back("Cache-Control", "no-store");
    add_headers(response, error);
    return response;
}

}  // namespace dure::api
