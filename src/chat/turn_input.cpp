// See turn_input.hpp. Parts in a client's own words (contents, extra fields) are kept as texts: their keys have an order.
#include "chat/turn_input.hpp"

#include "chat/turn.hpp"

namespace dure::chat {

namespace input {

std::string text_of(const OrderedJson& document)
{
    return document.is_null() ? std::string() : dump(document);
}

OrderedJson document_from(const Json& json)
{
    const auto& text = json.get_ref<const std::string&>();
    return text.empty() ? OrderedJson() : OrderedJson::parse(text);
}

Json json_of(const model::Message& message)
{
    Json json{{"role", model::name_of(message.role)}, {"content", text_of(message.content)}};
    if (!message.tool_calls.empty()) {
        auto calls = Json::array();
        for (const auto& call : message.tool_calls)
            calls.push_back({{"id", call.id}, {"name", call.name}, {"arguments", call.arguments}});
        json["tool_calls"] = std::move(calls);
    }
    if (!message.tool_call_id.empty())
        json["tool_call_id"] = message.tool_call_id;
    if (!message.extra.is_null())
        json["extra"] = dump(message.extra);
    return json;
}

model::Role role_from(const Json& json)
{
    const auto& name = json.get_ref<const std::string&>();
    for (const auto role : {model::Role::system, model::Role::user, model::Role::assistant, model::Role::tool})
        if (model::name_of(role) == name)
            return role;
    throw InvariantBroken("unknown role " + name);
}

model::Message message_from(const Json& json)
{
    model::Message message;
    message.role = role_from(json.at("role"));
    message.content = document_from(json.at("content"));
    if (const auto calls = json.find("tool_calls"); calls != json.end())
        for (const auto& call : *calls)
            message.tool_calls.push_back({call.at("id").get<std::string>(), call.at("name").get<std::string>(),
                                          call.at("arguments").get<std::string>()});
    message.tool_call_id = json.value("tool_call_id", std::string());
    if (const auto extra = json.find("extra"); extra != json.end())
        message.extra = document_from(*extra);
    return message;
}

Json json_of(const agents::AgentRequest& request)
{
    auto messages = Json::array();
    for (const auto& message : request.messages)
        messages.push_back(json_of(message));
    auto tools = Json::array();
    for (const auto& tool : request.client_tools)
        tools.push_back({{"name", tool.name},
                         {"description", tool.description},
                         {"parameters", tool.parameters},
                         {"strict", tool.strict}});
    Json json{{"messages", std::move(messages)}, {"model", request.model},
              {"strategy", request.strategy},    {"use_tools", request.use_tools},
              {"client_tools", std::move(tools)}, {"tool_choice", text_of(request.tool_choice)},
              {"extra", text_of(request.extra)}};
    if (request.temperature)
        json["temperature"] = *request.temperature;
    if (request.max_tokens)
        json["max_tokens"] = *request.max_tokens;
    return json;
}

agents::AgentRequest request_from(const Json& json)
{
    agents::AgentRequest request;
    for (const auto& message : json.at("messages"))
        request.messages.push_back(message_from(message));
    request.model = json.at("model").get<std::string>();
    request.strategy = json.at("strategy").get<std::string>();
    request.use_tools = json.at("use_tools").get<bool>();
    for (const auto& tool : json.at("client_tools"))
        request.client_tools.push_back({tool.at("name").get<std::string>(), tool.at("description").get<std::string>(),
                                        tool.at("parameters"), tool.at("strict").get<bool>()});
    request.tool_choice = document_from(json.at("tool_choice"));
    request.extra = document_from(json.at("extra"));
    if (const auto temperature = json.find("temperature"); temperature != json.end())
        request.temperature = temperature->get<double>();
    if (const auto most = json.find("max_tokens"); most != json.end())
        request.max_tokens = most->get<std::int64_t>();
    return request;
}

}  // namespace input

Json turn_input(const Turn& turn, const std::string& model, const agents::AgentRequest& request)
{
    const auto& who = turn.caller;
    Json caller{{"user_id", who.user_id},
                {"key_id", who.key_id},
                {"may_use_tools", who.may_use_tools},
                {"permissions", who.permissions}};
    if (who.models)
        caller["models"] = *who.models;
    return {{"caller", std::move(caller)},
            {"request_id", turn.info.request_id},
            {"endpoint", turn.info.endpoint},
            {"address", turn.info.address},
            {"session_id", turn.session_id},
            {"user_text", turn.user_text},
            {"key", turn.key},
            {"model", model},
            {"request", input::json_of(request)}};
}

Result<TurnInput> turn_input_from(const Json& json)
{
    try {
        TurnInput turn;
        const auto& who = json.at("caller");
        turn.caller.user_id = who.at("user_id").get<std::string>();
        turn.caller.key_id = who.at("key_id").get<std::string>();
        turn.caller.may_use_tools = who.at("may_use_tools").get<bool>();
        turn.caller.permissions = who.at("permissions").get<std::vector<std::string>>();
        if (const auto models = who.find("models"); models != who.end())
            turn.caller.models = models->get<std::vector<std::string>>();
        turn.info.request_id = json.at("request_id").get<std::string>();
        turn.info.endpoint = json.at("endpoint").get<std::string>();
        turn.info.address = json.at("address").get<std::string>();
        turn.session_id = json.at("session_id").get<std::string>();
        turn.user_text = json.at("user_text").get<std::string>();
        turn.key = json.at("key").get<std::string>();
        turn.model = json.at("model").get<std::string>();
        turn.request = input::request_from(json.at("request"));
        return turn;
    } catch (const std::exception& broken) {
        return Error(Errc::invalid_argument, "The input of the turn cannot be read.").detail(broken.what());
    }
}

}  // namespace dure::chat
