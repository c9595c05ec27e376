// Translates the request, sends it, and reads the answer with the readers of the OpenAI dialect; see provider.hpp.
//
//   attempt -> translate_request -> client -> whole: completion_of -> read_whole
//                                          -> stream: StreamAttempt fed by EventTranslator
#include "llm/anthropic/provider.hpp"

#include <map>
#include <mutex>

#include "dure/base/text.hpp"
#include "llm/answer_form.hpp"
#include "llm/anthropic/answer.hpp"
#include "llm/anthropic/request.hpp"
#include "llm/exchange.hpp"
#include "llm/openai/request.hpp"
#include "llm/openai/stream_attempt.hpp"
#include "llm/openai/whole_answer.hpp"

namespace dure::llm::anthropic {

namespace {

constexpr std::string_view version_with_sampling = "2023-06-01";
constexpr std::size_t largest_body = 32u << 20;

// {base}/v1/messages, whether or not the base names the v1.
http::Url messages_url(const config::Provider& settings)
{
    auto base = std::string_view(settings.base_url).substr(0, settings.base_url.find('?'));
    while (base.ends_with('/'))
        base.remove_suffix(1);
    return endpoint_url(settings, base.ends_with("/v1") ? "/messages" : "/v1/messages");
}

Failure refused_request(const Error& error)
{
    Failure failure(FailureClass::bad_request, error.message());
    failure.param = error.param();
    failure.code = error.reason();
    failure.status = 400;
    return failure;
}

class AnthropicProvider final : public Provider {
public:
    AnthropicProvider(const config::Provider& settings, http::Client& client, Logger& logger)
        : settings_(settings), client_(client), logger_(logger), url_(messages_url(settings))
    {}

    Task<MaybeFailure> attempt(const Target& target, std::size_t key, const Ask& ask, Reply& reply) override;
    Task<MaybeFailure> embed(const Target&, std::size_t, const EmbeddingRequest&, const CallContext&,
                             EmbeddingAnswer&) override
    {
        co_return Failure(FailureClass::model_missing, "");
    }
    bool repair(const Target& target, const Failure& failure) override;

private:
    // What an attempt keeps of its request.
    struct Answering {
        std::unique_ptr<http::ResponseStream> response;
        std::string answer_tool;
        std::optional<AnswerForm> form;   // of an answer that has to be checked
        Steady::time_point sent = Steady::now();
    };
    Result<TranslatedRequest> translate(const Target& target, const Ask& ask);
    // A coroutine of its own: what is sent is not kept for as long as the answer lasts.
    Task<MaybeFailure> send(const Target& target, std::size_t key, const Ask& ask, Reply& reply, Deadline deadline,
                            Answering& into);
    http::ClientRequest make_request(std::size_t key, std::string_view body, bool stream, Deadline deadline) const;
    openai::StreamTimers timers(const Answering& answering, const Target& target, const Ask& ask,
                                const Reply& reply) const;
    Task<MaybeFailure> streamed(Answering& answering, const Target& target, const Ask& ask, Reply& reply);
    Task<MaybeFailure> whole(Answering& answering, const Target& target, const Ask& ask, Reply& reply,
                             Deadline deadline);
    Deadline attempt_deadline(const Ask& ask) const { return ask.context.deadline.sooner(settings_.timeouts.total); }

