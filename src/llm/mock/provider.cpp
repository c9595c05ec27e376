// Plays an answer of the mock to whoever asked: as pieces, as a filled Completion, or as an OpenAI body. See provider.hpp.
#include "llm/mock/provider.hpp"

#include <boost/asio/post.hpp>

#include "dure/base/text.hpp"
#include "dure/base/timeout.hpp"
#include "llm/embedder.hpp"
#include "llm/mock/answer.hpp"
#include "llm/openai/call_form.hpp"

namespace dure::llm::mock {

namespace {

constexpr std::size_t piece_characters = 4;
constexpr std::size_t argument_bytes = 12;

// The next few characters of a text; never a part of one.
std::string_view next_characters(std::string_view text)
{
    std::size_t at = 0;
    for (std::size_t count = 0; at < text.size(); ++count) {
        if (count == piece_characters)
            break;
        ++at;
        while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80)
            ++at;
    }
    return text.substr(0, at);
}

void append_text_pieces(std::string_view text, std::vector<model::Piece>& pieces)
{
    while (!text.empty()) {
        const auto part = next_characters(text);
        model::Piece piece;
        piece.text = std::string(part);
        pieces.push_back(std::move(piece));
        text.remove_prefix(part.size());
    }
}

void append_call_pieces(const model::ToolCall& call, int index, std::vector<model::Piece>& pieces)
{
    model::Piece first;
    first.tool_calls.push_back(model::ToolCallPiece{index, call.id, call.name, ""});
    pieces.push_back(std::move(first));
    for (std::string_view rest = call.arguments; !rest.empty();) {
        const auto part = utf8_prefix(rest, argument_bytes);
        model::Piece piece;
        piece.tool_calls.push_back(model::ToolCallPiece{index, "", "", std::string(part)});
        pieces.push_back(std::move(piece));
        rest.remove_prefix(part.size());
    }
}

std::vector<model::Piece> pieces_of(const Answer& answer)
{
    std::vector<model::Piece> pieces;
    append_text_pieces(answer.text, pieces);
    for (std::size_t i = 0; i < answer.tool_calls.size(); ++i)
        append_call_pieces(answer.tool_calls[i], static_cast<int>(i), pieces);
    return pieces;
}

OrderedJson message_of(const Answer& answer)
{
    OrderedJson message;
    message["role"] = "assistant";
    message["content"] = answer.tool_calls.empty() ? OrderedJson(answer.text) : OrderedJson();
    message["refusal"] = nullptr;
    for (const auto& call : answer.tool_calls)
        message["tool_calls"].push_back(openai::call_form(call));
    return message;
}

std::string body_of(const Answer& answer, std::int64_t choices, std::string_view model)
{
    OrderedJson body;
    body["id"] = "chatcmpl-" + random_base62(24);
    body["object"] = "chat.completion";
    body["created"] = SystemClock().now() / 1000;
    body["model"] = model;
    for (std::int64_t i = 0; i < choices; ++i) {
        OrderedJson choice;
        choice["index"] = i;
        choice["message"] = message_of(answer);
        choice["logprobs"] = nullptr;
        choice["finish_reason"] = answer.finish_reason;
        body["choices"].push_back(std::move(choice));
    }
    auto& usage = body["usage"];
    usage["prompt_tokens"] = answer.usage.prompt_tokens;
    usage["completion_tokens"] = answer.usage.completion_tokens * choices;
    usage["total_tokens"] = answer.usage.prompt_tokens + answer.usage.completion_tokens * choices;
    return dump(body);
}

Failure bad_request(const Error& error)
{
    Failure failure(FailureClass::bad_request, error.message());
    failure.param = error.param();
    return failure;
}

// Waits before a token; a pause of nothing still lets other work of the core run.
Task<void> pause(std::chrono::milliseconds delay)
{
    if (delay.count() > 0)
        co_await sleep_for(delay);
    else
        co_await boost::asio::post(co_await boost::asio::this_coro::executor, boost::asio::use_awaitable);
}

Task<MaybeFailure> play(const Answer& answer, std::chrono::milliseconds delay, Deadline deadline, Reply& reply)
{
    if (!reply.streams() && delay.count() == 0) {   // nobody sees the pieces
        for (const auto& piece : pieces_of(answer))
            reply.completion.append(piece);
        co_return std::nullopt;
    }
    for (const auto& piece : pieces_of(answer)) {
        co_await pause(delay);
        if (!reply.output_started() && deadline.passed())
            co_return Failure(FailureClass::timeout, "");
        reply.completion.append(piece);
        if (const auto sent = co_await reply.piece(piece); !sent) {
            Failure failure(FailureClass::cancelled, sent.error().message());
            failure.after_output = true;
            co_return failure;
        }
    }
    co_return std::nullopt;
}

}  // namespace

Task<MaybeFailure> MockProvider::attempt(const Target& target, std::size_t, const Ask& ask, Reply& reply)
{
    auto conversation = ask.typed != nullptr ? Result<Conversation>(from_typed(*ask.typed, ask.context))
                                             : from_body(ask.relay->body, ask.context);
    if (!conversation)
        co_return bad_request(conversation.error());
    if (!conversation->max_tokens)
        conversation->max_tokens = answer_limit_of(ask, target);
    if (ask.stream && conversation->choices > 1) {
        Failure failure(FailureClass::bad_request, "The mock model streams one choice only; 'n' must be 1.");
        failure.param = "n";
        co_return failure;
    }
    const auto made = answer(*conversation);
    if (auto failure = co_await play(made, delay_, ask.context.deadline, reply))
        co_return failure;
    reply.completion.finish_reason = made.finish_reason;
    reply.completion.usage = made.usage;
    reply.completion.usage.reported = true;
    reply.completion.usage.completion_tokens *= conversation->choices;
    if (ask.relay != nullptr && !ask.stream)
        reply.body = body_of(made, conversation->choices, reply.is_from_mock_fallback() ? "mock" : ask.model_id);
    co_return std::nullopt;
}

Task<MaybeFailure> MockProvider::embed(const Target& target, std::size_t, const EmbeddingRequest& request,
                                                 const CallContext&, EmbeddingAnswer& into)
{
    auto answer = co_await embed_locally(request);
    if (!answer)
        co_return bad_request(answer.error());
    into = std::move(*answer);
    into.answered_by = target.label;
    co_return std::nullopt;
}

}  // namespace dure::llm::mock
