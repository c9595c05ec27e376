// Reads and checks a chat completion request; see completion_input.hpp. null counts as absent everywhere.
#include "api/chat/completion_input.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

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

// null counts as absent.
bool present(const JsonView& value)
{
    return value.kind() != JsonKind::null && value.kind() != JsonKind::invalid;
}

// The members of a body that are looked at here.
enum class Name : std::uint8_t {
    model,
    messages,
    dure_strategy,
    stream,
    stream_options,
    temperature,
    top_p,
    frequency_penalty,
    presence_penalty,
    n,
    max_tokens,
    max_completion_tokens,
    top_logprobs,
    seed,
    logprobs,
    parallel_tool_calls,
    logit_bias,
    response_format,
    tools,
    tool_choice,
    reasoning_effort,
    user,
    stop
};

struct Known {
    Name name;
    std::string_view text;
};

constexpr std::array<Known, 23> known_names = {{{Name::model, "model"},
                                                {Name::messages, "messages"},
                                                {Name::dure_strategy, "dure_strategy"},
                                                {Name::stream, "stream"},
                                                {Name::stream_options, "stream_options"},
                                                {Name::temperature, "temperature"},
                                                {Name::top_p, "top_p"},
                                                {Name::frequency_penalty, "frequency_penalty"},
                                                {Name::presence_penalty, "presence_penalty"},
                                                {Name::n, "n"},
                                                {Name::max_tokens, "max_tokens"},
                                                {Name::max_completion_tokens, "max_completion_tokens"},
                                                {Name::top_logprobs, "top_logprobs"},
                                                {Name::seed, "seed"},
                                                {Name::logprobs, "logprobs"},
                                                {Name::parallel_tool_calls, "parallel_tool_calls"},
                                                {Name::logit_bias, "logit_bias"},
                                                {Name::response_format, "response_format"},
                                                {Name::tools, "tools"},
                                                {Name::tool_choice, "tool_choice"},
                                                {Name::reasoning_effort, "reasoning_effort"},
                                                {Name::user, "user"},
                                                {Name::stop, "stop"}}};

constexpr std::size_t place_of(Name name)
{
    return static_cast<std::size_t>(name);
}

static_assert(std::all_of(known_names.begin(), known_names.end(),
                          [place = 0u](const Known& known) mutable { return place_of(known.name) == place++; }));

constexpr std::string_view text_of(Name name)
{
    return known_names[place_of(name)].text;
}

// For each length the names of that length, one after the other: a key is compared with at most a few of them.
class NamesByLength {
public:
    constexpr NamesByLength()
    {
        std::size_t at = 0;
        for (std::size_t length = 0; length < ends_.size(); ++length) {
            for (std::size_t place = 0; place < known_names.size(); ++place)
                if (known_names[place].text.size() == length)
                    places_[at++] = static_cast<std::uint8_t>(place);
            ends_[length] = static_cast<std::uint8_t>(at);
        }
    }

    constexpr std::optional<std::size_t> find(std::string_view key) const
    {
        if (key.empty() || key.size() >= ends_.size())
            return std::nullopt;
        for (std::size_t i = ends_[key.size() - 1]; i < ends_[key.size()]; ++i)
            if (const auto name = known_names[places_[i]].text; name.front() == key.front() && name == key)
                return places_[i];
        return std::nullopt;
    }

private:
    std::array<std::uint8_t, 24> ends_{};   // behind the last of each length, in places_
    std::array<std::uint8_t, known_names.size()> places_{};
};

constexpr NamesByLength names_by_length;
static_assert(names_by_length.find("max_completion_tokens") == place_of(Name::max_completion_tokens));

// What a body says under each name, from one walk over its members. Where it says nothing, or null, the value is invalid.
class Fields {
public:
    explicit Fields(const JsonIndex& body)
    {
        body.for_each_member_span([&](std::string_view key, const JsonView& value, std::string_view) {
            if (const auto place = names_by_length.find(key); place && present(value) && !present(values_[*place]))
                values_[*place] = value;
        });
    }
    const JsonView& operator[](Name name) const { return values_[place_of(name)]; }

private:
    std::array<JsonView, known_names.size()> values_;
};

struct NumberRule {
    Name name;
    double least;
    double most;
    bool whole;
};

// max_tokens has no upper bound here: the model's own limit answers that.
constexpr double no_bound = 9007199254740992.0;
constexpr std::array<NumberRule, 9> number_rules = {
    {{Name::temperature, 0, 2, false},
     {Name::top_p, 0, 1, false},
     {Name::frequency_penalty, -2, 2, false},
     {Name::presence_penalty, -2, 2, false},
     {Name::n, 1, 128, true},
     {Name::max_tokens, 1, no_bound, true},
     {Name::max_completion_tokens, 1, no_bound, true},
     {Name::top_logprobs, 0, 20, true},
     {Name::seed, -9223372036854775808.0, 9223372036854775807.0, true}}};