    const config::Provider settings_;
    http::Client& client_;
    Logger& logger_;
    const http::Url url_;
    std::mutex guard_;
    std::map<std::string, std::vector<std::string>, std::less<>> refused_;   // fields a model does not take
};

bool AnthropicProvider::repair(const Target& target, const Failure& failure)
{
    const auto field = failure.param.substr(0, failure.param.find('.'));
    for (const auto* droppable :
         {"temperature", "top_p", "top_k", "thinking", "output_config", "metadata", "stop_sequences"})
        if (field == droppable) {
            const std::lock_guard lock(guard_);
            auto& known = refused_[target.model];
            if (std::find(known.begin(), known.end(), field) != known.end())
                return false;
            known.push_back(field);
            return true;
        }
    return false;
}

Result<TranslatedRequest> AnthropicProvider::translate(const Target& target, const Ask& ask)
{
    RequestOptions options;
    options.model = target.model;
    options.max_output = answer_limit_of(ask, target).value_or(target.max_output);
    options.sampling = settings_.version == version_with_sampling;
    options.json_schema = target.json_schema;
    options.stream = ask.stream;
    options.of_agent = ask.typed != nullptr;
    openai::BodyNotes notes;
    auto request =
        ask.relay != nullptr
            ? OrderedJson::parse(ask.relay->body, nullptr, false)
            : OrderedJson::parse(openai::typed_body(*ask.typed, target.model, false, {}, notes), nullptr, false);
    auto translated = translate_request(std::move(request), options);
    if (!translated)
        return translated;
    const std::lock_guard lock(guard_);
    if (const auto known = refused_.find(target.model); known != refused_.end())
        for (const auto& field : known->second)
            if (translated->body.erase(field) > 0)
                translated->dropped.push_back(field);
    return translated;
}

http::ClientRequest AnthropicProvider::make_request(std::size_t key, std::string_view body, bool stream,
                                                    Deadline deadline) const
{
    http::ClientRequest request(http::Method::post, url_);
    request.headers.emplace_back("Content-Type", "application/json");
    request.headers.emplace_back("Accept", stream ? "text/event-stream" : "application/json");
    request.headers.emplace_back("Accept-Encoding", "identity");
    request.headers.emplace_back("anthropic-version", settings_.version);
    if (key < settings_.keys.size() && !settings_.keys[key].empty())
        request.headers.emplace_back("x-api-key", std::string(settings_.keys[key].reveal()));
    for (const auto& [name, value] : settings_.headers)
        request.headers.emplace_back(name, value);
    request.body = body;
    request.timeouts.connect = settings_.timeouts.connect;
    request.timeouts.head = settings_.timeouts.head;
    request.deadline = deadline;
    return request;
}

Task<MaybeFailure> AnthropicProvider::send(const Target& target, std::size_t key, const Ask& ask, Reply& reply,
                                           Deadline deadline, Answering& into)
{
    auto translated = translate(target, ask);
    if (!translated)
        co_return refused_request(translated.error());
    reply.dropped(std::move(translated->dropped));
    into.answer_tool = std::move(translated->answer_tool);
    if (!translated->schema.empty())
        if (auto wrong = AnswerForm::make(translated->schema, into.form))
            co_return wrong;
    const auto body = dump(translated->body);
    translated->body = nullptr;
    if (body.size() > largest_body) {
        Failure failure(FailureClass::bad_request, "The request is larger than the model provider takes (32 MB).");
        failure.status = 413;
        co_return failure;
    }
    auto request = make_request(key, body, ask.stream, deadline);
    request.timeouts.head = patience_for_head(settings_.timeouts, ask.stream, target.reasoning);
    const Reply::Wait waiting(reply);
    auto sent = co_await client_.send(request);
    if (!sent)
        co_return failure_of_send(sent.error());
    into.response = std::move(*sent);
    co_return std::nullopt;
}

Task<MaybeFailure> AnthropicProvider::attempt(const Target& target, std::size_t key, const Ask& ask, Reply& reply)
{
    const auto deadline = ask.stream ? ask.context.deadline : attempt_deadline(ask);
    Answering answering;
    if (auto failure = co_await send(target, key, ask, reply, deadline, answering))
        co_return failure;
    auto& response = *answering.response;
    reply.completion.upstream_request_id = std::string(utf8_prefix(response.header("request-id"), 200));
    if (response.status() < 200 || response.status() > 299) {
        const auto said =
            co_await response.read_all(largest_error_answer, deadline.sooner(settings_.timeouts.byte_silence));
        auto failure = classify_answer(response.status(), said ? std::string_view(*said) : std::string_view());
        note_limits(response, failure);
        co_return failure;
    }
    if (ask.stream && !is_type(response, "application/json"))
        co_return co_await streamed(answering, target, ask, reply);
    co_return co_await whole(answering, target, ask, reply, attempt_deadline(ask));
}

openai::StreamTimers AnthropicProvider::timers(const Answering& answering, const Target& target, const Ask& ask,
                                               const Reply& reply) const
{
    const bool shown_as_it_comes = reply.streams() && !answering.form;
    return {settings_.timeouts, answering.sent, ask.context.deadline, !shown_as_it_comes, target.reasoning};
}

Task<MaybeFailure> AnthropicProvider::streamed(Answering& answering, const Target& target, const Ask& ask, Reply& reply)
{
    auto& response = *answering.response;
    if (!is_type(response, "text/event-stream") && !response.header("content-type").empty())
        co_return Failure(FailureClass::protocol, "");
    EventTranslator events(answering.answer_tool);
    openai::StreamAttempt attempt(ask, reply, timers(answering, target, ask, reply), &events,
                                  answering.form ? &*answering.form : nullptr);
    auto failure = co_await attempt.run(response);
    if (attempt.skipped() > 0)
        logger_.warn(
            "stream events that are not JSON",
            {{"request_id", ask.context.request_id}, {"provider", settings_.name}, {"count", attempt.skipped()}});
    co_return failure;
}

Task<MaybeFailure> AnthropicProvider::whole(Answering& answering, const Target& target, const Ask& ask, Reply& reply,
                                            Deadline deadline)
{
    std::optional<Reply::Wait> waiting(reply);
    const auto body =
        co_await answering.response->read_all(largest_answer, deadline, settings_.timeouts.byte_silence);
    waiting.reset();
    if (!body)
        co_return failure_of_body(body.error());
    auto document = completion_of(openai::parse_whole(*body), answering.answer_tool);
    if (!ask.stream) {
        auto failure = openai::read_whole(dump(document), ask.model_id, reply.completion,
                                          ask.relay != nullptr ? &reply.body : nullptr, &ask, &reply.has_more);
        if (!failure && answering.form)
            failure = openai::hold_to_form(*answering.form, reply.completion, reply.body);
        co_return failure;
    }
    openai::StreamAttempt attempt(ask, reply, timers(answering, target, ask, reply), nullptr,
                                  answering.form ? &*answering.form : nullptr);
    co_return co_await attempt.run_whole(std::move(document));
}

}  // namespace

std::unique_ptr<Provider> make_provider(const config::Provider& settings, http::Client& client, Logger& logger)
{
    return std::make_unique<AnthropicProvider>(settings, client, logger);
}

}  // namespace dure::llm::anthropic
