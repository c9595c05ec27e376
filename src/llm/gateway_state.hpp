// What a gateway is made of, and its calls on their way: Gateway::State.
//   gateway.cpp          the public face: models, reload, checks, and what each kind of call asks for
//   gateway_calls.cpp    an answer from its model to its end: cache, targets in turn, attempts
//   gateway_embed.cpp    the same of embeddings
#pragma once

#include <atomic>
#include <mutex>

#include "dure/llm/gateway.hpp"
#include "llm/admissions.hpp"
#include "llm/attempt_note.hpp"
#include "llm/call_end.hpp"
#include "llm/call_spending.hpp"
#include "llm/drains.hpp"
#include "llm/exact_cache.hpp"

namespace dure::llm {

struct Gateway::State {
    State(http::Client& client, metrics::Registry& registry, Logger& log, const config::Settings& settings,
          AttemptLog* attempts, model::Budget* limits)
        : logger(log), attempt_log(attempts), budget(limits), http_client(client), shared_catalog(std::make_shared<const Catalog>(settings, client, log)),
          metrics(registry), heartbeat(settings.server.limits.sse_heartbeat)
    {
    }

    Task<Result<void>> serve(const Catalog& catalog, const ModelEntry& model, Ask& ask, Reply& reply);
    Task<Result<void>> try_targets(const Catalog& catalog, const ModelEntry& model, Ask& ask, Reply& reply);
    Task<Result<void>> reserve(const ModelEntry& model, const std::vector<bool>& capable, Ask& ask, CallSpending& into);
    Task<MaybeFailure> attempt(const Catalog& catalog, const ModelEntry& model, const Target& target,
                               std::size_t key, const Ask& ask, Reply& reply, Steady::time_point now);
    struct AttemptAtHand {
        const Target& target;
        std::size_t key;
        const Ask& ask;
        Admitted& admitted;
        AttemptNote& note;
        const config::Provider& provider;
    };
    Task<MaybeFailure> drained(Task<MaybeFailure> work, AttemptAtHand at_hand, Reply& reply);
    void log_failure(const Target& target, std::size_t key, const Ask& ask, const Reply& reply,
                     const MaybeFailure& failure);
    Task<Result<void>> answer(const Catalog& catalog, const ModelEntry& model, Ask& ask, Reply& reply, CallEnd& end);
    Task<Result<void>> answer_through_cache(std::string key, const Catalog& catalog, const ModelEntry& model, Ask& ask,
                                            Reply& reply, CallEnd& end);
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
    Drains drains;
    Steady::duration heartbeat;
    std::shared_ptr<State*> alive = std::make_shared<State*>(this);   // the metrics outlive the gateway
};

// not_found, reason "model_not_found".
Error unknown_model(std::string_view model);
// In [0, 1), for the jitter of pauses.
double random_fraction();

}  // namespace dure::llm
