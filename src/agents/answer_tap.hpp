// Stands between a model call and the client: keeps the agent's record as pieces pass, hides tool calls (they are dealt
// with when the call has ended) and holds the first words back while it is open whether they are an answer or the
// thoughts before a tool call. Text of at most `hold` bytes that a tool call follows goes out as reasoning; a longer one
// has already been shown as content and stays there.
#pragma once

#include <string>

#include "dure/agents/agent.hpp"

namespace dure::agents {

class AnswerTap final : public model::AnswerSink {
public:
    static constexpr std::size_t everything = static_cast<std::size_t>(-1);

    AnswerTap(model::AnswerSink& client, AgentRecord& record, std::size_t hold);

    Task<Result<void>> piece(const model::Piece& piece) override;
    Task<Result<void>> rendered(std::string_view events) override;
    Task<Result<void>> progress(const model::Progress& progress) override;
    Task<Result<void>> still_alive() override;

    // What is still held back goes out, as the answer or as thoughts.
    Task<Result<void>> release_as_text();
    Task<Result<void>> release_as_reasoning();
    void drop_held() { held_.clear(); }

private:
    Task<Result<void>> show_text(std::string text);
    Task<Result<void>> show(model::Piece piece);

    model::AnswerSink& client_;
    AgentRecord& record_;
    std::size_t hold_;
    std::string held_;
    bool holding_;
    bool separate_;   // an earlier round has shown text: this one starts a new paragraph
};

}  // namespace dure::agents
