// Reads one streamed answer to its end: bytes to events, events to what the reader gets (rendered chunks for a relay,
// pieces for a typed request), one write for each read. Socket reads and writes are the only waits.
#pragma once

#include <optional>
#include <string>

#include "dure/http/client.hpp"
#include "dure/http/sse.hpp"
#include "llm/answer_form.hpp"
#include "llm/openai/foreign_events.hpp"
#include "llm/openai/relay_translator.hpp"
#include "llm/openai/stream_timers.hpp"
#include "llm/provider.hpp"

namespace dure::llm::openai {

class StreamAttempt {
public:
    // `foreign`: the provider's stream is of another dialect. `form`: nothing is shown before the whole answer has been
    // checked. Both outlive the attempt; null: none.
    StreamAttempt(const Ask& ask, Reply& reply, StreamTimers timers, ForeignEvents* foreign = nullptr,
                  const AnswerForm* form = nullptr);

    Task<MaybeFailure> run(http::ResponseStream& response);
    // A whole completion came instead of a stream.
    Task<MaybeFailure> run_whole(OrderedJson completion);
    std::size_t skipped() const { return translator_.reader().skipped(); }

private:
    bool relays_lines() const;
    void take(const http::SseEvent& event);
    void take_foreign(const http::SseEvent& event);
    void take_document(OrderedJson chunk);
    void collect_piece();
    void add_piece(const model::Piece& piece);
    bool take_bytes(std::string_view bytes, Steady::time_point now);
    Task<MaybeFailure> flush();
    Task<MaybeFailure> end_relay();
    Task<MaybeFailure> conclude(const Error* broken);
    Failure fail(Failure failure) const;
    bool may_speak() const;
    MaybeFailure finish();
    MaybeFailure hold_to_form();

    const Ask& ask_;
    Reply& reply_;
    StreamTimers timers_;
    ForeignEvents* foreign_;
    const AnswerForm* form_;
    std::string out_;            // rendered chunks not yet given to the reader
    std::size_t held_events_ = 0;
    std::uint64_t seen_progress_ = 0;
    bool finished_ = false;
    http::SseReader events_;
    RelayTranslator translator_;
    model::Piece piece_;         // what out_ is, for a typed request
};

}  // namespace dure::llm::openai
