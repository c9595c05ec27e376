// Two tables: what clients see of a class, and which words and statuses make a class. See failure.hpp.
#include "llm/failure.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <ctime>

#include "dure/base/clock.hpp"
#include "dure/base/log.hpp"
#include "dure/base/text.hpp"
#include "llm/openai/json_text.hpp"
#include "llm/refused_parameter.hpp"

namespace dure::llm {

namespace {

constexpr std::size_t longest_message = 600;

struct ClientForm {
    FailureClass kind;
    std::string_view name;       // of logs and metrics
    Errc code;
    std::string_view reason;
    std::string_view sentence;   // when nothing better is known
};

constexpr std::array<ClientForm, 18> client_forms = {{
    {FailureClass::connect, "connect", Errc::upstream_failed, "upstream_unreachable",
     "The model provider cannot be reached."},
    {FailureClass::timeout, "timeout", Errc::timeout, "upstream_timeout", "The model provider did not answer in time."},
    {FailureClass::server, "server", Errc::upstream_failed, "upstream_error", "The model provider failed."},
    {FailureClass::overloaded, "overloaded", Errc::unavailable, "upstream_overloaded",
     "The model provider is overloaded."},
    {FailureClass::rate_limit, "rate_limit", Errc::rate_limited, "rate_limit_exceeded",
     "The model provider's rate limit is reached."},
    {FailureClass::quota, "quota", Errc::upstream_failed, "upstream_quota",
     "The server's quota at the model provider is used up."},
    {FailureClass::auth, "auth", Errc::upstream_failed, "upstream_auth",
     "The model provider refused the server's credentials."},
    {FailureClass::context_length, "context_length", Errc::invalid_argument, "context_length_exceeded",
     "The conversation is longer than the model's context window."},
    {FailureClass::unsupported_param, "unsupported_param", Errc::invalid_argument, "unsupported_parameter",
     "The model does not support a parameter of this request."},
    {FailureClass::model_missing, "model_missing", Errc::upstream_failed, "upstream_model_missing",
     "The model provider does not offer the model behind this name."},
    {FailureClass::content_filter, "content_filter", Errc::invalid_argument, "content_policy_violation",
     "The request was refused by the model provider's content policy."},
    {FailureClass::bad_request, "bad_request", Errc::invalid_argument, "bad_request",
     "The model provider refused the request as invalid."},
    {FailureClass::protocol, "protocol", Errc::upstream_failed, "upstream_protocol_error",
     "The model provider sent an answer that cannot be understood."},
    {FailureClass::interrupted, "interrupted", Errc::upstream_failed, "stream_interrupted",
     "The model provider's answer broke off."},
    {FailureClass::busy, "busy", Errc::unavailable, "no_target_available",
     "Too many requests towards the model provider are running."},
    {FailureClass::no_descriptors, "no_descriptors", Errc::unavailable, "no_descriptors",
     "The server has no file descriptor left for a connection to the model provider."},
    {FailureClass::no_target, "no_target", Errc::unavailable, "no_target_available",
     "No model behind this name takes requests at the moment."},
    {FailureClass::cancelled, "cancelled", Errc::cancelled, "cancelled", "The request was cancelled."},
}};

const ClientForm& form_of(FailureClass kind)
{
    return *std::find_if(client_forms.begin(), client_forms.end(), [&](const auto& form) { return form.kind == kind; });
}

// Where a row looks.
enum class Field { code_or_type, message, status };

struct ClassRow {
    FailureClass kind;
    Field field;
    std::string_view word;       // lower case; a whole word of code or type, a part of the message
    int status_from = 0;         // 0…0: any
    int status_to = 0;
};

// First match wins. A status of 0 (an event inside a stream) passes every range of message rows.
constexpr std::array<ClassRow, 58> class_rows = {{
    {FailureClass::quota, Field::code_or_type, "insufficient_quota"},
    {FailureClass::quota, Field::code_or_type, "billing_error"},
    {FailureClass::quota, Field::code_or_type, "billing_hard_limit_reached"},
    {FailureClass::quota, Field::status, "", 402, 402},
    {FailureClass::quota, Field::message, "exceeded your current quota", 429, 429},
    {FailureClass::quota, Field::message, "insufficient credits", 400, 429},
    {FailureClass::quota, Field::message, "credit balance", 400, 429},
    {FailureClass::context_length, Field::code_or_type, "context_length_exceeded"},
    {FailureClass::context_length, Field::message, "prompt is too long", 400, 422},
    {FailureClass::context_length, Field::message, "maximum context length", 400, 422},
    {FailureClass::context_length, Field::message, "context window", 400, 422},
    {FailureClass::context_length, Field::message, "exceeds the available context size", 400, 422},
    {FailureClass::content_filter, Field::code_or_type, "content_filter"},
    {FailureClass::content_filter, Field::code_or_type, "content_policy_violation"},
    {FailureClass::content_filter, Field::code_or_type, "moderation_blocked"},
    {FailureClass::content_filter, Field::message, "requires moderation", 400, 403},
    {FailureClass::content_filter, Field::message, "moderation", 400, 403},
    {FailureClass::content_filter, Field::message, "content policy", 400, 403},
    {FailureClass::content_filter, Field::message, "content management policy", 400, 403},
    {FailureClass::content_filter, Field::message, "was flagged", 400, 403},
    {FailureClass::unsupported_param, Field::code_or_type, "unsupported_parameter"},
    {FailureClass::unsupported_param, Field::code_or_type, "unsupported_value"},
    {FailureClass::unsupported_param, Field::code_or_type, "unknown_parameter"},
    {FailureClass::unsupported_param, Field::message, "unsupported parameter", 400, 422},
    {FailureClass::unsupported_param, Field::message, "unsupported value", 400, 422},
    {FailureClass::unsupported_param, Field::message, "unknown parameter", 400, 422},
    {FailureClass::unsupported_param, Field::message, "unrecognized request argument", 400, 422},
    {FailureClass::unsupported_param, Field::message, "is not supported with this model", 400, 422},
    {FailureClass::unsupported_param, Field::message, "extra inputs are not permitted", 400, 422},
    {FailureClass::model_missing, Field::code_or_type, "model_not_found"},
    {FailureClass::model_missing, Field::code_or_type, "not_found_error"},
    {FailureClass::model_missing, Field::status, "", 404, 404},
    {FailureClass::model_missing, Field::status, "", 410, 410},   // of a model that was taken out of service
    {FailureClass::auth, Field::code_or_type, "invalid_api_key"},
    {FailureClass::auth, Field::code_or_type, "authentication_error"},
    {FailureClass::auth, Field::code_or_type, "permission_error"},
    {FailureClass::auth, Field::status, "", 401, 401},
    {FailureClass::auth, Field::status, "", 403, 403},
    {FailureClass::auth, Field::status, "", 407, 407},
    {FailureClass::overloaded, Field::code_or_type, "overloaded_error"},
    {FailureClass::rate_limit, Field::code_or_type, "rate_limit_error"},
    {FailureClass::rate_limit, Field::code_or_type, "rate_limit_exceeded"},
    {FailureClass::rate_limit, Field::status, "", 429, 429},
    {FailureClass::overloaded, Field::status, "", 503, 503},
    {FailureClass::overloaded, Field::status, "", 529, 529},
    {FailureClass::server, Field::code_or_type, "server_error"},
    {FailureClass::server, Field::code_or_type, "api_error"},
    {FailureClass::server, Field::code_or_type, "timeout_error"},
    {FailureClass::server, Field::code_or_type, "internal_error"},
    {FailureClass::server, Field::code_or_type, "internal_server_error"},
    {FailureClass::server, Field::status, "", 408, 409},
    {FailureClass::server, Field::status, "", 500, 599},
    {FailureClass::bad_request, Field::code_or_type, "request_too_large"},
    {FailureClass::bad_request, Field::code_or_type, "invalid_request_error"},
    {FailureClass::bad_request, Field::code_or_type, "badrequesterror"},
    {FailureClass::bad_request, Field::status, "", 400, 499},
    {FailureClass::protocol, Field::status, "", 100, 399},
    {FailureClass::server, Field::message, ""},
}};

bool row_matches(const ClassRow& row, const UpstreamProblem& problem, const std::string& message)
{
    const bool any_status = row.status_from == 0;
    const bool in_range = problem.status >= row.status_from && problem.status <= row.status_to;
    switch (row.field) {
    case Field::code_or_type:
        return !row.word.empty() &&
               (equals_ignoring_case(problem.code, row.word) || equals_ignoring_case(problem.type, row.word));
    case Field::message: return (any_status || in_range || problem.status == 0) && message.find(row.word) != std::string::npos;
    case Field::status: return in_range;
    }
    return false;
}

std::string text_member(const OrderedJson& object, const char* name)
{
    const auto found = object.find(name);
    if (found == object.end())
        return {};
    if (found->is_string())
        return found->get<std::string>();
    return found->is_number_integer() ? std::to_string(found->get<std::int64_t>()) : std::string();
}

bool from_caller(FailureClass kind)
{
    return kind == FailureClass::bad_request || kind == FailureClass::content_filter ||
           kind == FailureClass::context_length || kind == FailureClass::unsupported_param;
}

// A provider's code may stand in our answer only when it is a plain word.
bool plain_word(std::string_view text)
{
    return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    });
}

