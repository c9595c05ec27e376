// See answer_tap.hpp.
#include "agents/answer_tap.hpp"

namespace dure::agents {

AnswerTap::AnswerTap(model::AnswerSink& client, AgentRecord& record, std::size_t hold)
    : client_(client), record_(record), hold_(hold), holding_(hold > 0), separate_(!record.completion.text.empty())
{
}

Task<Result<void>> AnswerTap::piece(const model::Piece& piece)
{
    if (!piece.reasoning.empty() || !piece.refusal.empty()) {
        model::Piece shown;
        shown.reasoning = piece.reasoning;
        shown.refusal = piece.refusal;
        if (auto told = co_await show(std::move(shown)); !told)
            co_return told;
    }
    if (!piece.text.empty()) {
        if (holding_ && held_.size() + piece.text.size() <= hold_) {
            held_ += piece.text;
            co_return Result<void>();
        }
        if (auto told = co_await release_as_text(); !told)
            co_return told;
        if (auto told = co_await show_text(piece.text); !told)
            co_return told;
    }
    if (!piece.tool_calls.empty() && holding_ && hold_ != everything)
        co_return co_await release_as_reasoning();
    co_return Result<void>();
}

Task<Result<void>> AnswerTap::release_as_text()
{
    holding_ = false;
    if (held_.empty())
        co_return Result<void>();
    co_return co_await show_text(std::exchange(held_, std::string()));
}

Task<Result<void>> AnswerTap::release_as_reasoning()
{
    if (held_.empty())
        co_return Result<void>();
    model::Piece thoughts;
    thoughts.reasoning = std::exchange(held_, std::string());
    co_return co_await show(std::move(thoughts));
}

Task<Result<void>> AnswerTap::show_text(std::string text)
{
    model::Piece shown;
    shown.text = std::exchange(separate_, false) ? "\n\n" + text : std::move(text);
    co_return co_await show(std::move(shown));
}

Task<Result<void>> AnswerTap::show(model::Piece piece)
{
    record_.completion.append(piece);
    co_return co_await client_.piece(piece);
}

Task<Result<void>> AnswerTap::rendered(std::string_view)
{
    throw InvariantBroken("a typed model call gave rendered events");
    co_return Result<void>();
}

Task<Result<void>> AnswerTap::progress(const model::Progress& progress)
{
    co_return co_await client_.progress(progress);
}

Task<Result<void>> AnswerTap::still_alive()
{
    co_return co_await client_.still_alive();
}

}  // namespace dure::agents
