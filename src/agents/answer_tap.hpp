// Stands between a model call and the client: keeps the agent's record as pieces pass and hides tool calls (they are dealt
// with when the call has ended). Text is shown as it comes: a model that thinks aloud before a tool call is read thinking,
// because holding its words back would delay every answer. Only a demanded form (response_format) is hidden: the caller
// checks it and shows it whole.
#pragma once

#include <string>

#include "dure/agents/agent.hpp"

namespace dure::agents {

class AnswerTap final : public model::AnswerSink {
public:
    enum class Text { shown, hidden };

    AnswerTap(model::AnswerSink& client, AgentRecord& record, Text text);

    Task<Result<void>> piece(const model::Piece& piece) override;
    Task<Result<void>> rendered(std::string_view events) override;
    Task<Result<void>> progress(const model::Progress& progress) override;
    Task<Result<void>> still_alive() override;
    bool reads_along() const override { return client_.reads_along(); }

    // For a client that does not read along: what the call has said, when it has ended, however it ended.
    void keep(const model::Completion& call);

private:
    Task<Result<void>> show_text(std::string text);
    Task<Result<void>> show(model::Piece piece);

    model::AnswerSink& client_;
    AgentRecord& record_;
    const bool hides_text_;
    bool separate_;   // an earlier round has shown text: this one starts a new paragraph
};

}  // namespace dure::agents
