// See answer_tap.hpp.
#include "agents/answer_tap.hpp"

namespace dure::agents {

AnswerTap::AnswerTap(model::AnswerSink& client, AgentRecord& record, Text text)
    : client_(client), record_(record), hides_text_(text == Text::hidden), separate_(!record.completion.text.empty())
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
    if (piece.text.empty() || hides_text_)
        co_return Result<void>();
    co_return co_await show_text(piece.text);
}

void AnswerTap::keep(const model::Completion& call)
{
    model::Piece said;
    said.reasoning = call.reasoning;
    said.refusal = call.refusal;
    if (!call.text.empty() && !hides_text_)
        said.text = std::exchange(separate_, false) ? "\n\n" + call.text : call.text;
    record_.completion.append(said);
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
