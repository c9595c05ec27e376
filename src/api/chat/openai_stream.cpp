// OpenAiStream; see openai_stream.hpp.
#include "api/chat/openai_stream.hpp"

#include "api/errors.hpp"
#include "dure/base/spare_room.hpp"
#include "dure/http/sse.hpp"

namespace dure::api {

namespace {

// A header is ASCII: what a name beyond it has (models and flows have Korean ones) is percent-encoded.
std::string header_text(std::string_view name)
{
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string text;
    text.reserve(name.size());
    for (const char c : name) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte < 0x7F && c != '%')
            text += c;
        else
            text += {'%', digits[byte >> 4], digits[byte & 0x0F]};
    }
    return text;
}

bool is_thought(const model::Piece& piece)
{
    return piece.text.empty() && piece.refusal.empty() && piece.tool_calls.empty();
}

// Of a chat as of embeddings: both say who answered and after how many tries.
template <class Said>
QueryParameters target_headers(const Said& said)
{
    QueryParameters headers;
    headers.reserve(6);   // and those that the answer adds
    if (!said.answered_by.empty())
        headers.emplace_back("x-dure-model", header_text(said.answered_by));
    if (said.attempts > 0)
        headers.emplace_back("x-dure-attempts", std::to_string(said.attempts));
    return headers;
}

}  // namespace

QueryParameters answer_headers(const model::EmbeddingAnswer& answer)
{
    return target_headers(answer);
}

QueryParameters answer_headers(const chat::Answer& answer)
{
    auto headers = target_headers(answer.completion);
    if (!answer.dropped_params.empty()) {
        std::string names;
        for (const auto& name : answer.dropped_params)
            names += (names.empty() ? "" : ", ") + name;
        headers.emplace_back("x-dure-dropped-params", names);
    }
    if (answer.from_mock_fallback)
        headers.emplace_back("x-dure-fallback", "mock");
    if (answer.cache_hit)
        headers.emplace_back("x-dure-cache", *answer.cache_hit ? "hit" : "miss");
    return headers;
}

OpenAiStream::OpenAiStream(RequestContext& context, const chat::Answer& answer, std::string_view model,
                           bool show_progress, StatusLines statuses)
    : exchange_(context.exchange()), show_progress_(show_progress), context_(context), answer_(answer),
      chunks_(new_completion_id(), SystemClock().now() / 1000, model), statuses_(std::move(statuses))
{}

// Before there is an answer nobody knows whose it will be: then no header tells.
Task<Result<void>> OpenAiStream::start(bool answers)
{
    if (std::exchange(started_, true))
        co_return Result<void>();
    co_return co_await context_.start_event_stream(answers ? answer_headers(answer_) : QueryParameters());
}

// Once a token: behind the first one there is nothing between the caller and the connection.
Task<Result<void>> OpenAiStream::write(std::string_view bytes)
{
    return started_ ? exchange_.write(bytes) : start_and_write(bytes);
}

Task<Result<void>> OpenAiStream::start_and_write(std::string_view bytes)
{
    if (auto ready = co_await start(); !ready)
        co_return ready;
    co_return co_await exchange_.write(bytes);
}

// Events that are held go out before what is written next.
void OpenAiStream::begin_buffer()
{
    if (!std::exchange(events_held_, false))
        buffer_.clear();
}

void OpenAiStream::role_first()
{
    if (std::exchange(role_sent_, true))
        return;
    if (answer_.from_mock_fallback)   // known by the first output; said in every chunk, not in the head alone
        chunks_ = ChunkWriter(new_completion_id(), SystemClock().now() / 1000, "mock");
    chunks_.role(buffer_);
}

void OpenAiStream::close_status()
{
    if (statuses_.open())
        chunks_.status(buffer_, statuses_.close());
}

Task<Result<void>> OpenAiStream::piece(const model::Piece& piece)
{
    begin_buffer();
    role_first();
    if (statuses_.open() && !is_thought(piece))
        close_status();
    chunks_.piece(buffer_, piece);
    if (buffer_.empty())
        co_return Result<void>();
    note_output();
    co_return co_await write(buffer_);
}

Task<Result<void>> OpenAiStream::rendered(std::string_view events)
{
    relayed_ = true;
    note_output();
    // A turn of a session is told to be whole when it is stored, not before: finish() does.
    if (!answer_.session_id.empty() && events.ends_with(done_event)) {
        events.remove_suffix(done_event.size());
        done_held_ = true;
        if (events.empty())
            return start();
    }
    return write(events);
}

// Sent by finish(), with the end of the body: one send less, and the client is woken once. What is written down in between waits only
// while the storage is behind by 20,000 rows.
Task<Result<void>> OpenAiStream::rendered_last(std::string events)
{
    if (!answer_.session_id.empty())
        co_return co_await rendered(events);
    relayed_ = true;
    note_output();
    auto ready = co_await start();
    begin_buffer();
    if (buffer_.empty())
        buffer_ = std::move(events);
    else
        buffer_ += events;
    events_held_ = true;
    co_return ready;
}

Task<Result<void>> OpenAiStream::progress(const model::Progress& progress)
{
    if (!show_progress_)
        co_return Result<void>();
    const auto status = statuses_.step(progress);
    if (!status)
        co_return Result<void>();
    begin_buffer();
    role_first();
    chunks_.status(buffer_, *status);
    co_return co_await write(buffer_);
}

Task<Result<void>> OpenAiStream::still_alive()
{
    if (auto ready = co_await start(false); !ready)
        co_return ready;
    co_return co_await write(http::sse_keep_alive);
}

Task<Result<void>> OpenAiStream::finish(bool include_usage)
{
    if (auto ready = co_await start(); !ready)
        co_return ready;
    begin_buffer();
    if (!relayed_) {
        role_first();
        close_status();
        chunks_.reasoning_details(buffer_, answer_.completion.reasoning_details);
        chunks_.finish(buffer_, answer_.completion.finish_reason);
        if (include_usage)
            chunks_.usage(buffer_, answer_.completion.usage);
    }
    if (!relayed_ || done_held_)
        buffer_ += done_event;
    auto sent = co_await exchange_.finish_stream(buffer_);
    return_room(buffer_);
    co_return sent;
}

Task<Result<void>> OpenAiStream::fail(const Error& error)
{
    begin_buffer();
    close_status();
    buffer_ += "data: " + openai_error_json(error) + "\n\n";
    co_return co_await exchange_.finish_stream(buffer_);
}

}  // namespace dure::api
