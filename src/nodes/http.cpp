// Kind `http`: one request under the egress policy. {"body", "status", "headers"}
// Not expected answers are errors: 408 and 504 timeout, 429 rate_limited (with its Retry-After), 5xx upstream_failed, all others
// invalid_argument; reason "http_status".
#include <charconv>

#include "dure/base/secret_text.hpp"
#include "dure/base/text.hpp"
#include "dure/flows/config_values.hpp"
#include "dure/schema/json_check.hpp"
#include "nodes/http_request.hpp"

namespace dure::nodes {
namespace {

constexpr auto longest_request = std::chrono::seconds(120);

// "2xx", "200-299", "any".
bool status_fits_word(int status, std::string_view word)
{
    const auto number = [](std::string_view text) {
        int value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        return error == std::errc() && end == text.data() + text.size() ? value : -1;
    };
    if (word == "any" || word == "*")
        return true;
    if (word.size() == 3 && ascii_lower(word).ends_with("xx"))
        return status / 100 == word.front() - '0';
    const auto dash = word.find('-');
    if (dash == std::string_view::npos)
        return status == number(word);
    return status >= number(trim(word.substr(0, dash))) && status <= number(trim(word.substr(dash + 1)));
}

// expect_status: a number, a word, or a list of them; absent: 2xx.
std::vector<std::string> expected_statuses(ConfigReader& reader)
{
    const auto* value = reader.find("expect_status");
    if (!value)
        return {"2xx"};
    std::vector<std::string> words;
    for (const auto& one : value->is_array() ? *value : Json::array({*value})) {
        if (!flows::is_expected_status(one))
            reader.problem("expect_status", flows::expected_status_forms);
        words.push_back(one.is_string() ? std::string(trim(one.get_ref<const std::string&>())) : dump(one));
    }
    if (words.empty())
        reader.problem("expect_status", "must not be an empty list");
    return words;
}

std::optional<std::chrono::seconds> pause_of(std::string_view header)
{
    int seconds = 0;
    const auto [end, error] = std::from_chars(header.data(), header.data() + header.size(), seconds);
    if (error != std::errc() || end != header.data() + header.size() || seconds < 0)
        return std::nullopt;
    return std::chrono::seconds(seconds);
}

Error unexpected(const http::FetchAnswer& answer)
{
    const auto status = answer.status;
    const auto code = status == 408 || status == 504 ? Errc::timeout
                      : status == 429                ? Errc::rate_limited
                      : status >= 500                ? Errc::upstream_failed
                                                     : Errc::invalid_argument;
    auto error =
        Error(code, "The server answered with the status " + std::to_string(status) + ".").reason("http_status");
    if (const auto pause = pause_of(answer.header("retry-after")); pause && (status == 429 || status >= 500))
        return std::move(error).retry_after(*pause);
    return error;
}

bool is_json_type(std::string_view type)
{
    const auto name = ascii_lower(trim(type.substr(0, type.find(';'))));
    return name == "application/json" || name.ends_with("+json");
}

// Duplicate keys are the far side's habit: the last one counts.
std::optional<Json> parsed(const std::string& text)
{
    schema::JsonLimits limits;
    limits.refuse_duplicates = false;
    if (!schema::check_json(text, limits))
        return std::nullopt;
    return Json::parse(text);
}

Result<Json> body_of(const http::FetchAnswer& answer, std::string bytes, std::string_view form)
{
    if (form == "bytes")
        return Json(base64(bytes));
    if (form == "json" || (form == "auto" && is_json_type(answer.header("content-type")))) {
        if (auto json = parsed(bytes))
            return std::move(*json);
        if (form == "json")
            return Error(Errc::upstream_failed, "The server's answer is not JSON.").reason("response_not_json");
    }
    if (form == "text")
        return Json(to_valid_utf8(bytes));
    return valid_utf8(bytes) && bytes.find('\0') == std::string::npos ? Json(std::move(bytes)) : Json(base64(bytes));
}

Json headers_of(const http::FetchAnswer& answer, const std::vector<std::string>& secrets)
{
    auto headers = Json::object();
    for (const auto& [name, value] : answer.headers) {
        const auto key = ascii_lower(name);
        if (key == "set-cookie")  // there are no cookies
            continue;
        const auto shown = to_valid_utf8(without_secrets(value, secrets));
        headers[key] = headers.contains(key) ? headers[key].get<std::string>() + ", " + shown : shown;
    }
    return headers;
}

// "VARIABLE@host,*.domain", on every port of them.
bool may_go_to(std::string_view entry, std::string_view host)
{
    auto at = entry.find('@');
    while (at != std::string_view::npos) {
        entry.remove_prefix(at + 1);
        at = entry.find(',');
        const auto one = entry.substr(0, at);
        const bool fits =
            one.starts_with("*.") ? host.size() > one.size() - 1 && host.ends_with(one.substr(1)) : host == one;
        if (fits)
            return true;
    }
    return false;
}

// The address that is asked first decides; where a secret is bound to hosts, a redirect to another origin is given nothing.
Result<void> check_secrets_go_home(HttpPlan& plan, const config::Flows& settings)
{
    if (plan.secret_names.empty())
        return {};
    const auto url = http::parse_url(plan.request.url);
    if (!url)
        return url.error();
    for (const auto& name : plan.secret_names) {
        const auto entry = settings.secrets_env.find(name);
        if (entry == settings.secrets_env.end() || entry->second.find('@') == std::string::npos)
            continue;
        plan.request.only_for_first_origin = true;
        if (!may_go_to(entry->second, ascii_lower(url->host)))
            return Error(Errc::invalid_argument, "The secret " + name + " may not be sent to this host.")
                .reason("secret_not_for_host")
                .param("url");
    }
    return {};
}

}  // namespace

Task<Result<Json>> run_http(const Shared& shared, flows::NodeCall& call, Services& secrets)
{
    ConfigReader reader(call.config);
    const auto expected = expected_statuses(reader);
    const auto form = reader.find("response") ? reader.text("response") : "auto";
    if (form != "auto" && form != "json" && form != "text" && form != "bytes")
        reader.problem("response", "must be auto, json, text or bytes");
    if (auto fine = reader.done(); !fine)
        co_return fine.error();
    auto plan = read_http_plan(call, secrets);
    if (!plan)
        co_return plan.error();
    if (auto fine = check_secrets_go_home(*plan, shared.parts.settings.flows); !fine)
        co_return fine.error();
    plan->request.deadline = call.context.deadline().sooner(longest_request);
    plan->request.timeouts.head = longest_request;
    auto answer = co_await http::fetch(shared.parts.client, shared.parts.egress, std::move(plan->request));
    if (!answer)
        co_return answer.error();
    const bool fits = std::any_of(expected.begin(), expected.end(),
                                  [&](const auto& word) { return status_fits_word(answer->status, word); });
    if (!fits)
        co_return unexpected(*answer);
    auto body = body_of(*answer, without_secrets(std::move(answer->body), plan->secrets), form);
    if (!body)
        co_return body.error();
    auto output = Json::object();
    output["body"] = std::move(*body);
    output["status"] = answer->status;
    output["headers"] = headers_of(*answer, plan->secrets);
    co_return output;
}

}  // namespace dure::nodes
