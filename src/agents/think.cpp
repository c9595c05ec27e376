// One model call with native tools. It answers with text, which is the final answer and streams as it comes, or with tool
// calls, which are split: the server's run in the executor, the client's end the answer.
#include <set>

#include "agents/ask.hpp"
#include "dure/base/clock.hpp"

namespace dure::agents {
namespace {

std::set<std::string> known_calls(const AgentRun& run, const graph::State& state)
{
    std::set<std::string> ids;
    for (const auto& message : run.request.messages)
        for (const auto& call : message.tool_calls)
            ids.insert(call.id);
    for (const auto& entry : state.at("transcript"))
        if (const auto calls = entry.find("tool_calls"); calls != entry.end())
            for (const auto& call : *calls)
                ids.insert(call.at("id").get<std::string>());
    return ids;
}

// Gives every call what a conversation needs: an id of its own and JSON text for its arguments. Some models count the calls of
// each turn from 0; but the id tells whose a result is, and its idempotency key tells a tool's server what it has done already.
void complete_calls(std::vector<model::ToolCall>& calls, std::set<std::string> known)
{
    std::erase_if(calls, [](const auto& call) { return call.name.empty(); });
    for (auto& call : calls) {
        if (call.id.empty() || !known.insert(call.id).second)
            call.id = "call_" + random_base62(24);
        if (call.arguments.empty())
            call.arguments = "{}";
    }
}

graph::Update answered(std::string_view action)
{
    auto update = Json::object();
    update["action"] = action;
    update["answered"] = true;
    return update;
}

graph::Update requested(const AgentRun& run, const model::Completion& turn)
{
    auto update = Json::object();
    update["action"] = "execute_tool";
    update["calls"] = Json::array();
    update["client_calls"] = Json::array();
    std::vector<model::ToolCall> on_server;
    for (auto call : turn.tool_calls) {
        if (is_client_tool(run, call.name) && mend_arguments(call)) {
            if (one_call_at_a_time(run.request) && !update["client_calls"].empty())
                continue;   // the model was told, and asks again when it has the first result
            auto& calls = update["client_calls"];
            calls.push_back(call_to_json(call));
            if (calls.size() == 1 && turn.reasoning_details.is_array())
                calls[0]["reasoning_details"] = Json(turn.reasoning_details);  // of the whole turn
            continue;
        }
        update["calls"].push_back(call_to_json(call));
        on_server.push_back(call);
    }
    if (!on_server.empty())
        update["transcript"] = Json::array({assistant_turn(turn.text, on_server, turn.reasoning_details)});
    return update;
}

}  // namespace

bool wants_json(const AgentRequest& request)
{
    if (!request.extra.is_object())
        return false;
    const auto format = request.extra.find("response_format");
    return format != request.extra.end() && format->is_object() && format->value("type", OrderedJson("text")) != "text";
}

Task<Result<graph::Update>> think(graph::NodeContext& context, AgentRun& run)
{
    const auto& state = context.state();
    const bool may_call = state.at("rounds") < Json(run.settings.max_iterations);
    const bool first = state.at("rounds") == Json(0);
    auto request = answer_request(run, state, run.prompts.get(run.language, "agent"), false);
    offer_tools(run, first, request);
    if (!may_call && !request.tools.empty())
        request.tool_choice = "none";   // still listed: some providers refuse tool messages without them
    const bool open = may_call && !request.tools.empty();
    // With a demanded form the final call is the summarizer's, without tools; words before it are no answer.
    const bool form_follows = wants_json(run.request);
    if (form_follows && !open)
        co_return graph::Update();
    AnswerTap tap(run.sink, run.record, form_follows ? AnswerTap::Text::hidden : AnswerTap::Text::shown);
    model::Completion turn;
    if (auto asked = co_await ask_streamed(run, request, tap, turn); !asked)
        co_return asked.error();
    complete_calls(turn.tool_calls, known_calls(run, state));
    if (!turn.tool_calls.empty() && open)
        co_return requested(run, turn);
    if (!turn.tool_calls.empty() && turn.text.empty())
        co_return Error(Errc::upstream_failed, request.tools.empty()
                                                   ? "The model asked for a tool though none was offered, and gave no answer."
                                                   : "The model asked for tools again and again and gave no answer.")
            .reason("upstream_protocol_error");
    if (form_follows)
        co_return graph::Update();
    run.record.completion.finish_reason = turn.finish_reason == "tool_calls" ? "stop" : turn.finish_reason;
    co_return answered("direct_response");
}

}  // namespace dure::agents
