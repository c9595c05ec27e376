// The gateway: looks up the model, then tries its targets as the retry plan says, with still-alive ticks beside it for
// streams, and settles usage at the end whatever happened. See gateway.hpp.
//
//   relay/stream/complete -> serve -> try_targets -> [slot of the provider] -> Provider::attempt
#include "dure/llm/gateway.hpp"

#include <atomic>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <mutex>

#include "dure/base/cancellation.hpp"
#include "dure/base/text.hpp"
#include "dure/base/timeout.hpp"
#include "llm/admissions.hpp"
#include "llm/attempt_note.hpp"
#include "llm/call_end.hpp"
#include "llm/call_spending.hpp"
#include "llm/exact_cache.hpp"
#include "llm/needs.hpp"
#include "llm/price.hpp"
#include "llm/retry_plan.hpp"
#include "llm/target_check.hpp"

namespace dure::llm {

struct Gateway::State {
    State(http::Client& client, metrics::Registry& registry, Logger& log, const config::Settings& settings,
          AttemptLog* attempts, model::Budget* limits)
        : logger(log), attempt_log(attempts), budget(limits), http_client(client), shared_catalog(std::make_shared<const Catalog>(settings, client, log)),
          metrics(registry), heartbeat(settings.server.limits.sse_heartbeat)
    {
    }

    Task<Result<void>> serve(const Catalog& catalog, const ModelEntry& model, const Ask& ask, Reply& reply);
    Task<Result<void>> try_targets(const Catalog& catalog, const ModelEntry& model, const Ask& ask, Reply& reply);
    Task<MaybeFailure> attempt(const Catalog& catalog, const ModelEntry& model, const Target& target,
                                         std::size_t key, const Ask& ask, Reply& reply);
    void note_attempt(const Target& target, std::size_t key, const Ask& ask, const Reply& reply,
                      const MaybeFailure& failure);
    Task<Result<void>> answer(const Catalog& catalog, const ModelEntry& model, const Ask& ask, Reply& reply, CallEnd& end);
    Task<Result<void>> play(const model::Completion& stored, const Ask& ask, Reply& reply);
    void show_gauges();
    void refresh_gauges();
    std::shared_ptr<const Catalog> current() const { return shared_catalog.load(); }

