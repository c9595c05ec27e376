// The OpenAI dialect: sends one request, sorts the answer by status and form, and hands it to the reader of its kind.
// See provider.hpp.
#include "llm/openai/provider.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>

#include "dure/base/text.hpp"
#include "llm/answer_form.hpp"
#include "llm/embedding_usage.hpp"
#include "llm/exchange.hpp"
#include "llm/openai/embeddings.hpp"
#include "llm/openai/request.hpp"
#include "llm/openai/stream_attempt.hpp"
#include "llm/openai/usage.hpp"
#include "llm/openai/whole_answer.hpp"

namespace dure::llm::openai {

namespace {

// OpenRouter has renamed one: the name of the application goes out under both (llm-upstreams §3).
std::map<std::string, std::string> with_both_titles(std::map<std::string, std::string> headers)
{
    std::string title;
    for (const auto& [name, value] : headers)
        if (equals_ignoring_case(name, "X-Title") || equals_ignoring_case(name, "X-OpenRouter-Title"))
            title = value;
    const auto missing = [&](std::string_view wanted) {
        return std::none_of(headers.begin(), headers.end(),
                            [&](const auto& one) { return equals_ignoring_case(one.first, wanted); });
    };
    for (const std::string name : {"X-Title", "X-OpenRouter-Title"})
        if (!title.empty() && missing(name))
            headers.emplace(name, title);
    return headers;
}

class OpenAiProvider final : public Provider {
public:
    OpenAiProvider(const config::Provider& settings, http::Client& client, Logger& logger)
        : settings_(settings), client_(client), logger_(logger),
          chat_(forms(endpoint_url(settings, "/chat/completions"), "application/json")),
          streamed_chat_(forms(endpoint_url(settings, "/chat/completions"), "text/event-stream")),
          embeddings_(forms(endpoint_url(settings, "/embeddings"), "application/json"))
    {}

    Task<MaybeFailure> attempt(const Target& target, std::size_t key, const Ask& ask, Reply& reply) override;
    Task<MaybeFailure> embed(const Target& target, std::size_t key, const EmbeddingRequest& request,
                             const CallContext& context, EmbeddingAnswer& into) override;
    bool repair(const Target& target, const Failure& failure) override;

private:
    // What an attempt keeps of its request.
    struct Answering {
        std::unique_ptr<http::ResponseStream> response;
        std::optional<AnswerForm> form;   // of an answer that has to be checked
        Steady::time_point sent{};
    };
    // Requests to one place are the same but for their bodies; one form for each key. An error: the settings have a header that
    // cannot be sent.
    using Forms = std::vector<Result<http::RequestForm>>;
    // A coroutine of its own: what is sent is not kept for as long as the answer lasts.
    Task<MaybeFailure> send(const Target& target, std::size_t key, const Ask& ask, Reply& reply, Answering& into);
    Forms forms(const http::Url& url, const char* accepted) const;
    http::ClientCall call_of(std::string_view body, Deadline deadline, bool stream, bool reasoning) const;
    Repairs repairs_of(const Target& target);
    Task<Failure> failed_answer(http::ResponseStream& response, Deadline deadline, model::Usage& used) const;
    Task<MaybeFailure> streamed(Answering& answering, const Target& target, const Ask& ask, Reply& reply);
    Task<MaybeFailure> whole_for_stream(StreamAttempt& attempt, http::ResponseStream& response, const Ask& ask,
                                        Reply& reply);
    Task<MaybeFailure> whole(Answering& answering, const Ask& ask, Reply& reply);
    static MaybeFailure read(std::string_view body, const Answering& answering, const Ask& ask, Reply& reply);
    // Of an attempt whose request went out then. A stream has timers of its own.
    Deadline answer_deadline(const Ask& ask, Steady::time_point sent) const
    {
        return ask.stream ? ask.context.deadline
                          : Deadline(std::min(ask.context.deadline.at(), sent + settings_.timeouts.total));
    }
    Deadline attempt_deadline(const Ask& ask) const { return ask.context.deadline.sooner(settings_.timeouts.total); }

