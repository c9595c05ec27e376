// HTTP tools; see http_tool.hpp.
#include "tools/http/http_tool.hpp"

#include <algorithm>

#include "dure/base/log.hpp"
#include "dure/base/secret_text.hpp"
#include "dure/base/text.hpp"
#include "dure/schema/json_check.hpp"

namespace dure::tools {
namespace http_tool_parts {

constexpr std::size_t shown_of_a_failure = 500;

std::string as_is(std::string_view text)
{
    return std::string(text);
}

// A segment made of an argument may not be empty, "." or "..": servers and proxies resolve those.
Result<std::string> filled_path(const HttpToolPlan& plan, const Json& arguments)
{
    const auto text_of = [&](const std::string& name, const Json& value) {
        const auto style = plan.path_styles.find(name);
        return style == plan.path_styles.end() ? percent_encode(argument_text(value))
                                               : styled(style->second, value, percent_encode);
    };
    for (const auto& name : plan.path.arguments()) {
        const auto value = arguments.find(name);
        if (value == arguments.end() || argument_text(*value).empty() || text_of(name, *value).empty())
            return Error(Errc::invalid_argument, "The argument '" + name + "' is missing or empty.");
    }
    auto path = plan.path.fill_by(arguments, text_of);
    for (std::size_t at = 0; at < path.size();) {
        const auto end = std::min(path.find('/', at + 1), path.size());
        const auto segment = path.substr(at + 1, end - at - 1);
        if (segment == "." || segment == "..")
            return Error(Errc::invalid_argument, "The arguments would change the path of the request.");
        at = end;
    }
    return path;
}

std::string filled_header(const HeaderPart& header, const Json& arguments)
{
    return header.value.fill_by(arguments, [&](const std::string&, const Json& value) {
        return header.style ? styled(*header.style, value, as_is) : argument_text(value);
    });
}

class QueryText {
public:
    void add(std::string_view name, std::string_view value)
    {
        text_ += text_.empty() ? '?' : '&';
        text_ += percent_encode(name) + "=" + percent_encode(value);
    }

    void add(const QueryPart& part, const Json& value)
    {
        if (value.is_array() && part.style == QueryStyle::repeated) {
            for (const auto& one : value)
                add(part.name, argument_text(one));
        } else if (is_joined(part.style) && value.is_structured()) {
            add_joined(part, members_in_turn(value));
        } else if (value.is_object() && part.style != QueryStyle::json) {
            for (const auto& [key, one] : value.items())
                add(part.style == QueryStyle::deep_object ? part.name + "[" + key + "]" : key, argument_text(one));
        } else {
            add(part.name, value.is_structured() ? dump(value) : argument_text(value));
        }
    }

    const std::string& text() const { return text_; }

private:
    static bool is_joined(QueryStyle style)
    {
        return style == QueryStyle::commas || style == QueryStyle::spaces || style == QueryStyle::pipes;
    }

    // The separators stand as they are, what they separate is encoded.
    void add_joined(const QueryPart& part, const Json& list)
    {
        const char* const between = part.style == QueryStyle::spaces  ? "%20"
                                    : part.style == QueryStyle::pipes ? "%7C"
                                                                      : ",";
        text_ += (text_.empty() ? "?" : "&") + percent_encode(part.name) + "=";
        for (std::size_t i = 0; i < list.size(); ++i)
            text_ += (i == 0 ? "" : between) + percent_encode(argument_text(list[i]));
    }

