// summarizer: the final answer, unless it has already gone out. With native tools its call may still ask for more tools:
// then the router takes over again. A demanded JSON form is asked for here, without tools, and checked before it goes out.
#include "agents/ask.hpp"

namespace dure::agents {
namespace {

std::string system_prompt(const AgentRun& run, const graph::State& state)
{
    auto prompt = run.prompts.get(run.language, "agent");
    if (state.at("action") == "need_more_info")
        prompt += "\n" + run.prompts.get(run.language, "clarify");
    return prompt;
}

Task<Result<void>> answer_in_text(AgentRun& run, const graph::State& state)
{
    const auto request = answer_request(run, state, system_prompt(run, state), true);
    AnswerTap tap(run.sink, run.record, AnswerTap::Text::shown);
    model::Completion turn;
    auto asked = co_await ask_streamed(run, request, tap, turn);
    if (asked)
        run.record.completion.finish_reason = turn.finish_reason;
    co_return asked;
}

}  // namespace

Task<Result<graph::Update>> summarize(graph::NodeContext& context, AgentRun& run)
{
    const auto& state = context.state();
    if (state.at("answered") == Json(true) || !state.at("client_calls").empty())
        co_return graph::Update();
    if (run.native_tools && !wants_json(run.request))
        co_return co_await think(context, run);
    auto answer = wants_json(run.request) ? co_await answer_in_form(run, state, system_prompt(run, state))
                                          : co_await answer_in_text(run, state);
    if (!answer)
        co_return answer.error();
    auto update = Json::object();
    update["answered"] = true;
    co_return graph::Update(std::move(update));
}

Task<Result<void>> finish_answer(AgentRun& run, const graph::State& state)
{
    const auto& calls = state.at("client_calls");
    if (calls.empty()) {
        if (run.record.completion.finish_reason.empty())
            run.record.completion.finish_reason = "stop";
        co_return Result<void>();
    }
    model::Piece shown;
    for (const auto& entry : calls) {
        const auto call = call_from_json(entry);
        model::ToolCallPiece fragment;
        fragment.index = static_cast<int>(shown.tool_calls.size());
        fragment.id = call.id;
        fragment.name = call.name;
        fragment.arguments = call.arguments;
        shown.tool_calls.push_back(std::move(fragment));
    }
    run.record.completion.append(shown);
    if (const auto details = calls.front().find("reasoning_details"); details != calls.front().end())
        run.record.completion.reasoning_details = OrderedJson(*details);  // they come back with the results
    run.record.completion.finish_reason = "tool_calls";
    co_return co_await run.sink.piece(shown);
}

}  // namespace dure::agents
