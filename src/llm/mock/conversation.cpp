// Reads typed requests and OpenAI bodies into the mock's one form; see conversation.hpp.
#include "llm/mock/conversation.hpp"

#include "llm/language.hpp"

namespace dure::llm::mock {

namespace {

constexpr std::int64_t most_choices = 16;

Error wrong_field(std::string field)
{
    return Error(Errc::invalid_argument, "The field '" + field + "' has a wrong type or value.").param(std::move(field));
}

const OrderedJson& member_or_null(const OrderedJson& object, const char* name)
{
    static const OrderedJson null;
    if (!object.is_object())
        return null;
    const auto found = object.find(name);
    return found == object.end() ? null : *found;
}

std::string string_member(const OrderedJson& object, const char* name)
{
    const auto& value = member_or_null(object, name);
    return value.is_string() ? value.get<std::string>() : std::string();
}

model::Role role_of(const std::string& name)
{
    if (name == "system" || name == "developer")
        return model::Role::system;
    if (name == "assistant")
        return model::Role::assistant;
    return name == "tool" ? model::Role::tool : model::Role::user;
}

model::Message read_message(const OrderedJson& source)
{
    model::Message message;
    message.role = role_of(string_member(source, "role"));
    message.content = member_or_null(source, "content");
    message.tool_call_id = string_member(source, "tool_call_id");
    for (const auto& call : member_or_null(source, "tool_calls")) {
        const auto& function = member_or_null(call, "function");
        model::ToolCall read;
        read.id = string_member(call, "id");
        read.name = string_member(function, "name");
        read.arguments = string_member(function, "arguments");
        message.tool_calls.push_back(std::move(read));
    }
    return message;
}

model::ToolDefinition read_tool(const OrderedJson& source)
{
    const auto& function = member_or_null(source, "function");
    model::ToolDefinition tool;
    tool.name = string_member(function, "name");
    tool.description = string_member(function, "description");
    tool.parameters = Json(member_or_null(function, "parameters"));
    return tool;
}

std::vector<std::string> read_stop(const OrderedJson& stop)
{
    std::vector<std::string> all;
    if (stop.is_string())
        all.push_back(stop.get<std::string>());
    if (stop.is_array())
        for (const auto& one : stop)
            if (one.is_string())
                all.push_back(one.get<std::string>());
    std::erase(all, std::string());
    return all;
}

std::optional<std::int64_t> integer_member(const OrderedJson& object, const char* name)
{
    const auto& value = member_or_null(object, name);
    return value.is_number_integer() ? std::optional(value.get<std::int64_t>()) : std::nullopt;
}

// The fields both forms share, from an object of OpenAI form.
void read_options(const OrderedJson& source, Conversation& into)
{
    into.response_format = member_or_null(source, "response_format");
    into.stop = read_stop(member_or_null(source, "stop"));
    if (const auto newer = integer_member(source, "max_completion_tokens"))
        into.max_tokens = newer;
    else if (const auto older = integer_member(source, "max_tokens"))
        into.max_tokens = older;
    if (const auto count = integer_member(source, "n"))
        into.choices = *count;
}

}  // namespace

std::string Conversation::last_user() const
{
    for (auto message = messages.rbegin(); message != messages.rend(); ++message)
        if (message->role == model::Role::user)
            return message->text();
    return {};
}

std::string Conversation::system_text() const
{
    std::string all;
    for (const auto& message : messages)
        if (message.role == model::Role::system)
            all += message.text() + "\n";
    return all;
}

std::vector<const model::Message*> Conversation::fresh_results() const
{
    std::vector<const model::Message*> results;
    for (const auto& message : messages) {
        if (message.role == model::Role::user)
            results.clear();
        else if (message.role == model::Role::tool)
            results.push_back(&message);
    }
    return results;
}

bool Conversation::korean() const
{
    return has_hangul(last_user());
}

Conversation from_typed(const CompletionRequest& request, const CallContext& context)
{
    Conversation conversation;
    conversation.messages = request.messages;
    conversation.tools = request.tools;
    conversation.tool_choice = request.tool_choice;
    conversation.background_task = context.background_task;
    read_options(request.extra, conversation);
    conversation.choices = 1;
    if (request.max_tokens)
        conversation.max_tokens = request.max_tokens;
    return conversation;
}

Result<Conversation> from_body(std::string_view body, const CallContext& context)
{
    const auto source = OrderedJson::parse(body, nullptr, false);
    if (!source.is_object())
        return Error(Errc::invalid_argument, "The request body is not a JSON object.");
    const auto& messages = member_or_null(source, "messages");
    if (!messages.is_array() || messages.empty())
        return wrong_field("messages");
    Conversation conversation;
    for (const auto& message : messages)
        conversation.messages.push_back(read_message(message));
    const auto& tools = member_or_null(source, "tools");
    if (!tools.is_null() && !tools.is_array())
        return wrong_field("tools");
    for (const auto& tool : tools)
        conversation.tools.push_back(read_tool(tool));
    conversation.tool_choice = member_or_null(source, "tool_choice");
    conversation.background_task = context.background_task;
    read_options(source, conversation);
    if (conversation.choices < 1 || conversation.choices > most_choices)
        return wrong_field("n");
    return conversation;
}

}  // namespace dure::llm::mock
