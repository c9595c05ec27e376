// The loop over one upstream stream; see stream_attempt.hpp.
#include "llm/openai/stream_attempt.hpp"

#include "dure/base/spare_room.hpp"
#include "llm/call_spending.hpp"
#include "llm/exchange.hpp"
#include "llm/openai/whole_answer.hpp"

namespace dure::llm::openai {

namespace {

constexpr std::size_t most_held_events = 64;
constexpr std::size_t most_held_bytes = 256 << 10;
constexpr std::size_t most_unchecked_bytes = 4 << 20;   // of an answer that is held back as a whole

RelayTranslator::Options translator_options(const Ask& ask)
{
    RelayTranslator::Options options;
    options.model = ask.model_id;
    options.keeps_details = ask.relay == nullptr;   // a relay's client has them and sends them back itself
    if (ask.relay == nullptr)
        return options;
    options.include_usage = ask.relay->include_usage;
    options.choices = static_cast<std::size_t>(std::clamp<std::int64_t>(ask.relay->choices, 1, 128));
    return options;
}

// What is held of an answer while it streams: a model that never ends must not fill the memory.
std::size_t kept_of(const ChunkReader& reader)
{
    const auto& answer = reader.completion();
    auto size = reader.details_bytes() + answer.text.size() + answer.reasoning.size() + answer.refusal.size();
    for (const auto& call : answer.tool_calls)
        size += call.arguments.size();
    return size;
}

}  // namespace

StreamAttempt::StreamAttempt(const Ask& ask, Reply& reply, StreamTimers timers, ForeignEvents* foreign,
                             const AnswerForm* form)
    : ask_(ask), reply_(reply), timers_(timers), foreign_(foreign), form_(form),
      translator_(translator_options(ask), reply.completion)
{}

Failure StreamAttempt::fail(Failure failure) const
{
    failure.after_output = reply_.output_started();
    return failure;
}

// Whether what comes may go out as it is, without a look at each event.
bool StreamAttempt::relays_lines() const
{
    return ask_.relay != nullptr && foreign_ == nullptr;
}

void StreamAttempt::take(const http::SseEvent& event)
{
    auto& reader = translator_.reader();
    ++held_events_;
    if (foreign_ != nullptr)
        return take_foreign(event);
    if (ask_.relay != nullptr) {
        translator_.event(event.event, event.data, out_);
        return;
    }
    if (!reader.read_quick(event.event, event.data))
        reader.read(event.event, event.data);
    collect_piece();
}

void StreamAttempt::collect_piece()
{
    for (const auto& delta : translator_.reader().deltas())
        if (delta.index == 0)
            add_piece(delta.piece);
}

void StreamAttempt::add_piece(const model::Piece& piece)
{
    piece_.text += piece.text;
    piece_.reasoning += piece.reasoning;
    piece_.refusal += piece.refusal;
    piece_.tool_calls.insert(piece_.tool_calls.end(), piece.tool_calls.begin(), piece.tool_calls.end());
}

void StreamAttempt::take_document(OrderedJson chunk)
{
    if (ask_.relay != nullptr)
        return translator_.document(std::move(chunk), out_);
    translator_.reader().read_document(std::move(chunk));
    collect_piece();
}

void StreamAttempt::take_foreign(const http::SseEvent& event)
{
    std::vector<OrderedJson> chunks;
    const auto meaning = foreign_->read(event.event, event.data, chunks);
    if (foreign_->halves_seen())
        translator_.reader().expect_halves();
    for (auto& one : chunks)
        take_document(std::move(one));
    if (meaning == ForeignEvents::Meaning::raw)
        translator_.reader().read(event.event, event.data);
    else if (meaning == ForeignEvents::Meaning::end)
        translator_.reader().read({}, "[DONE]");
}

// False when the stream has failed.
bool StreamAttempt::take_bytes(std::string_view bytes, Steady::time_point now)
{
    auto& reader = translator_.reader();
    timers_.bytes(now);
    if (ask_.relay != nullptr) {
        borrow_room(out_);
        out_.reserve(out_.size() + bytes.size() + bytes.size() / 8 + 64);  // ids and names may be longer than they came
    }
    http::SseEvent event;
    while (!reader.failure() && !reader.done()) {
        if (relays_lines() && events_.between_events())
            held_events_ += translator_.repeat_lines(bytes, out_);
        if (!events_.read(bytes, event))
            break;
        take(event);
    }
    if (events_.overflowed() || kept_of(reader) > largest_answer ||
        (form_ != nullptr && out_.size() + piece_.text.size() > most_unchecked_bytes))
        reader.fail(Failure(FailureClass::protocol, ""));
    if (reader.progress() != seen_progress_)
        timers_.progress(now);
    seen_progress_ = reader.progress();
    if (reader.output())
        timers_.output();
    if (reader.complete() || reader.done() || (foreign_ != nullptr && foreign_->end_seen()))
        timers_.end_signal(now);
    return !reader.failure().has_value();
}

// An end signal has come: what is still missing for the reader. The failure of an answer that is not as it was asked for.
MaybeFailure StreamAttempt::finish()
{
    auto& answer = reply_.completion;
    auto& reader = translator_.reader();
    if (ask_.relay == nullptr && !reader.choices().empty() && !reader.choices().front().finished)
        add_piece(reader.end_untold(0).piece);
    if (answer.finish_reason.empty())
        answer.finish_reason = answer.tool_calls.empty() ? "stop" : "tool_calls";
    if (form_ != nullptr)
        if (auto misfit = hold_to_form())
            return fail(*misfit);
    finished_ = true;
    if (ask_.relay != nullptr)
        translator_.finish(translator_.estimates_usage() ? prompt_tokens_of(ask_) : 0, out_);
    reply_.has_more = reader.has_more();   // a call that was held back may have more
    return std::nullopt;
}

// Nothing has gone out yet: what was rendered can be made anew.
MaybeFailure StreamAttempt::hold_to_form()
{
    bool unwrapped = false;
    auto misfit = form_->settle(reply_.completion, unwrapped);
    if (!unwrapped)
        return misfit;
    if (ask_.relay == nullptr) {
        piece_.text = reply_.completion.text;
    } else {
        out_.clear();
        translator_.render_answer(out_);
    }
    return misfit;
}

// Before the first output everything is held back, so that a failure costs the client nothing.
bool StreamAttempt::may_speak() const
{
    const auto& reader = translator_.reader();
    if (form_ != nullptr)
        return finished_;
    return reply_.output_started() || reader.output() || finished_ || held_events_ > most_held_events ||
           out_.size() > most_held_bytes;
}

Task<MaybeFailure> StreamAttempt::flush()
{
    if (!may_speak())
        co_return std::nullopt;
    if (ask_.relay != nullptr && !out_.empty()) {
        const auto sent = co_await reply_.rendered(out_);
        return_room(out_);
        if (!sent)
            co_return fail(Failure(FailureClass::cancelled, ""));
    }
    if (ask_.relay == nullptr && !piece_.empty()) {
        const auto sent = co_await reply_.piece(piece_);
        piece_ = model::Piece();
        if (!sent)
            co_return fail(Failure(FailureClass::cancelled, ""));
    }
    co_return std::nullopt;
}

// What is left goes out together with the end of the client's answer.
Task<MaybeFailure> StreamAttempt::end_relay()
{
    if (!co_await reply_.rendered_last(std::exchange(out_, {})))
        co_return fail(Failure(FailureClass::cancelled, ""));
    co_return std::nullopt;
}

Task<MaybeFailure> StreamAttempt::run(http::ResponseStream& response)
{
    response.forget_headers();  // they have been looked at
    for (;;) {
        Reply::Wait waiting(reply_);
        const auto bytes = co_await response.read(Deadline(timers_.next()));
        const auto now = waiting.end();
        if (!bytes) {
            const auto error = bytes.error();
            co_return co_await conclude(&error);
        }
        if (bytes->empty()) {
            http::SseEvent last;
            if (events_.finish(last))
                take(last);
            co_return co_await conclude(nullptr);
        }
        if (finished_)
            continue;  // behind [DONE]: only the end of the body is waited for
        const bool sound = take_bytes(*bytes, now);
        if (translator_.reader().done() && sound)
            if (auto misfit = finish())
                co_return misfit;
        if (finished_ && ask_.relay != nullptr && response.at_end())
            co_return co_await end_relay();
        if (ask_.relay != nullptr && may_speak() && !out_.empty()) {  // flush(), without its frame: once a token
            const auto sent = co_await reply_.rendered(out_);
            return_room(out_);
            if (!sent)
                co_return fail(Failure(FailureClass::cancelled, ""));
        } else if (auto gone = co_await flush()) {
            co_return gone;
        }
        if (!sound)
            co_return fail(*translator_.reader().failure());
    }
}

// The body has ended, broken off (`broken`), or a timer has fired.
Task<MaybeFailure> StreamAttempt::conclude(const Error* broken)
{
    const auto& reader = translator_.reader();
    if (finished_)
        co_return std::nullopt;
    if (reader.failure())
        co_return fail(*reader.failure());
    if (foreign_ != nullptr) {
        std::vector<OrderedJson> chunks;
        foreign_->body_ended(chunks);
        for (auto& one : chunks)
            take_document(std::move(one));
    }
    if (reader.complete()) {
        if (auto misfit = finish())
            co_return misfit;
        if (ask_.relay != nullptr)
            co_return co_await end_relay();
        co_return co_await flush();
    }
    if (auto gone = co_await flush())
        co_return gone;
    if (broken != nullptr && broken->reason() == "read_timeout")
        co_return fail(Failure(FailureClass::timeout, ""));
    if (broken != nullptr && broken->reason() == "protocol")
        co_return fail(Failure(FailureClass::protocol, ""));
    const bool nothing = reader.completion().text.empty() && !reader.output() && held_events_ == 0;
    co_return fail(Failure(nothing && broken == nullptr ? FailureClass::protocol : FailureClass::interrupted, ""));
}

Task<MaybeFailure> StreamAttempt::run_whole(OrderedJson completion)
{
    if (auto wrong = wrong_whole(completion))
        co_return fail(*wrong);
    auto& reader = translator_.reader();
    auto as_chunk = chunk_of_whole(std::move(completion));
    if (ask_.relay != nullptr) {
        translator_.document(std::move(as_chunk), out_);
    } else {
        reader.read_document(std::move(as_chunk));
        for (const auto& delta : reader.deltas())
            if (delta.index == 0)
                piece_ = delta.piece;
    }
    if (reader.failure())
        co_return fail(*reader.failure());
    if (auto misfit = finish())
        co_return misfit;
    co_return co_await flush();
}

}  // namespace dure::llm::openai
