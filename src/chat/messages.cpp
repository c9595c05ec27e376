// Reading a client's message list; see messages.hpp. Forms that occur: openai-clients §4.
#include "chat/messages.hpp"

#include <utility>

#include "dure/base/text.hpp"

namespace dure::chat {

using schema::JsonKind;
using schema::JsonView;

namespace {

Error wrong(std::string param, std::string message)
{
    return Error(Errc::invalid_argument, std::move(message)).param(std::move(param)).reason("invalid_value");
}

std::string text_member(const JsonView& object, std::string_view key)
{
    const auto value = object.find(key);
    return value && value->kind() == JsonKind::string ? value->string() : std::string();
}

// Text of a content value: a string, or the text parts of an array.
std::string content_text(const JsonView& content)
{
    if (content.is_string())
        return content.string();
    std::string all;
    content.for_each_element([&](const JsonView& part) {
        const auto text = part.kind() == JsonKind::object ? text_member(part, "text") : std::string();
        if (!text.empty())
            all += (all.empty() ? "" : "\n") + text;
    });
    return all;
}

std::optional<model::Role> role_of(std::string_view name)
{
    if (name == "system" || name == "developer")
        return model::Role::system;
    if (name == "user")
        return model::Role::user;
    if (name == "assistant")
        return model::Role::assistant;
    if (name == "tool" || name == "function")
        return model::Role::tool;
    return std::nullopt;
}

// Histories of Ollama's form have an object in place of its JSON text, and calls without arguments.
Result<std::string> arguments_of(const JsonView& function, const std::string& place)
{
    const auto arguments = function.find("arguments");
    if (!arguments || arguments->kind() == JsonKind::null)
        return std::string("{}");
    if (arguments->kind() == JsonKind::object)
        return std::string(arguments->raw());
    if (arguments->kind() != JsonKind::string)
        return wrong(place + ".arguments", "arguments must be a string with a JSON object.");
    return arguments->string();
}

Result<model::ToolCall> tool_call_of(const JsonView& call, const std::string& place)
{
    const auto function = call.kind() == JsonKind::object ? call.find("function") : std::nullopt;
    if (!function || function->kind() != JsonKind::object)
        return wrong(place + ".function", "A tool call needs a function object.");
    auto name = text_member(*function, "name");
    if (name.empty())
        return wrong(place + ".function.name", "A tool call needs the name of its function.");
    auto arguments = arguments_of(*function, place + ".function");
    if (!arguments)
        return arguments.error();
    return model::ToolCall{text_member(call, "id"), std::move(name), std::move(*arguments)};
}

Result<std::vector<model::ToolCall>> tool_calls_of(const JsonView& list, const std::string& place)
{
    std::vector<model::ToolCall> calls;
    std::optional<Error> problem;
    if (list.kind() != JsonKind::array)
        return wrong(place, "tool_calls must be an array.");
    list.for_each_element([&](const JsonView& call) {
        if (problem)
            return;
        auto read = tool_call_of(call, place + "[" + std::to_string(calls.size()) + "]");
        if (read)
            calls.push_back(std::move(*read));
        else
            problem = read.error();
    });
    if (problem)
        return *problem;
    return calls;
}

Result<model::Message> to_message(const JsonView& view, const std::string& place)
{
    if (view.kind() != JsonKind::object)
        return wrong(place, "Each message must be an object.");
    const auto role = role_of(text_member(view, "role"));
    if (!role)
        return wrong(place + ".role", "role must be system, developer, user, assistant or tool.");
    model::Message message;
    message.role = *role;
    const auto content = view.find("content");
    if (content) {
        const auto kind = content->kind();
        if (kind != JsonKind::string && kind != JsonKind::array && kind != JsonKind::null)
            return wrong(place + ".content", "content must be a string, an array of parts or null.");
        message.content = OrderedJson::parse(content->raw());
    }
    const auto calls = view.find("tool_calls");
    if (calls && calls->kind() != JsonKind::null) {
        auto read = tool_calls_of(*calls, place + ".tool_calls");
        if (!read)
            return read.error();
        message.tool_calls = std::move(*read);
    }
    message.tool_call_id = text_member(view, "tool_call_id");
    if (const auto name = text_member(view, "name"); !name.empty())
        message.extra["name"] = name;
    if (const auto details = view.find("reasoning_details"); details && details->kind() == JsonKind::array)
        message.extra["reasoning_details"] = OrderedJson::parse(details->raw());
    return message;
}

}  // namespace

bool is_empty_array(const JsonView& view)
{
    if (view.kind() != JsonKind::array)
        return view.kind() == JsonKind::null;
    bool empty = true;
    view.for_each_element([&](const JsonView&) { empty = false; });
    return empty;
}

std::vector<SentMessage> sent_messages(const JsonView& list,
                                       const std::function<bool(const SentMessage&, std::size_t)>& good)
{
    std::vector<SentMessage> messages;
    messages.reserve(8);   // of most requests
    SentMessage message;
    list.for_each_element_with_members(
        [&](std::string_view key, const JsonView& value) {
            auto* part = key == "role" ? &message.role : key == "content" ? &message.content : nullptr;
            if (part != nullptr && part->kind() == JsonKind::invalid)
                *part = value;
        },
        [&](const JsonView& whole) {
            message.whole = whole;
            messages.push_back(std::exchange(message, {}));
            return !good || good(messages.back(), messages.size() - 1);
        });
    return messages;
}

std::string_view first_text(std::span<const SentMessage> messages, std::size_t bytes, std::string& room)
{
    if (messages.empty())
        return {};
    const auto& content = messages.front().content;
    if (content.is_string() && content.raw().size() >= 2) {
        const auto written = content.raw().substr(1, content.raw().size() - 2);
        if (written.substr(0, bytes).find('\\') == std::string_view::npos)
            return utf8_prefix(written, bytes);
    }
    room = content_text(content);
    return utf8_prefix(room, bytes);
}

UserTurn newest_user_turn(std::span<const SentMessage> messages, std::string_view message_id)
{
    UserTurn turn;
    std::string named = message_id.empty() ? "history:" : "message:" + std::string(message_id);
    const SentMessage* newest = nullptr;
    for (const auto& message : messages) {
        if (!message.role.string_is("user"))
            continue;
        newest = &message;
        ++turn.number;
        if (!message_id.empty())
            continue;
        // Each behind its length, so that no two conversations look the same.
        turn.text = content_text(message.content);
        named += std::to_string(turn.text.size()) + ':' + turn.text;
    }
    if (newest != nullptr && !message_id.empty())
        turn.text = content_text(newest->content);
    turn.key = hex(sha256(named));
    return turn;
}

namespace {

// Calls that came without an id get one, and results without one belong to the calls in their order: models that tell calls by
// their ids would refuse the history.
void join_calls_and_results(std::vector<model::Message>& messages)
{
    std::vector<std::string> open;  // of the last message with calls
    for (std::size_t i = 0; i < messages.size(); ++i) {
        auto& message = messages[i];
        if (!message.tool_calls.empty())
            open.clear();
        for (auto& call : message.tool_calls) {
            if (call.id.empty())
                call.id = "call_" + std::to_string(i) + "_" + std::to_string(open.size());
            open.push_back(call.id);
        }
        if (message.role != model::Role::tool || open.empty())
            continue;
        if (message.tool_call_id.empty())
            message.tool_call_id = open.front();
        std::erase(open, message.tool_call_id);
    }
}

}  // namespace

Result<std::vector<model::Message>> to_messages(const JsonView& messages)
{
    std::vector<model::Message> list;
    std::optional<Error> problem;
    messages.for_each_element([&](const JsonView& view) {
        if (problem)
            return;
        auto message = to_message(view, "messages[" + std::to_string(list.size()) + "]");
        if (message)
            list.push_back(std::move(*message));
        else
            problem = message.error();
    });
    if (problem)
        return *problem;
    join_calls_and_results(list);
    return list;
}

Result<std::vector<model::ToolDefinition>> to_tools(const JsonView& tools)
{
    std::vector<model::ToolDefinition> list;
    std::optional<Error> problem;
    std::size_t index = 0;
    tools.for_each_element([&](const JsonView& tool) {
        const auto place = "tools[" + std::to_string(index++) + "]";
        const auto function = tool.kind() == JsonKind::object ? tool.find("function") : std::nullopt;
        const auto type = tool.kind() == JsonKind::object ? text_member(tool, "type") : std::string();
        if (!function && !type.empty() && type != "function")
            return;   // of a provider's own, or called with text instead of JSON: not offered
        if (!function || function->kind() != JsonKind::object || text_member(*function, "name").empty()) {
            if (!problem)
                problem = wrong(place + ".function.name", "A tool needs a function with a name.");
            return;
        }
        const auto parameters = function->find("parameters");
        model::ToolDefinition definition;
        definition.name = text_member(*function, "name");
        definition.description = text_member(*function, "description");
        definition.parameters = parameters && parameters->kind() == JsonKind::object
                                    ? Json::parse(parameters->raw())
                                    : Json{{"type", "object"}, {"properties", Json::object()}};
        list.push_back(std::move(definition));
    });
    if (problem)
        return *problem;
    return list;
}

}  // namespace dure::chat