    std::string text_;
};

std::string filled_query(const HttpToolPlan& plan, const Json& arguments)
{
    QueryText query;
    for (const auto& part : plan.query) {
        const auto names = part.value.arguments();
        const bool absent = !names.empty() && std::none_of(names.begin(), names.end(), [&](const auto& name) {
            return arguments.contains(name) && !arguments[name].is_null();
        });
        if (absent)
            continue;
        if (const auto only = part.value.only_argument())
            query.add(part, arguments[*only]);
        else
            query.add(part.name, part.value.fill(arguments, as_is));
    }
    for (const auto& [name, secret] : plan.secret_query)
        query.add(name, secret.reveal());
    return query.text();
}

// Empty: a place of its own whose argument is absent, so the key is left out.
std::optional<Json> filled_json(const Json& body, const Json& arguments)
{
    if (body.is_string()) {
        const auto text = Template::parse(body.get_ref<const std::string&>());   // was checked when it was loaded
        const auto only = text ? text->only_argument() : std::nullopt;
        if (!only)
            return text ? Json(text->fill(arguments, as_is)) : body;
        const auto value = arguments.find(*only);
        return value == arguments.end() ? std::nullopt : std::optional<Json>(*value);
    }
    if (!body.is_structured())
        return body;
    auto out = body.is_array() ? Json::array() : Json::object();
    for (const auto& [key, value] : body.items()) {
        auto filled = filled_json(value, arguments);
        if (filled && body.is_array())
            out.push_back(std::move(*filled));
        else if (filled)
            out[key] = std::move(*filled);
    }
    return out;
}

// Lists are repeated, as in the query.
std::string form_text(const Json& fields)
{
    std::string out;
    const auto add = [&](const std::string& name, const Json& value) {
        out += (out.empty() ? "" : "&") + percent_encode(name) + "=" + percent_encode(argument_text(value));
    };
    for (const auto& [name, value] : fields.items()) {
        if (!value.is_array())
            add(name, value);
        else
            for (const auto& one : value)
                add(name, one);
    }
    return out;
}

void set_body(const HttpToolPlan& plan, const Json& arguments, http::FetchRequest& request)
{
    const auto body = plan.body_kind == BodyKind::none ? std::nullopt : filled_json(plan.body, arguments);
    if (!body)
        return;
    const char* type = "application/json";
    if (plan.body_kind == BodyKind::form) {
        type = "application/x-www-form-urlencoded";
        request.body = body->is_object() ? form_text(*body) : argument_text(*body);
    } else if (plan.body_kind == BodyKind::text) {
        type = "text/plain; charset=utf-8";
        request.body = argument_text(*body);
    } else {
        request.body = dump(*body);
    }
    request.headers.emplace_back("Content-Type", plan.body_type.empty() ? type : plan.body_type);
}

// What the far side was sent and must not come back: as it is, without its scheme, as a query has it.
std::vector<std::string> hidden_texts(const HttpToolPlan& plan)
{
    constexpr std::size_t shortest = 4;   // less is in every text
    constexpr std::string_view scheme = "Bearer ";
    std::vector<std::string> texts;
    for (const auto* list : {&plan.secret_headers, &plan.secret_query})
        for (const auto& [name, secret] : *list) {
            auto value = secret.reveal();
            if (value.starts_with(scheme))
                value.remove_prefix(scheme.size());
            if (value.size() < shortest)
                continue;
            texts.emplace_back(value);
            if (auto escaped = percent_encode(value); escaped != value)
                texts.push_back(std::move(escaped));
        }
    std::sort(texts.begin(), texts.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
    return texts;
}

class HttpTool final : public Tool {
public:
    HttpTool(HttpToolPlan plan, HttpToolWorld world) : plan_(std::move(plan)), world_(world) {}

    const model::ToolDefinition& definition() const override { return plan_.definition; }
    std::string source() const override { return plan_.source; }
    std::string why_unavailable() const override { return plan_.unavailable; }
    std::string permission() const override { return plan_.permission; }
    bool acts() const override { return plan_.acts; }
    bool pure() const override { return plan_.pure; }
    std::chrono::milliseconds cache_life() const override { return plan_.cache_life; }
    bool per_caller() const override { return plan_.per_caller; }
    std::string version() const override { return plan_.version; }
    std::chrono::milliseconds longest() const override { return plan_.timeout; }

    Task<Result<Json>> execute(const Json& arguments, const Caller& caller, Deadline deadline) override
    {
        auto request = http_tool_request(plan_, arguments, caller);
        if (!request)
            co_return request.error();
        request->deadline = deadline;
        const auto answer = co_await http::fetch(world_.client, world_.egress, std::move(*request));
        if (!answer)
            co_return answer.error();
        co_return http_tool_result(plan_, *answer);
    }

private:
    const HttpToolPlan plan_;
    const HttpToolWorld world_;
};

}  // namespace http_tool_parts

using namespace http_tool_parts;

Result<http::FetchRequest> http_tool_request(const HttpToolPlan& plan, const Json& arguments, const Caller& caller)
{
    auto path = filled_path(plan, arguments);
    if (!path)
        return path.error();
    http::FetchRequest request;
    request.method = plan.method;
    request.url = plan.origin + *path + filled_query(plan, arguments);
    request.largest_answer = plan.largest_answer;
    for (const auto& header : plan.headers)
        if (auto value = filled_header(header, arguments); !value.empty())
            request.headers.emplace_back(header.name, std::move(value));
    for (const auto& [name, secret] : plan.secret_headers)
        request.headers.emplace_back(name, secret.reveal());
    if (!plan.pure && !caller.idempotency_key.empty())
        request.headers.emplace_back("Idempotency-Key", caller.idempotency_key);
    set_body(plan, arguments, request);
    return request;
}

Result<Json> http_tool_result(const HttpToolPlan& plan, const http::FetchAnswer& answer)
{
    const bool sent_secrets = !plan.secret_headers.empty() || !plan.secret_query.empty();
    const auto shown = sent_secrets ? without_secrets(answer.body, hidden_texts(plan)) : std::string();
    const auto& body = sent_secrets ? shown : answer.body;
    if (answer.status < 200 || answer.status >= 300) {
        auto said = redact(to_valid_utf8(utf8_prefix(trim(body), shown_of_a_failure)));
        return Error(Errc::upstream_failed, "The server answered with status " + std::to_string(answer.status) +
                                                (said.empty() ? "." : ": " + said));
    }
    if (body.empty())
        return plan.result.empty() ? Result<Json>(Json(nullptr))
                                   : Error(Errc::upstream_failed, "The server's answer is empty.");
    const bool is_json = static_cast<bool>(schema::check_json(body, {.refuse_duplicates = false, .refuse_nul = false}));
    if (!is_json) {
        const bool said_json = ascii_lower(answer.header("content-type")).find("json") != std::string::npos;
        if (said_json || !plan.result.empty())
            return Error(Errc::upstream_failed, "The server's answer is not valid JSON.");
        return Json(to_valid_utf8(body));
    }
    auto document = Json::parse(body);
    if (plan.result.empty())
        return document;
    const auto pointer = Json::json_pointer(plan.result);   // was checked when it was loaded
    if (!document.contains(pointer))
        return Error(Errc::upstream_failed, "The server's answer has nothing at " + plan.result + ".");
    return document.at(pointer);
}

std::shared_ptr<Tool> make_http_tool(HttpToolPlan plan, HttpToolWorld world)
{
    return std::make_shared<HttpTool>(std::move(plan), world);
}

}  // namespace dure::tools
