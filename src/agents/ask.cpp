// See ask.hpp.
#include "agents/ask.hpp"

#include <algorithm>

#include "agents/usage.hpp"
#include "dure/agents/lenient_json.hpp"

namespace dure::agents {
namespace {

// The text of a call nobody reads along enters the record when the call ends: until then it may be made again.
class TextOfCall {
public:
    TextOfCall(AnswerTap& tap, const model::Completion& call) : tap_(tap), call_(call) {}
    ~TextOfCall()
    {
        if (!tap_.reads_along())
            tap_.keep(call_);
    }
    TextOfCall(const TextOfCall&) = delete;
    TextOfCall& operator=(const TextOfCall&) = delete;

private:
    AnswerTap& tap_;
    const model::Completion& call_;
};

model::Message message_of(const Json& entry)
{
    model::Message message;
    if (entry.at("role") == "user") {   // the planner's note
        message.role = model::Role::user;
        message.content = entry.at("content").get<std::string>();
        return message;
    }
    const bool of_tool = entry.at("role") == "tool";
    message.role = of_tool ? model::Role::tool : model::Role::assistant;
    const auto& text = entry.at("content").get_ref<const std::string&>();
    message.content = text.empty() && !of_tool ? OrderedJson() : OrderedJson(text);
    if (of_tool)
        message.tool_call_id = entry.at("tool_call_id").get<std::string>();
    else
        for (const auto& call : entry.at("tool_calls"))
            message.tool_calls.push_back(call_from_json(call));
    if (const auto details = entry.find("reasoning_details"); details != entry.end())
        message.extra["reasoning_details"] = OrderedJson(*details);
    return message;
}

}  // namespace

bool demands_call(const AgentRequest& request)
{
    return !request.client_tools.empty() && (request.tool_choice.is_object() || request.tool_choice == "required");
}

bool one_call_at_a_time(const AgentRequest& request)
{
    return request.extra.is_object() && request.extra.value("parallel_tool_calls", OrderedJson()) == false;
}

std::vector<model::Message> conversation_for(const AgentRun& run, const std::string& system, const graph::State& state)
{
    std::vector<model::Message> messages;
    const auto& given = run.request.messages;
    std::string head = system;
    auto first = given.begin();
    for (; first != given.end() && first->role == model::Role::system; ++first)
        head += "\n" + first->text();
    model::Message leading;
    leading.role = model::Role::system;
    leading.content = head;
    messages.push_back(std::move(leading));
    messages.insert(messages.end(), first, given.end());
    for (const auto& entry : state.at("transcript"))
        messages.push_back(message_of(entry));
    return messages;
}

llm::CompletionRequest answer_request(const AgentRun& run, const graph::State& state, const std::string& system,
                                      bool final)
{
    llm::CompletionRequest request;
    request.model = run.model;
    request.messages = conversation_for(run, system, state);
    request.temperature = run.request.temperature;
    request.max_tokens = run.request.max_tokens;
    request.extra = run.request.extra;
    if (request.extra.is_object()) {
        if (!final)
            request.extra.erase("response_format");
        request.extra.erase("parallel_tool_calls");   // refused where there are no tools: offer_tools() adds it
    }
    if (request.extra.is_object() && request.extra.empty())
        request.extra = nullptr;
    return request;
}

void offer_tools(const AgentRun& run, bool first_call, llm::CompletionRequest& request)
{
    if (!run.native_tools)
        return;
    const auto& choice = run.request.tool_choice;
    const bool client_tools = !run.request.client_tools.empty() && choice != "none";
    const bool demanded = client_tools && first_call && demands_call(run.request);
    if (!demanded)
        request.tools = run.server_tools;
    if (client_tools)
        request.tools.insert(request.tools.end(), run.request.client_tools.begin(), run.request.client_tools.end());
    if (demanded)
        request.tool_choice = choice;
    if (!request.tools.empty() && one_call_at_a_time(run.request))
        request.extra["parallel_tool_calls"] = false;
}

Task<Result<void>> ask_streamed(AgentRun& run, const llm::CompletionRequest& request, AnswerTap& tap,
                                model::Completion& into)
{
    const UsageOfCall usage(run.record, into);
    const TextOfCall text(tap, into);
    co_return co_await run.gateway.stream(request, run.call, tap, into);
}

Task<Result<std::string>> ask_quietly(AgentRun& run, const llm::CompletionRequest& request)
{
    model::Completion completion;
    const UsageOfCall usage(run.record, completion);
    if (auto answered = co_await run.gateway.complete(request, run.call, completion); !answered)
        co_return answered.error();
    co_return std::move(completion.text);
}

Json call_to_json(const model::ToolCall& call)
{
    auto object = Json::object();
    object["id"] = call.id;
    object["name"] = call.name;
    object["arguments"] = call.arguments;
    return object;
}

model::ToolCall call_from_json(const Json& call)
{
    model::ToolCall read;
    read.id = call.at("id").get<std::string>();
    read.name = call.at("name").get<std::string>();
    read.arguments = call.at("arguments").get<std::string>();
    return read;
}

Json assistant_turn(const std::string& text, const std::vector<model::ToolCall>& calls, const OrderedJson& details)
{
    auto turn = Json::object();
    turn["role"] = "assistant";
    turn["content"] = text;
    turn["tool_calls"] = Json::array();
    for (const auto& call : calls)
        turn["tool_calls"].push_back(call_to_json(call));
    if (!details.is_null())
        turn["reasoning_details"] = Json(details);
    return turn;
}

Json tool_result(const std::string& call_id, const std::string& text)
{
    auto result = Json::object();
    result["role"] = "tool";
    result["tool_call_id"] = call_id;
    result["content"] = text;
    return result;
}

bool mend_arguments(model::ToolCall& call)
{
    const auto said = Json::parse(call.arguments, nullptr, false);
    if (said.is_object())
        return true;
    if (said.is_null())
        call.arguments = "{}";
    else if (const auto object = said.is_discarded() ? object_in(call.arguments) : std::nullopt)
        call.arguments = dump(*object);
    else
        return false;
    return true;
}

}  // namespace dure::agents