// Where in a request: messages[0].content, tools.3.function
bool field_path(std::string_view text)
{
    return !text.empty() && text.size() <= 128 && std::all_of(text.begin(), text.end(), [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || std::string_view("_-.[]").find(c) != std::string_view::npos;
    });
}

// Providers name the parameter in quotes when they give no `param`: Unsupported parameter: 'max_tokens' is …
std::string quoted_word(std::string_view message)
{
    for (const char quote : {'\'', '`', '"'}) {
        const auto start = message.find(quote);
        const auto end = start == std::string_view::npos ? start : message.find(quote, start + 1);
        if (end != std::string_view::npos && plain_word(message.substr(start + 1, end - start - 1)))
            return std::string(message.substr(start + 1, end - start - 1));
    }
    const auto colon = message.rfind(": ");
    const auto word = colon == std::string_view::npos ? std::string_view() : trim(message.substr(colon + 2));
    return plain_word(word) ? std::string(word) : std::string();
}

// URLs would tell where the provider is.
std::string without_urls(std::string text)
{
    for (auto at = text.find("://"); at != std::string::npos; at = text.find("://", at)) {
        auto start = at;
        while (start > 0 && std::isalpha(static_cast<unsigned char>(text[start - 1])) != 0)
            --start;
        const auto end = std::min(text.find_first_of(" \"'<>)\n", at), text.size());
        text.replace(start, end - start, "[url]");
        at = start;
    }
    return text;
}

}  // namespace