    Logger& logger;
    AttemptLog* attempt_log;   // null: no rows
    model::Budget* budget;     // null: nothing limits tokens and cost
    http::Client& http_client;
    std::atomic<std::shared_ptr<const Catalog>> shared_catalog;   // calls under way keep the one they began with
    std::mutex reloading;
    CallMetrics metrics;
    ExactCache cache;
    Steady::duration heartbeat;
    std::shared_ptr<State*> alive = std::make_shared<State*>(this);   // the metrics outlive the gateway
};

namespace {

double random_fraction()
{
    std::uint32_t bits = 0;
    fill_random(&bits, sizeof bits);
    return static_cast<double>(bits) / 4294967296.0;
}

Error unknown_model(std::string_view model)
{
    return Error(Errc::not_found, "The model '" + std::string(model.substr(0, 200)) + "' does not exist.")
        .reason("model_not_found")
        .param("model");
}

std::vector<RetryPlan::Candidate> candidates_of(const ModelEntry& model, const std::vector<bool>& capable)
{
    std::vector<RetryPlan::Candidate> all;
    all.reserve(model.targets.size());
    for (std::size_t i = 0; i < model.targets.size(); ++i)
        all.push_back({model.targets[i].provider, model.targets[i].context_window, capable[i]});
    return all;
}

// What a failed attempt left behind must not be taken for a part of the next one's answer.
void forget_attempt(Reply& reply)
{
    const auto attempts = reply.completion.attempts;
    reply.completion = model::Completion();
    reply.completion.attempts = attempts;
    reply.body.clear();
}

// What became of the work: one of the two, once it has ended.
struct Ended {
    std::optional<Result<void>> result;
    std::exception_ptr thrown;
};

Task<void> keep_outcome(Task<Result<void>> work, Ended& ended)
{
    try {
        ended.result.emplace(co_await std::move(work));
    } catch (...) {
        ended.thrown = std::current_exception();
    }
}

}  // namespace

Task<Result<void>> Gateway::State::serve(const Catalog& catalog, const ModelEntry& model, const Ask& ask, Reply& reply)
{
    using namespace boost::asio::experimental::awaitable_operators;
    CallEnd end(model, reply, metrics);
    if (!reply.streams()) {
        auto result = co_await answer(catalog, model, ask, reply, end);
        end.with(result);
        co_return result;
    }
    // Neither side throws to end the other: an exception at the end of every stream would cost more than the stream.
    Ended ended;
    co_await (keep_outcome(answer(catalog, model, ask, reply, end), ended) || reply.keep_alive());
    if (is_cancelled(co_await boost::asio::this_coro::cancellation_state))
        throw boost::system::system_error(boost::asio::error::operation_aborted);
    if (reply.reader_gone())
        ended = {Error(Errc::cancelled, "The reader has gone."), nullptr};
    if (ended.thrown)
        std::rethrow_exception(ended.thrown);
    end.with(*ended.result);
    co_return *ended.result;
}

// A model with a response cache is asked through it.
Task<Result<void>> Gateway::State::answer(const Catalog& catalog, const ModelEntry& model, const Ask& ask, Reply& reply,
                                          CallEnd& end)
{
    auto key = model.exact_cache ? cache_key(model, ask) : std::string();
    if (key.empty()) {
        if (model.exact_cache)
            metrics.cache_request("bypass");
        co_return co_await try_targets(catalog, model, ask, reply);
    }
    ExactCache::Lead lead;
    bool shared = false;
    const auto found = co_await cache.find(std::move(key), ask.context.deadline, lead, shared);
    metrics.cache_request(!found ? "miss" : shared ? "shared" : "hit");
    reply.cache_hit(found != nullptr);
    if (found) {
        end.from_cache();
        co_return co_await play(*found, ask, reply);
    }
    auto result = co_await try_targets(catalog, model, ask, reply);
    const auto& made = reply.completion;
    if (!result || !made.complete()) {
        lead.end(nullptr, false);
        co_return result;
    }
    const auto provider = made.answered_by.substr(0, made.answered_by.find('/'));
    const bool keep = made.finish_reason == "stop" && catalog.provider(provider).settings.dialect != "mock";
    lead.end(std::make_shared<const model::Completion>(made), keep);
    co_return result;
}

Task<Result<void>> Gateway::State::play(const model::Completion& stored, const Ask& ask, Reply& reply)
{
    constexpr std::size_t text_per_piece = 2048;
    reply.completion = stored;
    reply.completion.attempts = 0;
    if (ask.relay != nullptr && !ask.stream)
        reply.body = completion_body(stored, ask.model_id);
    if (!reply.streams())
        co_return Result<void>();
    std::vector<model::Piece> pieces;
    const auto add = [&](std::string model::Piece::* member, std::string_view text) {
        while (!text.empty()) {
            const auto part = utf8_prefix(text, text_per_piece);
            pieces.emplace_back().*member = part;
            text.remove_prefix(part.size());
        }
    };
    add(&model::Piece::reasoning, stored.reasoning);
    add(&model::Piece::text, stored.text);
    add(&model::Piece::refusal, stored.refusal);
    for (std::size_t i = 0; i < stored.tool_calls.size(); ++i) {
        const auto& call = stored.tool_calls[i];
        pieces.emplace_back().tool_calls.push_back({static_cast<int>(i), call.id, call.name, call.arguments});
    }
    for (const auto& piece : pieces)
        if (auto sent = co_await reply.piece(piece); !sent)
            co_return sent;
    co_return Result<void>();
}

void Gateway::State::show_gauges()
{
    metrics.registry().before_text([alive = std::weak_ptr<State*>(alive)] {
        if (const auto state = alive.lock())
            (*state)->refresh_gauges();
    });
}

void Gateway::State::refresh_gauges()
{
    const auto now = Steady::now();
    const auto shown = current();
    for (const auto& model : shown->models())
        for (const auto& target : model.targets)
            metrics.breaker_state(target, target.health->breaker(now));
    const auto connections = http_client.counts();
    metrics.connections(connections.open - std::min(connections.idle, connections.open), connections.idle);
}

Task<Result<void>> Gateway::State::try_targets(const Catalog& catalog, const ModelEntry& model, const Ask& ask, Reply& reply)
{
    const auto capable = capable_targets(model, ask);
    if (!capable)
        co_return capable.error();
    CallSpending spending(reply);
    if (budget != nullptr && budget->limits(ask.context.role)) {
        auto reserved = co_await budget->reserve(spender_of(ask.context), wish_of(model, ask, *capable));
        if (!reserved)
            co_return reserved.error();
        spending.holds(std::move(*reserved));
    }
    ModelAdmissions admissions(model);
    RetryPlan plan(candidates_of(model, *capable), {model.attempts, model.next_after_content_filter}, random_fraction,
                   &admissions);
    const Target* before = nullptr;
    std::optional<FailureClass> left_for;
    for (auto step = plan.first(ask.context.deadline.left());;) {
        if (step.stop)
            co_return to_error(plan.most_useful());
        if (step.pause > Steady::duration::zero()) {
            const Reply::Wait waiting(reply);
            co_await sleep_for(step.pause);
        }
        if (step.again) {
            step = plan.first(ask.context.deadline.left());
            continue;
        }
        const auto& target = model.targets[step.target];
        if (before != nullptr && before != &target)
            metrics.fell_back(before->label(), target.label(), *left_for);
        before = &target;
        forget_attempt(reply);
        ++reply.completion.attempts;
        const auto failure = co_await attempt(catalog, model, target, step.key, ask, reply);
        co_await reply.quiet();
        if (!failure)
            co_return Result<void>();
        if (failure->after_output)
            co_return to_error(*failure);
        const bool repaired = failure->kind == FailureClass::unsupported_param &&
                              catalog.provider(target.provider).provider->repair(target, *failure);
        left_for = failure->kind;
        step = plan.after(*failure, repaired, ask.context.deadline.left());
    }
}

Task<MaybeFailure> Gateway::State::attempt(const Catalog& catalog, const ModelEntry& model, const Target& target,
                                                     std::size_t key, const Ask& ask, Reply& reply)
{
    const auto& entry = catalog.provider(target.provider);
    Admitted admitted(*target.health, key);
    auto refusal = Bulkhead::Refusal::deadline;
    const auto slot = co_await entry.running->enter(ask.context.deadline, refusal);
    if (!slot)
        co_return Failure(FailureClass::busy, "");
    reply.completion.answered_by = target.label();
    reply.from_mock_fallback(entry.settings.dialect == "mock" && reply.completion.attempts > 1);
    AttemptNote note(attempt_log, target, key, model.info.id, ask, reply);
    auto failure = co_await entry.provider->attempt(target, key, ask, reply);
    admitted.ended(failure);
    note_attempt(target, key, ask, reply, failure);
    co_await note.ended(failure);
    co_return failure;
}

void Gateway::State::note_attempt(const Target& target, std::size_t key, const Ask& ask, const Reply& reply,
                                  const MaybeFailure& failure)
{
    metrics.attempt(target, failure);
    if (!failure || failure->kind == FailureClass::cancelled)
        return;
    logger.warn("model attempt failed", {{"request_id", ask.context.request_id},
                                         {"target", target.label()},
                                         {"key", key},
                                         {"attempt", reply.completion.attempts},
                                         {"upstream_request_id", reply.completion.upstream_request_id},
                                         {"class", name_of(failure->kind)},
                                         {"status", failure->status},
                                         {"after_output", failure->after_output},
                                         {"detail", failure->detail}});
}

Gateway::Gateway(Cores&, http::Client& client, metrics::Registry& metrics, Logger& logger,
                 const config::Settings& settings, AttemptLog* attempts, model::Budget* budget)
    : state_(std::make_unique<State>(client, metrics, logger, settings, attempts, budget))
{
    state_->show_gauges();
}

Gateway::~Gateway() = default;

std::vector<ModelInfo> Gateway::models() const
{
    std::vector<ModelInfo> all;
    for (const auto& model : state_->current()->models())
        if (!model.embeds)
            all.push_back(model.info);
    return all;
}

std::optional<ModelInfo> Gateway::find(std::string_view model) const
{
    const auto catalog = state_->current();
    const auto* entry = catalog->find(model);
    return entry == nullptr || entry->embeds ? std::nullopt : std::optional(entry->info);
}

bool Gateway::serves(std::string_view model) const
{
    const auto catalog = state_->current();
    const auto* entry = catalog->find(model);
    return entry != nullptr && !entry->embeds;
}

std::string Gateway::default_model() const
{
    return state_->current()->default_model();
}

bool Gateway::embeds(std::string_view model) const
{
    const auto catalog = state_->current();
    const auto* entry = model.empty() ? nullptr : catalog->find(model);
    return entry != nullptr && entry->embeds;
}

Gateway::EmbeddingModel Gateway::embedding_model() const
{
    const auto catalog = state_->current();
    const auto* entry = catalog->find(catalog->embeddings());
    if (entry == nullptr || !entry->embeds)
        return {catalog->embeddings(), {}, false};
    const bool built_in = catalog->provider(entry->targets.front().provider).settings.dialect == "mock";
    return {entry->info.id, entry->revision, built_in};
}

Result<void> Gateway::reload(const config::Settings& settings)
{
    const std::lock_guard lock(state_->reloading);
    try {
        const auto before = state_->current();
        state_->shared_catalog.store(std::make_shared<const Catalog>(settings, state_->http_client, state_->logger, before.get()));
    } catch (const InvariantBroken& wrong) {
        return Error(Errc::invalid_argument, wrong.what()).reason("invalid_configuration");
    }
    return {};
}

Task<void> Gateway::check_targets(std::function<void(const TargetCheck&)> report)
{
    const auto catalog = state_->current();
    for (const auto& model : catalog->models())
        for (const auto& target : model.targets) {
            const auto start = Steady::now();
            const auto failure = co_await try_target(*catalog, model, target);
            TargetCheck check{model.info.id, target.label(), {}, {}};
            if (failure) {
                const auto error = to_error(*failure);
                check.error = error.reason() + ": " + error.message();
                if (!error.detail().empty() && error.detail() != error.message())
                    check.error += " (" + error.detail() + ")";
            }
            check.took = std::chrono::duration_cast<std::chrono::milliseconds>(Steady::now() - start);
            report(check);
        }
}

Task<Result<void>> Gateway::complete(const CompletionRequest& request, const CallContext& context, model::Completion& into)
{
    const auto catalog = state_->current();
    const auto* model = catalog->find(request.model);
    if (model == nullptr || model->embeds)
        co_return unknown_model(request.model);
    Ask ask(context);
    ask.typed = &request;
    ask.model_id = model->info.id;
    Reply reply(co_await boost::asio::this_coro::executor, into, nullptr, state_->heartbeat);
    co_return co_await state_->serve(*catalog, *model, ask, reply);
}

Task<Result<void>> Gateway::stream(const CompletionRequest& request, const CallContext& context, model::AnswerSink& sink,
                                   model::Completion& into)
{
    const auto catalog = state_->current();
    const auto* model = catalog->find(request.model);
    if (model == nullptr || model->embeds)
        co_return unknown_model(request.model);
    Ask ask(context);
    ask.typed = &request;
    ask.stream = true;
    ask.model_id = model->info.id;
    // Nobody reads along: the whole answer counts as before output, and a broken one is tried again.
    Reply reply(co_await boost::asio::this_coro::executor, into, sink.reads_along() ? &sink : nullptr,
                state_->heartbeat);
    co_return co_await state_->serve(*catalog, *model, ask, reply);
}

Task<Result<void>> Gateway::relay(const RelayRequest& request, const CallContext& context, model::AnswerSink& sink,
                                  RelayRecord& record)
{
    const auto catalog = state_->current();
    const auto* model = catalog->find(request.model);
    if (model == nullptr || model->embeds)
        co_return unknown_model(request.model);
    Ask ask(context);
    ask.relay = &request;
    ask.stream = request.stream;
    ask.model_id = request.model.empty() ? std::string_view(model->info.id) : request.model;
    Reply reply(co_await boost::asio::this_coro::executor, record.completion, request.stream ? &sink : nullptr,
                state_->heartbeat, &record);
    auto result = co_await state_->serve(*catalog, *model, ask, reply);
    record.body = std::move(reply.body);
    co_return result;
}

Task<Result<Gateway::Room>> Gateway::room_for(std::string_view model, std::span<const model::Message> messages,
                                              const CallContext& context)
{
    if (state_->budget == nullptr || !state_->budget->limits(context.role))
        co_return Room::unlimited;
    const auto catalog = state_->current();
    const auto* entry = catalog->find(model);
    if (entry == nullptr || entry->embeds)
        co_return unknown_model(model);
    const auto reserved = co_await state_->budget->reserve(spender_of(context), least_wish(*entry, messages));
    if (!reserved)
        co_return reserved.error();
    co_return *reserved ? Room::some : Room::unlimited;
}

Task<Result<EmbeddingAnswer>> Gateway::embed(const EmbeddingRequest& request, const CallContext& context)
{
    const auto catalog = state_->current();
    const auto* model = catalog->find(request.model.empty() ? catalog->embeddings() : request.model);
    if (model == nullptr || !model->embeds)
        co_return unknown_model(request.model);
    const auto& target = model->targets.front();   // never another model by fallback: vectors would not fit together
    const auto& entry = catalog->provider(target.provider);
    std::unique_ptr<model::Reservation> reserved;   // gives everything back unless it is settled
    if (state_->budget != nullptr && !target.in_process && state_->budget->limits(context.role)) {
        auto given = co_await state_->budget->reserve(spender_of(context), embedding_wish(target, request));
        if (!given)
            co_return given.error();
        reserved = std::move(*given);
    }
    auto refusal = Bulkhead::Refusal::deadline;
    const auto slot = co_await entry.running->enter(context.deadline, refusal);
    if (!slot)
        co_return to_error(Failure(FailureClass::busy, ""));
    EmbeddingEnd end(model->info.id, target, state_->metrics);
    ModelAdmissions admissions(*model);
    std::vector<RetryPlan::Candidate> alone{{target.provider, 0, true}};
    RetryPlan plan(std::move(alone), {model->attempts, false}, random_fraction, &admissions);
    std::int64_t number = 0;
    for (auto step = plan.first(context.deadline.left());;) {
        if (step.stop)
            co_return end.failed(to_error(plan.most_useful()));
        co_await sleep_for(step.pause);
        if (step.again) {
            step = plan.first(context.deadline.left());
            continue;
        }
        EmbeddingAnswer answer;
        const auto started = Steady::now();
        Admitted admitted(*target.health, step.key);
        const auto failure = co_await entry.provider->embed(target, step.key, request, context, answer);
        admitted.ended(failure);
        state_->metrics.attempt(target, failure);
        if (!failure && !answer.usage.cost_nano)
            answer.usage.cost_nano = cost_nano(answer.usage, target.prices);
        if (state_->attempt_log != nullptr)
            co_await state_->attempt_log->add(embedding_attempt(target, step.key, model->info.id, ++number, context,
                                                                started, answer.usage, failure));
        if (!failure) {
            end.answered(answer.usage);
            if (reserved)
                reserved->settle({answer.usage.total(), answer.usage.cost_nano.value_or(0)});
            co_return answer;
        }
        const bool repaired =
            failure->kind == FailureClass::unsupported_param && entry.provider->repair(target, *failure);
        step = plan.after(*failure, repaired, context.deadline.left());
    }
}

}  // namespace dure::llm
