// agent_request(); see agent_call.hpp.
#include "chat/agent_call.hpp"

#include <algorithm>
#include <array>

#include "chat/messages.hpp"

namespace dure::chat {

namespace {

// Sampling and form of the answer: passed to the model call that writes it. Everything else a client sends at top level is
// ignored by the agent (openai-clients §3).
constexpr std::array<std::string_view, 10> answer_fields = {"stop",          "seed",      "response_format",  "top_p",
                                                           "frequency_penalty", "presence_penalty", "logit_bias",
                                                           "reasoning_effort",  "verbosity", "parallel_tool_calls"};

OrderedJson answer_settings(const schema::JsonIndex& members)
{
    OrderedJson extra;
    for (const auto name : answer_fields) {
        const auto value = members.find(name);
        if (value && value->kind() != schema::JsonKind::null)
            extra[std::string(name)] = OrderedJson::parse(value->raw());
    }
    return extra;
}

// {"type": "allowed_tools"}: some of the tools with a choice among them.
void allow_only(const OrderedJson& allowed, agents::AgentRequest& request)
{
    const auto names = allowed.value("tools", OrderedJson::array());
    std::erase_if(request.client_tools, [&](const model::ToolDefinition& tool) {
        return std::none_of(names.begin(), names.end(), [&](const OrderedJson& one) {
            const auto function = one.is_object() ? one.value("function", OrderedJson()) : OrderedJson();
            return function.is_object() && function.value("name", OrderedJson()) == tool.name;
        });
    });
    request.tool_choice = allowed.value("mode", OrderedJson("auto"));
}

}  // namespace

Result<agents::AgentRequest> agent_request(const CompletionCall& call)
{
    if (call.n != 1)
        return Error(Errc::invalid_argument, "The agent gives one choice: n must be 1.").param("n").reason("unsupported_value");
    auto messages = to_messages(call.message_list);
    if (!messages)
        return messages.error();
    agents::AgentRequest request;
    request.messages = std::move(*messages);
    request.strategy = call.strategy;
    request.temperature = call.temperature;
    request.max_tokens = call.max_tokens;
    request.extra = answer_settings(call.members);
    if (call.tools) {
        auto tools = to_tools(*call.tools);
        if (!tools)
            return tools.error();
        request.client_tools = std::move(*tools);
    }
    if (call.tool_choice)
        request.tool_choice = OrderedJson::parse(call.tool_choice->raw());
    if (const auto& choice = request.tool_choice; choice.is_object() && choice.value("type", OrderedJson()) == "allowed_tools")
        if (const auto allowed = choice.value("allowed_tools", OrderedJson()); allowed.is_object())
            allow_only(allowed, request);
    return request;
}

}  // namespace dure::chat