std::string_view name_of(FailureClass kind)
{
    return form_of(kind).name;
}

void hide_own_secrets(Failure& failure, const config::Provider& provider)
{
    for (auto* text : {&failure.message, &failure.detail, &failure.code, &failure.param}) {
        for (const auto& key : provider.keys)
            hide_value(*text, key.reveal());
        for (const auto& [name, value] : provider.headers)
            hide_value(*text, value);
    }
}

std::string_view error_type_of(const Error& error)
{
    static constexpr std::array<std::string_view, 5> of_the_gateway = {
        "budget_exceeded", "budget_unavailable", "usage_unavailable", "tools_not_supported", "invalid_value"};
    for (const auto& form : client_forms)
        if (form.reason == error.reason())
            return form.reason;
    const auto own = std::find(of_the_gateway.begin(), of_the_gateway.end(), error.reason());
    if (own != of_the_gateway.end())
        return *own;
    return error.code() == Errc::invalid_argument ? "bad_request" : name_of(error.code());
}

Error to_error(const Failure& failure)
{
    const auto& form = form_of(failure.kind);
    auto message = failure.message.empty() ? std::string(form.sentence) : redact(without_urls(failure.message));
    auto code = form.code;
    auto reason = std::string(form.reason);
    if (failure.kind == FailureClass::bad_request) {
        if (failure.status == 413)
            code = Errc::payload_too_large;
        if (plain_word(failure.code))
            reason = failure.code;
    }
    auto error = Error(code, to_valid_utf8(message)).reason(std::move(reason)).detail(redact(failure.detail));
    if (!failure.param.empty())
        (void)std::move(error).param(failure.param);
    if (failure.cooled_for) {
        (void)std::move(error).retry_after(
            std::max(std::chrono::ceil<std::chrono::seconds>(*failure.cooled_for), std::chrono::seconds(1)));
    } else if (failure.retry_after) {
        const auto whole = std::chrono::ceil<std::chrono::seconds>(*failure.retry_after);
        (void)std::move(error).retry_after(std::max(whole, std::chrono::seconds(1)));
    } else if (failure.kind == FailureClass::rate_limit) {   // the target is cooled down for as long
        const std::chrono::milliseconds pause = failure.limit_reset.value_or(pause_without_header);
        (void)std::move(error).retry_after(std::max(std::chrono::ceil<std::chrono::seconds>(pause), std::chrono::seconds(1)));
    } else if (failure.kind == FailureClass::busy || failure.kind == FailureClass::no_target) {
        (void)std::move(error).retry_after(std::chrono::seconds(1));
    }
    return error;
}