std::string plain(double number)
{
    constexpr auto most = std::numeric_limits<std::int64_t>::max();   // as a double it is one more
    return std::to_string(number >= static_cast<double>(most) ? most : static_cast<std::int64_t>(number));
}

// Of a range that nobody meets the other end of, only the one that was passed is told.
Error misfit(const NumberRule& rule, double number)
{
    const auto range = rule.most < no_bound  ? "between " + plain(rule.least) + " and " + plain(rule.most)
                       : number < rule.least ? "at least " + plain(rule.least)
                                             : "at most " + plain(rule.most);
    return wrong(text_of(rule.name), std::string(text_of(rule.name)) + " must be " + range + ".");
}

Error wrong_type(Name name, std::string_view wanted)
{
    return wrong(text_of(name), std::string(text_of(name)) + " must be " + std::string(wanted) + ".", "invalid_type");
}

// Numbers that are read as such once they are checked.
struct Numbers {
    std::optional<double> temperature;
    std::optional<double> n;
    std::optional<double> max_tokens;
    std::optional<double> max_completion_tokens;

    void keep(Name name, double number)
    {
        switch (name) {
        case Name::temperature: temperature = number; break;
        case Name::n: n = number; break;
        case Name::max_tokens: max_tokens = number; break;
        case Name::max_completion_tokens: max_completion_tokens = number; break;
        default: break;
        }
    }
};

std::optional<Error> check_numbers(const Fields& body, Numbers& numbers)
{
    for (const auto& rule : number_rules) {
        const auto& value = body[rule.name];
        if (!present(value))
            continue;
        const auto number = value.as_double();
        if (!number)
            return wrong_type(rule.name, "a number");
        if (rule.whole && (!std::isfinite(*number) || std::floor(*number) != *number))
            return wrong_type(rule.name, "a whole number");
        if (*number < rule.least || *number > rule.most)
            return misfit(rule, *number);
        numbers.keep(rule.name, *number);
    }
    return std::nullopt;
}

struct KindRule {
    Name name;
    JsonKind one;
    JsonKind other;
    std::string_view words;
};

constexpr std::array<KindRule, 10> kind_rules = {
    {{Name::stream, JsonKind::boolean, JsonKind::boolean, "true or false"},
     {Name::logprobs, JsonKind::boolean, JsonKind::boolean, "true or false"},
     {Name::parallel_tool_calls, JsonKind::boolean, JsonKind::boolean, "true or false"},
     {Name::stream_options, JsonKind::object, JsonKind::object, "an object"},
     {Name::logit_bias, JsonKind::object, JsonKind::object, "an object"},
     {Name::response_format, JsonKind::object, JsonKind::object, "an object"},
     {Name::tools, JsonKind::array, JsonKind::array, "an array"},
     {Name::tool_choice, JsonKind::string, JsonKind::object, "a string or an object"},
     {Name::reasoning_effort, JsonKind::string, JsonKind::string, "a string"},
     {Name::user, JsonKind::string, JsonKind::object, "a string or an object"}}};

std::optional<Error> check_kinds(const Fields& body)
{
    for (const auto& rule : kind_rules) {
        const auto& value = body[rule.name];
        if (present(value) && value.kind() != rule.one && value.kind() != rule.other)
            return wrong_type(rule.name, rule.words);
    }
    return std::nullopt;
}

// Which types there are is the affair of the model that is asked.
std::optional<Error> check_response_format(const Fields& body)
{
    const auto& format = body[Name::response_format];
    const auto type = present(format) ? format.find("type") : std::nullopt;
    if (present(format) && (!type || !type->is_string()))
        return wrong("response_format", "response_format needs a type.", "missing_required_parameter");
    return std::nullopt;
}

std::optional<Error> check_stop(const Fields& body)
{
    const auto& stop = body[Name::stop];
    if (!present(stop) || stop.is_string())
        return std::nullopt;
    if (!stop.is_array())
        return wrong("stop", "stop must be a string or an array of strings.", "invalid_type");
    std::size_t count = 0;
    bool strings = true;
    stop.for_each_element([&](const JsonView& one) {
        ++count;
        strings = strings && one.is_string();
    });
    if (!strings)
        return wrong("stop", "stop must hold strings only.", "invalid_type");
    if (count > 4)
        return wrong("stop", "stop may hold at most 4 strings.");
    return std::nullopt;
}

