// The gateway's public face: what models there are, and what each kind of call asks of the state. How a call goes on from
// here: gateway_state.hpp.
#include "dure/llm/gateway.hpp"

#include <boost/asio/this_coro.hpp>

#include "dure/http/client.hpp"
#include "llm/call_spending.hpp"
#include "llm/gateway_state.hpp"
#include "llm/target_check.hpp"

namespace dure::llm {

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

std::vector<ModelInfo> Gateway::embedders() const
{
    std::vector<ModelInfo> all;
    for (const auto& model : state_->current()->models())
        if (model.embeds)
            all.push_back(model.info);
    return all;
}

std::optional<ModelInfo> Gateway::find_embedder(std::string_view model) const
{
    const auto catalog = state_->current();
    const auto* entry = model.empty() ? nullptr : catalog->find(model);
    return entry != nullptr && entry->embeds ? std::optional(entry->info) : std::nullopt;
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

void Gateway::stop_draining()
{
    state_->drains.stop();
}

Task<void> Gateway::check_targets(std::function<void(const TargetCheck&)> report)
{
    const auto catalog = state_->current();
    for (const auto& model : catalog->models())
        for (const auto& target : model.targets) {
            const auto start = Steady::now();
            const auto failure = co_await try_target(*catalog, model, target);
            TargetCheck check{model.info.id, target.label, {}, {}};
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
    ask.stream = true;   // the timers of a stream tell a long answer from a dead provider
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
    if (state_->budget == nullptr || !state_->budget->limits(spender_of(context)))
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

}  // namespace dure::llm
