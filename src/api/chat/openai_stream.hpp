// The streamed answer of /v1/chat/completions as an AnswerSink: starts the response with the first thing to say, renders
// pieces as chunks or passes rendered events through, and ends with exactly one [DONE] or one error frame.
#pragma once

#include <optional>
#include <string>

#include "api/chat/openai_chunks.hpp"
#include "api/chat/status_lines.hpp"
#include "api/context.hpp"
#include "dure/chat/service.hpp"

namespace dure::api {

class OpenAiStream final : public model::AnswerSink {
public:
    // `answer` is filled by the service while it works; its target is named in the response head.
    OpenAiStream(RequestContext& context, const chat::Answer& answer, std::string_view model, bool show_progress,
                 StatusLines statuses = StatusLines::of_agent());

    Task<Result<void>> piece(const model::Piece& piece) override;
    Task<Result<void>> rendered(std::string_view events) override;
    Task<Result<void>> rendered_last(std::string events) override;
    Task<Result<void>> progress(const model::Progress& progress) override;
    Task<Result<void>> still_alive() override;

    bool started() const { return started_; }
    // When the client got the first output of the answer.
    const std::optional<Steady::time_point>& first_output_at() const { return first_output_at_; }
    // Ends a whole answer: finish chunk, usage if asked for, [DONE]; a relayed stream has brought its own, and of
    // a session its [DONE] has waited for this.
    Task<Result<void>> finish(bool include_usage);
    // After the start only: an error frame, then the end of the body without [DONE].
    Task<Result<void>> fail(const Error& error);

private:
    void role_first();
    void close_status();
    void begin_buffer();
    Task<Result<void>> start(bool answers = true);
    Task<Result<void>> write(std::string_view bytes);
    Task<Result<void>> start_and_write(std::string_view bytes);
    void note_output()
    {
        if (!first_output_at_)
            first_output_at_ = Steady::now();
    }

    http::Exchange& exchange_;
    bool show_progress_;
    bool started_ = false;
    bool role_sent_ = false;
    bool relayed_ = false;        // rendered() was used: chunks come from upstream
    std::optional<Steady::time_point> first_output_at_;
    RequestContext& context_;
    const chat::Answer& answer_;
    ChunkWriter chunks_;
    std::string buffer_;          // reused from piece to piece
    bool events_held_ = false;    // the last relayed events stand in it
    bool done_held_ = false;      // its [DONE] waits for finish()
    StatusLines statuses_;
};

// x-dure-model, x-dure-attempts, x-dure-dropped-params, x-dure-fallback, x-dure-cache of an answer.
QueryParameters answer_headers(const chat::Answer& answer);
QueryParameters answer_headers(const model::EmbeddingAnswer& answer);

}  // namespace dure::api