namespace {

// {"detail":[{"loc":["body","seed"],"msg":"Extra inputs are not permitted"}, …]}: the first of them.
void read_detail(const OrderedJson& detail, UpstreamProblem& problem)
{
    if (detail.is_string())
        problem.message = detail.get<std::string>();
    if (!detail.is_array() || detail.empty() || !detail.front().is_object())
        return;
    const auto& first = detail.front();
    problem.message = text_member(first, "msg");
    const auto place = first.find("loc");
    if (place == first.end() || !place->is_array())
        return;
    for (const auto& step : *place) {
        const auto name = step.is_string()             ? step.get<std::string>()
                          : step.is_number_integer() ? std::to_string(step.get<std::int64_t>())
                                                       : std::string();
        if (problem.param.empty() && name == "body")
            continue;
        problem.param += (problem.param.empty() ? "" : ".") + name;
    }
}

bool was_moderated(const OrderedJson& error)
{
    const auto told = error.find("metadata");
    return told != error.end() && told->is_object() && (told->contains("flagged_input") || told->contains("reasons"));
}

}  // namespace

UpstreamProblem read_problem(int status, const OrderedJson& body)
{
    UpstreamProblem problem;
    problem.status = status;
    if (!body.is_object())
        return problem;
    if (const auto detail = body.find("detail"); detail != body.end() && !body.contains("error"))
        read_detail(*detail, problem);
    const auto inner = body.find("error");
    if (inner != body.end() && inner->is_string()) {
        problem.message = inner->get<std::string>();
        return problem;
    }
    const auto& source = inner != body.end() && inner->is_object() ? *inner : body;
    if (auto message = text_member(source, "message"); !message.empty())
        problem.message = std::move(message);
    problem.code = text_member(source, "code");
    problem.type = text_member(source, "type");
    if (auto param = text_member(source, "param"); !param.empty())
        problem.param = std::move(param);
    int as_status = 0;   // OpenRouter and vLLM give the HTTP status as the code
    const auto* end = problem.code.data() + problem.code.size();
    const auto parsed = std::from_chars(problem.code.data(), end, as_status);
    if (parsed.ec == std::errc() && parsed.ptr == end && as_status >= 400 && as_status <= 599) {
        if (status < 400)
            problem.status = as_status;
        problem.code.clear();
    }
    if (was_moderated(source))
        problem.code = "content_filter";
    return problem;
}