std::optional<Error> check_logit_bias(const Fields& body)
{
    const auto& bias = body[Name::logit_bias];
    bool in_range = true;
    if (present(bias))
        bias.for_each_member([&](std::string_view, const JsonView& value) {
            const auto number = value.is_number() ? value.as_double() : std::nullopt;
            in_range = in_range && number && *number >= -100 && *number <= 100;
        });
    if (!in_range)
        return wrong("logit_bias", "logit_bias must hold numbers from -100 to 100.");
    return std::nullopt;
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

std::optional<Error> problem_of_message(const chat::SentMessage& message, std::size_t index)
{
    const auto place = [index] { return "messages[" + std::to_string(index) + "]"; };
    if (!message.whole.is_object())
        return wrong(place(), "Each message must be an object.", "invalid_type");
    if (!message.role.is_string())
        return wrong(place() + ".role", "Each message needs a role.", "missing_required_parameter");
    constexpr std::array<std::string_view, 6> roles = {"user", "assistant", "system", "developer", "tool", "function"};
    if (std::none_of(roles.begin(), roles.end(), [&](auto role) { return message.role.string_is(role); }))
        return wrong(place() + ".role", "role must be one of system, developer, user, assistant, tool.");
    if (message.content.is_string())
        return std::nullopt;
    if (message.content.is_array())
        return problem_of_parts(message.content, place() + ".content");
    if (present(message.content))
        return wrong(place() + ".content", "content must be a string, an array of parts or null.", "invalid_type");
    if (message.role.string_is("user"))
        return wrong(place() + ".content", "A message of the user needs content.", "missing_required_parameter");
    return std::nullopt;
}

std::optional<Error> check_messages(const Fields& body, chat::CompletionCall& call)
{
    const auto& list = body[Name::messages];
    if (!present(list))
        return wrong("messages", "messages is required.", "missing_required_parameter");
    if (!list.is_array())
        return wrong("messages", "messages must be an array.", "invalid_type");
    call.message_list = list;
    std::optional<Error> problem;
    call.messages = chat::sent_messages(list, [&problem](const chat::SentMessage& message, std::size_t index) {
        problem = problem_of_message(message, index);
        return !problem;
    });
    if (problem)
        return problem;
    if (call.messages.empty())
        return wrong("messages", "messages must not be empty.");
    return std::nullopt;
}

enum class Need { required, optional };

std::optional<Error> read_text(const Fields& body, Name name, Need need, std::string& into)
{
    const auto& value = body[name];
    const bool required = need == Need::required;
    if (!present(value)) {
        if (!required)
            return std::nullopt;
        return wrong(text_of(name), std::string(text_of(name)) + " is required.", "missing_required_parameter");
    }
    if (!value.is_string())
        return wrong_type(name, "a string");
    into = value.string();
    if (required && into.empty())
        return wrong(text_of(name), std::string(text_of(name)) + " must not be empty.");
    return std::nullopt;
}

void read_optional_fields(const Fields& body, const Numbers& numbers, chat::CompletionCall& call)
{
    const auto if_present = [&](Name name) { return present(body[name]) ? std::optional(body[name]) : std::nullopt; };
    call.stream = body[Name::stream].as_bool().value_or(false);
    if (call.stream && present(body[Name::stream_options])) {
        const auto usage = body[Name::stream_options].find("include_usage");
        call.include_usage = usage && usage->as_bool().value_or(false);
    }
    call.tools = if_present(Name::tools);
    call.tool_choice = if_present(Name::tool_choice);
    call.temperature = numbers.temperature;
    // Either is accepted, the newer name wins (openai-clients §3).
    const auto limit = numbers.max_completion_tokens ? numbers.max_completion_tokens : numbers.max_tokens;
    if (limit)
        call.max_tokens = static_cast<std::int64_t>(*limit);
    call.n = static_cast<std::int64_t>(numbers.n.value_or(1));
}

// The first problem of the body in the order in which clients are used to be told.
std::optional<Error> read_fields(const Fields& body, chat::CompletionCall& call)
{
    if (auto problem = read_text(body, Name::model, Need::required, call.model))
        return problem;
    if (auto problem = check_messages(body, call))
        return problem;
    if (auto problem = read_text(body, Name::dure_strategy, Need::optional, call.strategy))
        return problem;
    if (auto problem = check_kinds(body))
        return problem;
    Numbers numbers;
    if (auto problem = check_numbers(body, numbers))
        return problem;
    if (auto problem = check_logit_bias(body))
        return problem;
    if (auto problem = check_stop(body))
        return problem;
    if (auto problem = check_response_format(body))
        return problem;
    read_optional_fields(body, numbers, call);
    return std::nullopt;
}

}  // namespace

Result<chat::CompletionCall> read_completion(std::string_view body, schema::JsonIndex members)
{
    if (!JsonView(body).is_object())
        return wrong("", "The body must be a JSON object.", "invalid_type");
    const Fields fields(members);
    Result<chat::CompletionCall> call{chat::CompletionCall()};
    if (auto problem = read_fields(fields, *call))
        return std::move(*problem);
    call->body = body;
    call->members = std::move(members);
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
