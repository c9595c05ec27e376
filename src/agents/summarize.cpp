// summarizer: the final answer, unless it has already gone out. With native tools its call may still ask for more tools:
// then the router takes over again. A demanded JSON form is asked for here, without tools, and checked before it goes out.
#include "agents/ask.hpp"
#include "dure/base/text.hpp"

namespace dure::agents {
namespace {

std::string system_prompt(const AgentRun& run, const graph::State& state)
{
    auto prompt = run.prompts.get(run.language, "agent");
    if (state.at("action") == "need_more_info")
        prompt += "\n" + run.prompts.get(run.language, "clarify");
    return prompt;
}

// Models like to wrap JSON into a code fence; what stands between the outermost brackets is taken.
std::optional<std::string> json_document_in(std::string_view text)
{
    const auto trimmed = trim(text);
    if (Json::accept(trimmed))
        return std::string(trimmed);
    const auto first = trimmed.find_first_of("{[");
    const auto last = trimmed.find_last_of("}]");
    if (first == std::string_view::npos || last == std::string_view::npos || last < first)
        return std::nullopt;
    const auto inner = trimmed.substr(first, last - first + 1);
    return Json::accept(inner) ? std::optional(std::string(inner)) : std::nullopt;
}

Task<Result<void>> answer_in_form(AgentRun& run, const graph::State& state)
{
    const auto request = answer_request(run, state, system_prompt(run, state), true);
    AnswerTap tap(run.sink, run.record, AnswerTap::Text::hidden);
    model::Completion turn;
    auto asked = co_await ask_streamed(run, request, tap, turn);
    if (!asked)
        co_return asked;
    run.record.completion.finish_reason = turn.finish_reason;
    auto document = json_document_in(turn.text);
    // An answer cut by its length limit or a filter is passed on as it is: the finish reason tells.
    if (!document && turn.finish_reason == "stop")
        co_return Error(Errc::upstream_failed, "The model did not answer in the demanded JSON form.")
            .reason("upstream_protocol_error");
    AnswerTap out(run.sink, run.record, AnswerTap::Text::shown);
    model::Piece whole;
    whole.text = document ? std::move(*document) : std::move(turn.text);
    co_return co_await out.piece(whole);
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
    auto answer = wants_json(run.request) ? co_await answer_in_form(run, state) : co_await answer_in_text(run, state);
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
    run.record.completion.finish_reason = "tool_calls";
    co_return co_await run.sink.piece(shown);
}

}  // namespace dure::agents