    const config::Provider settings_;
    http::Client& client_;
    Logger& logger_;
    const Forms chat_;
    const Forms streamed_chat_;
    const Forms embeddings_;
    std::atomic<bool> any_repairs_{false};
    std::mutex guard_;
    std::map<std::string, Repairs, std::less<>> repairs_;   // by upstream model
};

OpenAiProvider::Forms OpenAiProvider::forms(const http::Url& url, const char* accepted) const
{
    const auto of_provider = with_both_titles(settings_.headers);
    Forms all;
    for (std::size_t key = 0; key < std::max<std::size_t>(1, settings_.keys.size()); ++key) {
        http::HeaderFields headers = {
            {"Content-Type", "application/json"}, {"Accept", accepted}, {"Accept-Encoding", "identity"}};
        if (key < settings_.keys.size() && !settings_.keys[key].empty())
            headers.emplace_back("Authorization", "Bearer " + std::string(settings_.keys[key].reveal()));
        headers.insert(headers.end(), of_provider.begin(), of_provider.end());
        all.push_back(http::RequestForm::make(http::Method::post, url, headers));
    }
    return all;
}

http::ClientCall OpenAiProvider::call_of(std::string_view body, Deadline deadline, bool stream, bool reasoning) const
{
    http::ClientCall call;
    call.body = body;
    call.timeouts.connect = settings_.timeouts.connect;
    call.timeouts.head = patience_for_head(settings_.timeouts, stream, reasoning);
    call.deadline = deadline;
    return call;
}

Repairs OpenAiProvider::repairs_of(const Target& target)
{
    if (!any_repairs_.load(std::memory_order_acquire))
        return {};
    const std::lock_guard lock(guard_);
    const auto found = repairs_.find(target.model);
    return found == repairs_.end() ? Repairs() : found->second;
}

bool OpenAiProvider::repair(const Target& target, const Failure& failure)
{
    const std::lock_guard lock(guard_);
    any_repairs_.store(true, std::memory_order_release);
    return learn(repairs_[target.model], failure.param);
}

Task<MaybeFailure> OpenAiProvider::send(const Target& target, std::size_t key, const Ask& ask, Reply& reply,
                                        Answering& into)
{
    const BodyRules rules{target.developer_role, target.reasoning,   target.json_schema,
                          target.in_chain,       repairs_of(target), answer_limit_of(ask, target)};
    BodyNotes notes;
    const auto body = ask.relay != nullptr ? relay_body(*ask.relay, target.model, rules, notes)
                                           : typed_body(*ask.typed, target.model, ask.stream, rules, notes);
    reply.dropped(std::move(notes.dropped));
    if (!notes.schema.empty())
        if (auto wrong = AnswerForm::make(notes.schema, into.form))
            co_return wrong;
    const bool streams = ask.stream && !rules.repairs.drops("stream");
    const auto& form = (streams ? streamed_chat_ : chat_).at(key);
    if (!form)
        co_return failure_of_send(form.error());
    into.sent = Steady::now();
    const auto call = call_of(body, answer_deadline(ask, into.sent), streams, target.reasoning);
    const Reply::Wait waiting(reply, into.sent);
    auto sent = co_await client_.send(*form, call);
    if (!sent)
        co_return failure_of_send(sent.error());
    into.response = std::move(*sent);
    co_return std::nullopt;
}

Task<MaybeFailure> OpenAiProvider::attempt(const Target& target, std::size_t key, const Ask& ask, Reply& reply)
{
    Answering answering;
    if (auto failure = co_await send(target, key, ask, reply, answering))
        co_return failure;
    auto& response = *answering.response;
    const auto id = response.header("x-request-id");
    reply.completion.upstream_request_id =
        utf8_prefix(id.empty() ? response.header("x-generation-id") : id, 200);  // the latter: OpenRouter
    if (response.status() < 200 || response.status() > 299)
        co_return co_await failed_answer(response, answer_deadline(ask, answering.sent), reply.completion.usage);
    if (!ask.stream)
        if (const auto body = response.whole_at_once(largest_answer))  // a short answer: nothing is waited for
            co_return read(*body, answering, ask, reply);
    co_return co_await (ask.stream ? streamed(answering, target, ask, reply) : whole(answering, ask, reply));
}

Task<Failure> OpenAiProvider::failed_answer(http::ResponseStream& response, Deadline deadline,
                                            model::Usage& used) const
{
    const auto body =
        co_await response.read_all(largest_error_answer, deadline.sooner(settings_.timeouts.byte_silence));
    auto failure = classify_answer(response.status(), body ? std::string_view(*body) : std::string_view());
    note_limits(response, failure);
    if (body)
        read_usage(parse_whole(*body), used);   // what its provider tells of is paid
    co_return failure;
}

Task<MaybeFailure> OpenAiProvider::streamed(Answering& answering, const Target& target, const Ask& ask, Reply& reply)
{
    auto& response = *answering.response;
    const auto* form = answering.form ? &*answering.form : nullptr;
    const bool shown_as_it_comes = reply.streams() && form == nullptr;
    StreamAttempt attempt(
        ask, reply,
        StreamTimers(settings_.timeouts, answering.sent, ask.context.deadline, !shown_as_it_comes, target.reasoning),
        nullptr, form);
    if (is_type(response, "application/json"))
        co_return co_await whole_for_stream(attempt, response, ask, reply);
    if (!is_type(response, "text/event-stream") && !response.header("content-type").empty())
        co_return Failure(FailureClass::protocol, "");
    auto failure = co_await attempt.run(response);
    if (attempt.skipped() > 0)
        logger_.warn(
            "stream events that are not JSON",
            {{"request_id", ask.context.request_id}, {"provider", settings_.name}, {"count", attempt.skipped()}});
    co_return failure;
}

// A stream was asked for, a whole answer came. A coroutine of its own: the frame of a stream has no room for it.
Task<MaybeFailure> OpenAiProvider::whole_for_stream(StreamAttempt& attempt, http::ResponseStream& response,
                                                    const Ask& ask, Reply& reply)
{
    const Reply::Wait waiting(reply);
    const auto body =
        co_await response.read_all(largest_answer, attempt_deadline(ask), settings_.timeouts.byte_silence);
    if (!body)
        co_return failure_of_body(body.error());
    co_return co_await attempt.run_whole(parse_whole(*body));
}

Task<MaybeFailure> OpenAiProvider::whole(Answering& answering, const Ask& ask, Reply& reply)
{
    Reply::Wait waiting(reply);
    const auto body = co_await answering.response->read_all(largest_answer, answer_deadline(ask, answering.sent),
                                                            settings_.timeouts.byte_silence);
    waiting.end();
    if (!body)
        co_return failure_of_body(body.error());
    co_return read(*body, answering, ask, reply);
}

MaybeFailure OpenAiProvider::read(std::string_view body, const Answering& answering, const Ask& ask, Reply& reply)
{
    auto failure = read_whole(body, ask.model_id, reply.completion, ask.relay != nullptr ? &reply.body : nullptr, &ask,
                              &reply.has_more);
    if (!failure && answering.form)
        failure = hold_to_form(*answering.form, reply.completion, reply.body);
    return failure;
}

Task<MaybeFailure> OpenAiProvider::embed(const Target& target, std::size_t key, const EmbeddingRequest& request,
                                         const CallContext& context, EmbeddingAnswer& into)
{
    const auto deadline = context.deadline.sooner(settings_.timeouts.total);
    const auto& form = embeddings_.at(key);
    if (!form)
        co_return failure_of_send(form.error());
    const auto repairs = repairs_of(target);
    EmbeddingUsage used(target.prices);
    for (const auto& batch : embedding_batches(request, target.embedding_batch)) {
        const auto body = embedding_body(request, batch, target.model, repairs);
        const auto call = call_of(body, deadline, false, false);
        const auto sent = co_await client_.send(*form, call);
        if (!sent)
            co_return failure_of_send(sent.error());
        auto& response = **sent;
        if (response.status() < 200 || response.status() > 299)
            co_return co_await failed_answer(response, deadline, into.usage);
        const auto answer =
            co_await response.read_all(largest_answer, deadline, settings_.timeouts.byte_silence);
        if (!answer)
            co_return failure_of_body(answer.error());
        EmbeddingAnswer part;
        if (auto failure = read_embeddings(*answer, batch.count, part))
            co_return failure;
        std::move(part.vectors.begin(), part.vectors.end(), std::back_inserter(into.vectors));
        used.add(part.usage, embedding_tokens(request, batch.first, batch.count));
        into.usage = used.sum();   // at once: what was answered is charged also when the next part is not
    }
    into.answered_by = target.label;
    co_return std::nullopt;
}

}  // namespace

std::unique_ptr<Provider> make_provider(const config::Provider& settings, http::Client& client, Logger& logger)
{
    return std::make_unique<OpenAiProvider>(settings, client, logger);
}

}  // namespace dure::llm::openai
