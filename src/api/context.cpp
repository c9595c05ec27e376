// RequestContext; see context.hpp.
#include "api/context.hpp"

#include "dure/base/text.hpp"
#include "dure/schema/json_check.hpp"

namespace dure::api {

const std::shared_ptr<const auth::Principal>& RequestContext::nobody()
{
    static const auto principal = std::make_shared<const auth::Principal>();
    return principal;
}

std::string RequestContext::header(std::string_view name) const
{
    const auto value = head().header(name);
    return value ? std::string(trim(*value)) : std::string();
}

std::string RequestContext::path_parameter(std::string_view name) const
{
    for (const auto& [key, value] : path)
        if (key == name)
            return value;
    throw InvariantBroken("the route has no path parameter " + std::string(name));
}

namespace {

// JSON is UTF-8; another charset would be read wrongly.
bool is_json_type(std::string_view value)
{
    const auto end = std::min(value.find(';'), value.size());
    const auto type = trim(value.substr(0, end));
    if (!type.empty() && !equals_ignoring_case(type, "application/json"))
        return false;
    for (auto rest = value.substr(end); !rest.empty();) {
        rest.remove_prefix(1);   // ';'
        const auto parameter = trim(rest.substr(0, rest.find(';')));
        rest.remove_prefix(std::min(rest.find(';'), rest.size()));
        if (parameter.size() < 8 || !equals_ignoring_case(parameter.substr(0, 8), "charset="))
            continue;
        auto charset = parameter.substr(8);
        if (charset.size() >= 2 && charset.front() == '"' && charset.back() == '"')
            charset = charset.substr(1, charset.size() - 2);
        if (!equals_ignoring_case(charset, "utf-8") && !equals_ignoring_case(charset, "utf8") &&
            !equals_ignoring_case(charset, "us-ascii"))
            return false;
    }
    return true;
}

// Every field counts: a second one must not say what the first was checked for.
bool declares_json(const http::RequestHead& head)
{
    for (const auto& field : head.headers) {
        if (!equals_ignoring_case(field.name, "content-type"))
            continue;
        if (!is_json_type(field.value))
            return false;
    }
    return true;
}

}  // namespace

Result<void> RequestContext::check_json_type() const
{
    if (!declares_json(head()))
        return Error(Errc::unsupported_media_type, "The body must be application/json in UTF-8.")
            .reason("unsupported_media_type");
    if (head().header("content-encoding"))
        return Error(Errc::unsupported_media_type, "Encoded request bodies are not accepted.")
            .reason("unsupported_content_encoding");
    return {};
}

Task<Result<std::string_view>> RequestContext::json_text(std::size_t limit)
{
    if (auto fine = check_json_type(); !fine)
        co_return fine.error();
    co_return co_await exchange_.read_body(limit);
}

Task<Result<std::string_view>> RequestContext::json_body(std::size_t limit, schema::JsonIndex* members)
{
    if (auto fine = check_json_type(); !fine)
        co_return fine.error();
    const auto body = co_await exchange_.read_body(limit);
    if (!body)
        co_return body.error();
    if (trim(*body).empty())
        co_return Error(Errc::invalid_argument, "The request needs a JSON body.").reason("invalid_json");
    if (auto checked = schema::check_json(*body, schema::JsonLimits{}, members); !checked)
        co_return checked.error();
    co_return *body;
}

Task<Result<void>> RequestContext::respond(http::Response response)
{
    if (visit)
        return respond_held(std::move(response));
    for (auto& header :
         std::exchange(common_headers_, {}))   // nobody answers again behind a respond() that was cancelled
        response.headers.push_back(std::move(header));
    return exchange_.respond(std::move(response));
}

Task<Result<void>> RequestContext::respond_held(http::Response response)
{
    const auto held = visit->hold(response.body.size());
    visit.reset();
    if (!held)
        co_return held.error();
    co_return co_await respond(std::move(response));
}

Task<Result<void>> RequestContext::respond_json(int status, const OrderedJson& body)
{
    return respond_json_text(status, dump(body));
}

Task<Result<void>> RequestContext::respond_json(int status, OrderedJson&& body)
{
    auto text = dump(body);
    body = nullptr;
    return respond_json_text(status, std::move(text));
}

Task<Result<void>> RequestContext::respond_json_text(int status, std::string text, QueryParameters headers)
{
    http::Response response;
    response.status = status;
    response.content_type = "application/json";
    response.headers = std::move(headers);
    response.headers.emplace_back("Cache-Control", "no-store");
    response.body = std::move(text);
    return respond(std::move(response));
}

Task<Result<void>> RequestContext::start_event_stream(QueryParameters extra)
{
    http::Response response;
    response.content_type = "text/event-stream; charset=utf-8";
    response.headers = std::move(extra);
    response.headers.emplace_back("Cache-Control", "no-cache");
    response.headers.emplace_back("X-Accel-Buffering", "no");
    for (auto& header : std::exchange(common_headers_, {}))   // not kept for as long as the stream lasts
        response.headers.push_back(std::move(header));
    return exchange_.start_stream(std::move(response));
}

}  // namespace dure::api