Failure classify(const UpstreamProblem& problem)
{
    const auto message = ascii_lower(problem.message);
    const auto row = std::find_if(class_rows.begin(), class_rows.end(),
                                  [&](const auto& one) { return row_matches(one, problem, message); });
    Failure failure;
    failure.kind = row == class_rows.end() ? FailureClass::server : row->kind;
    const bool of_a_parameter = failure.kind == FailureClass::bad_request || failure.kind == FailureClass::unsupported_param;
    const auto refused = of_a_parameter && problem.status != 413 ? refused_parameter(problem.message, problem.param) : "";
    if (!refused.empty())
        failure.kind = FailureClass::unsupported_param;
    failure.status = problem.status;
    failure.detail = std::string(utf8_prefix(problem.message, longest_message));
    if (!from_caller(failure.kind))
        return failure;   // a provider's own troubles are told in our words
    failure.message = failure.detail;
    failure.code = problem.code;
    failure.param = !refused.empty() ? refused : field_path(problem.param) ? problem.param : "";
    if (failure.kind == FailureClass::context_length)
        failure.param = "messages";
    if (failure.kind == FailureClass::unsupported_param && failure.param.empty())
        failure.param = quoted_word(problem.message);
    return failure;
}

Failure classify_answer(int status, std::string_view body)
{
    const auto parsed = openai::parse_whole(body);
    auto problem = read_problem(status, parsed);
    if (parsed.is_discarded() && status >= 500 && status != 503 && status != 529)
        problem.type = "server_error";   // an HTML page of a gateway between
    return classify(problem);
}

std::optional<std::chrono::milliseconds> parse_limit_reset(std::string_view text, std::int64_t now_unix_ms)
{
    constexpr std::int64_t longest = 86'400'000;
    text = trim(text);
    if (text.find('T') != std::string_view::npos) {
        const auto time = parse_rfc3339(text);
        return time ? std::optional(std::chrono::milliseconds(std::clamp<std::int64_t>(*time - now_unix_ms, 0, longest)))
                    : std::nullopt;
    }
    double sum = 0;
    bool any = false;
    while (!text.empty()) {
        double value = 0;
        const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
        if (parsed.ec != std::errc() || !std::isfinite(value) || value < 0)
            return std::nullopt;
        text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
        const auto unit = text.substr(0, text.starts_with("ms") ? 2 : 1);
        const double factor = unit == "ms" ? 1 : unit == "s" ? 1000 : unit == "m" ? 60'000 : unit == "h" ? 3'600'000 : 0;
        if (factor == 0)
            return std::nullopt;
        text.remove_prefix(unit.size());
        sum += value * factor;
        any = true;
    }
    return any ? std::optional(std::chrono::milliseconds(static_cast<std::int64_t>(std::min<double>(sum, longest))))
               : std::nullopt;
}

std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view milliseconds, std::string_view seconds_or_date,
                                                           std::int64_t now_unix_ms)
{
    constexpr double longest = 86'400'000;
    const auto number = [](std::string_view text) -> std::optional<double> {
        double value = 0;
        const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
        if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || !std::isfinite(value) || value < 0)
            return std::nullopt;
        return value;
    };
    const auto pause = [longest](double value) {
        return std::chrono::milliseconds(static_cast<std::int64_t>(std::min(value, longest)));
    };
    if (const auto value = number(trim(milliseconds)))
        return pause(*value);
    const auto text = trim(seconds_or_date);
    if (const auto value = number(text))
        return pause(*value * 1000);
    if (text.size() > 64)
        return std::nullopt;
    // The three forms of RFC 9110 §5.6.7; strptime takes the long name of a day for %a too.
    for (const auto* form : {"%a, %d %b %Y %H:%M:%S GMT", "%a, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"}) {
        std::tm date{};
        const std::string date_text(text);
        if (const auto* end = strptime(date_text.c_str(), form, &date); end != nullptr && *end == '\0')
            return pause(std::max(0.0, static_cast<double>(timegm(&date)) * 1000 - static_cast<double>(now_unix_ms)));
    }
    return std::nullopt;
}

}  // namespace dure::llm
