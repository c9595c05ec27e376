// Reads and checks a chat completion request; see completion_input.hpp. null counts as absent everywhere.
#include "api/chat/completion_input.hpp"

#include <array>
#include <cmath>

#include "dure/base/text.hpp"

namespace dure::api {

using schema::JsonIndex;
using schema::JsonKind;
using schema::JsonView;

namespace {

Error wrong(std::string_view param, std::string message, std::string_view reason = "invalid_value")
{
    return Error(Errc::invalid_argument, std::move(message)).param(std::string(param)).reason(std::string(reason));
}

template <class Object>
std::optional<JsonView> present(const Object& body, std::string_view key)
{
    auto value = body.find(key);
    if (value && value->kind() == JsonKind::null)
        return std::nullopt;
    return value;
}

struct NumberRule {
    std::string_view name;
    double least;
    double most;
    bool whole;
};

// max_tokens has no upper bound here: the model's own limit answers that.
constexpr double no_bound = 9007199254740992.0;
constexpr std::array<NumberRule, 9> number_rules = {{{"temperature", 0, 2, false},
                                                     {"top_p", 0, 1, false},
                                                     {"frequency_penalty", -2, 2, false},
                                                     {"presence_penalty", -2, 2, false},
                                                     {"n", 1, 128, true},
                                                     {"max_tokens", 1, no_bound, true},
                                                     {"max_completion_tokens", 1, no_bound, true},
                                                     {"top_logprobs", 0, 20, true},
                                                     {"seed", -9223372036854775808.0, 9223372036854775807.0, true}}};

std::string plain(double number)
{
    return std::to_string(static_cast<long long>(number));
}

Result<void> check_numbers(const JsonIndex& body)
{
    for (const auto& rule : number_rules) {
        const auto value = present(body, rule.name);
        if (!value)
            continue;
        const std::string name(rule.name);
        const auto number = value->kind() == JsonKind::number ? value->as_double() : std::nullopt;
        if (!number)
            return wrong(rule.name, name + " must be a number.", "invalid_type");
        if (rule.whole && (!std::isfinite(*number) || std::floor(*number) != *number))
            return wrong(rule.name, name + " must be a whole number.", "invalid_type");
        if (*number < rule.least || *number > rule.most)
            return wrong(rule.name,
                         name + " must be " +
                             (rule.most >= no_bound ? "at least " + plain(rule.least)
                                                    : "between " + plain(rule.least) + " and " + plain(rule.most)) +
                             ".");
    }
    return {};
}

struct KindRule {
    std::string_view name;
    JsonKind one;
    JsonKind other;
    std::string_view words;
};

constexpr std::array<KindRule, 10> kind_rules = {
    {{"stream", JsonKind::boolean, JsonKind::boolean, "true or false"},
     {"logprobs", JsonKind::boolean, JsonKind::boolean, "true or false"},
     {"parallel_tool_calls", JsonKind::boolean, JsonKind::boolean, "true or false"},
     {"stream_options", JsonKind::object, JsonKind::object, "an object"},
     {"logit_bias", JsonKind::object, JsonKind::object, "an object"},
     {"response_format", JsonKind::object, JsonKind::object, "an object"},
     {"tools", JsonKind::array, JsonKind::array, "an array"},
     {"tool_choice", JsonKind::string, JsonKind::object, "a string or an object"},
     {"reasoning_effort", JsonKind::string, JsonKind::string, "a string"},
     {"user", JsonKind::string, JsonKind::object, "a string or an object"}}};

Result<void> check_kinds(const JsonIndex& body)
{
    for (const auto& rule : kind_rules) {
        const auto value = present(body, rule.name);
        if (value && value->kind() != rule.one && value->kind() != rule.other)
            return wrong(rule.name, std::string(rule.name) + " must be " + std::string(rule.words) + ".",
                         "invalid_type");
    }
    return {};
}

// Which types there are is the affair of the model that is asked.
Result<void> check_response_format(const JsonIndex& body)
{
    const auto format = present(body, "response_format");
    const auto type = format ? format->find("type") : std::nullopt;
    if (format && (!type || type->kind() != JsonKind::string))
        return wrong("response_format", "response_format needs a type.", "missing_required_parameter");
    return {};
}

Result<void> check_stop(const JsonIndex& body)
{
    const auto stop = present(body, "stop");
    if (!stop || stop->kind() == JsonKind::string)
        return {};
    if (stop->kind() != JsonKind::array)
        return wrong("stop", "stop must be a string or an array of strings.", "invalid_type");
    std::size_t count = 0;
    bool strings = true;
    stop->for_each_element([&](const JsonView& one) {
        ++count;
        strings = strings && one.kind() == JsonKind::string;
    });
    if (!strings)
        return wrong("stop", "stop must hold strings only.", "invalid_type");
    if (count > 4)
        return wrong("stop", "stop may hold at most 4 strings.");
    return {};
}

// Types that are not known here are passed on: providers have more of them.
std::optional<Error> problem_of_parts(const JsonView& parts, const std::string& place)
{
    std::optional<Error> problem;
    std::size_t count = 0;
    parts.for_each_element([&](const JsonView& part) {
        const auto at = count++;
        if (problem)
            return;
        const auto here = [&] { return place + "[" + std::to_string(at) + "]"; };
        const auto type = part.kind() == JsonKind::object ? part.find("type") : std::nullopt;
        if (!type || type->kind() != JsonKind::string) {
            problem = wrong(here() + ".type", "Each part of a content must be an object with a type.",
                            "missing_required_parameter");
            return;
        }
        const auto name = type->string();
        const auto value = name == "text" || name == "image_url" ? part.find(name) : std::nullopt;
        const auto kind = value ? value->kind() : JsonKind::null;
        if (name == "text" && kind != JsonKind::string)
            problem =
                wrong(here() + ".text", "A part of type text needs its text, a string.", "missing_required_parameter");
        else if (name == "image_url" && kind != JsonKind::object && kind != JsonKind::string)
            problem = wrong(here() + ".image_url", "A part of type image_url needs an object with its url.",
                            "missing_required_parameter");
    });
    return problem;
}

Result<JsonView> check_messages(const JsonIndex& body)
{
    const auto messages = present(body, "messages");
    if (!messages)
        return wrong("messages", "messages is required.", "missing_required_parameter");
    if (messages->kind() != JsonKind::array)
        return wrong("messages", "messages must be an array.", "invalid_type");
    std::size_t count = 0;
    std::optional<Error> problem;
    messages->for_each_element([&](const JsonView& message) {
        const auto at = count++;
        if (problem)
            return;
        const auto place = [at] { return "messages[" + std::to_string(at) + "]"; };
        if (message.kind() != JsonKind::object) {
            problem = wrong(place(), "Each message must be an object.", "invalid_type");
            return;
        }
        const auto role = message.find("role");
        if (!role || role->kind() != JsonKind::string) {
            problem = wrong(place() + ".role", "Each message needs a role.", "missing_required_parameter");
            return;
        }
        constexpr std::array<std::string_view, 6> roles = {"system",    "developer", "user",
                                                           "assistant", "tool",      "function"};
        if (std::find(roles.begin(), roles.end(), role->string()) == roles.end()) {
            problem = wrong(place() + ".role", "role must be one of system, developer, user, assistant, tool.");
            return;
        }
        const auto content = message.find("content");
        const auto kind = content ? content->kind() : JsonKind::null;
        if (kind != JsonKind::string && kind != JsonKind::array && kind != JsonKind::null)
            problem =
                wrong(place() + ".content", "content must be a string, an array of parts or null.", "invalid_type");
        else if (kind == JsonKind::null && role->string() == "user")
            problem = wrong(place() + ".content", "A message of the user needs content.", "missing_required_parameter");
        else if (kind == JsonKind::array)
            problem = problem_of_parts(*content, place() + ".content");
    });
    if (problem)
        return *problem;
    if (count == 0)
        return wrong("messages", "messages must not be empty.");
    return *messages;
}

Result<std::string> text_field(const JsonIndex& body, std::string_view name, bool required)
{
    const auto value = present(body, name);
    if (!value && !required)
        return std::string();
    if (!value)
        return wrong(name, std::string(name) + " is required.", "missing_required_parameter");
    if (value->kind() != JsonKind::string)
        return wrong(name, std::string(name) + " must be a string.", "invalid_type");
    auto text = value->string();
    if (required && text.empty())
        return wrong(name, std::string(name) + " must not be empty.");
    return text;
}

void read_optional_fields(const JsonIndex& body, chat::CompletionCall& call)
{
    const auto number = [&](std::string_view key) {
        const auto value = present(body, key);
        return value ? value->as_double() : std::nullopt;
    };
    const auto yes = [](const std::optional<JsonView>& value) { return value && value->as_bool().value_or(false); };
    call.stream = yes(present(body, "stream"));
    if (const auto options = present(body, "stream_options"); options && call.stream)
        call.include_usage = yes(present(*options, "include_usage"));
    call.tools = present(body, "tools");
    call.tool_choice = present(body, "tool_choice");
    call.temperature = number("temperature");
    // Either is accepted, the newer name wins (openai-clients §3).
    const auto limit = number("max_completion_tokens") ? number("max_completion_tokens") : number("max_tokens");
    if (limit)
        call.max_tokens = static_cast<std::int64_t>(*limit);
    call.n = static_cast<std::int64_t>(number("n").value_or(1));
}

}  // namespace

Result<chat::CompletionCall> read_completion(std::string_view body)
{
    const JsonView view(body);
    if (view.kind() != JsonKind::object)
        return wrong("", "The body must be a JSON object.", "invalid_type");
    const JsonIndex index(view);   // one pass over a body that may hold megabytes of images
    auto model = text_field(index, "model", true);
    if (!model)
        return model.error();
    auto messages = check_messages(index);
    if (!messages)
        return messages.error();
    auto strategy = text_field(index, "dure_strategy", false);
    if (!strategy)
        return strategy.error();
    for (const auto check : {check_kinds, check_numbers, check_stop, check_response_format})
        if (auto fine = check(index); !fine)
            return fine.error();
    chat::CompletionCall call;
    call.body = body;
    call.model = std::move(*model);
    call.messages = *messages;
    call.strategy = std::move(*strategy);
    read_optional_fields(index, call);
    return call;
}

chat::ClientHints read_hints(const RequestContext& context)
{
    chat::ClientHints hints;
    hints.chat_id = context.header("x-openwebui-chat-id");
    hints.task = context.header("x-openwebui-task");
    hints.user_message_id = context.header("x-openwebui-user-message-id");
    for (const auto& header : context.head().headers)
        if (header.name.size() > 12 && equals_ignoring_case(header.name.substr(0, 12), "x-openwebui-"))
            hints.open_webui = true;
    return hints;
}

}  // namespace dure::api
