// Names, buckets and label sets of the gateway's metrics; see call_metrics.hpp.
#include "llm/call_metrics.hpp"

#include <mutex>

namespace dure::llm {

namespace {

// first, first·factor, … `count` bounds.
std::vector<double> rising_buckets(double first, double factor, int count)
{
    std::vector<double> bounds;
    for (int i = 0; i < count; ++i, first *= factor)
        bounds.push_back(first);
    return bounds;
}

double seconds_of(Steady::duration span)
{
    return std::chrono::duration<double>(span).count();
}

metrics::Labels with_label(metrics::Labels labels, std::string name, std::string value)
{
    labels.emplace_back(std::move(name), std::move(value));
    return labels;
}

}  // namespace

CallMetrics::CallMetrics(metrics::Registry& registry)
    : registry_(registry),
      usage_estimated_(registry.counter("dure_usage_estimated_total", "Answers whose token usage had to be estimated")),
      cost_(registry.counter("dure_cost_nanousd_total", "What model calls cost, in nano-dollars")),
      overhead_(registry.histogram("dure_gateway_overhead_seconds",
                                   "Time of a model call that was not spent waiting for the provider", {},
                                   rising_buckets(0.00002, 2, 16)))
{
}

CallMetrics::CallSet& CallMetrics::call_set(const CallSummary& call)
{
    const std::array<std::string_view, 4> key = {call.operation, call.model, call.answered_by, call.error};
    {
        const std::shared_lock lock(guard_);
        if (const auto found = calls_.find(key); found != calls_.end())
            return found->second;
    }
    const auto slash = call.answered_by.find('/');
    const metrics::Labels labels = {
        {"gen_ai_operation_name", std::string(call.operation)},
        {"gen_ai_provider_name", std::string(call.answered_by.substr(0, slash))},
        {"gen_ai_request_model", std::string(call.model)},
        {"gen_ai_response_model",
         slash == std::string_view::npos ? std::string() : std::string(call.answered_by.substr(slash + 1))},
        {"error_type", std::string(call.error)}};
    const auto times = rising_buckets(0.01, 2, 14);
    const auto tokens = rising_buckets(1, 4, 14);
    const std::string token_help = "Tokens of model calls";
    const CallSet made{
        registry_.histogram("gen_ai_client_operation_duration_seconds", "Time of model calls", labels, times),
        registry_.histogram("gen_ai_client_operation_time_to_first_chunk_seconds", "Time to the first output of streams",
                            labels, times),
        registry_.histogram("gen_ai_client_token_usage", token_help, with_label(labels, "gen_ai_token_type", "input"), tokens),
        registry_.histogram("gen_ai_client_token_usage", token_help, with_label(labels, "gen_ai_token_type", "output"), tokens),
        registry_.histogram("gen_ai_client_operation_time_per_output_chunk_seconds",
                            "Time between the pieces of a streamed output", labels, times)};
    const std::unique_lock lock(guard_);
    const std::array<std::string, 4> kept = {std::string(key[0]), std::string(key[1]), std::string(key[2]), std::string(key[3])};
    return calls_.emplace(kept, made).first->second;
}

void CallMetrics::finished(const CallSummary& call)
{
    auto& set = call_set(call);
    set.duration.observe(seconds_of(call.took));
    if (call.overhead)
        overhead_.observe(seconds_of(*call.overhead));
    if (call.usage.cost_nano && *call.usage.cost_nano > 0)
        cost_.increment(static_cast<double>(*call.usage.cost_nano));
    if (call.first_output && call.pieces > 1)
        set.per_chunk.observe(seconds_of(call.took - *call.first_output) / static_cast<double>(call.pieces - 1));
    if (call.first_output)
        set.first_chunk.observe(seconds_of(*call.first_output));
    if (call.usage.total() == 0)
        return;
    set.input_tokens.observe(static_cast<double>(call.usage.prompt_tokens));
    if (call.operation != "embeddings")
        set.output_tokens.observe(static_cast<double>(call.usage.completion_tokens));
}

metrics::Counter& CallMetrics::attempts(const Target& target, std::string_view outcome)
{
    const std::array<std::string_view, 3> key = {target.provider, target.model, outcome};
    {
        const std::shared_lock lock(guard_);
        if (const auto found = attempts_.find(key); found != attempts_.end())
            return *found->second;
    }
    const std::array<std::string, 3> kept = {target.provider, target.model, std::string(outcome)};
    auto& made = registry_.counter("dure_upstream_attempts_total", "Attempts at model providers by outcome",
                                   {{"provider", kept[0]}, {"model", kept[1]}, {"class", kept[2]}});
    const std::unique_lock lock(guard_);
    attempts_.emplace(kept, &made);
    return made;
}

void CallMetrics::attempt(const Target& target, const MaybeFailure& failure)
{
    const auto kind = failure ? name_of(failure->kind) : std::string_view("success");
    attempts(target, kind).increment();
    if (failure && failure->after_output && failure->kind != FailureClass::cancelled)
        registry_
            .counter("dure_stream_interrupted_total", "Streams that broke after their first output",
                     {{"provider", target.provider}, {"class", std::string(kind)}})
            .increment();
}

void CallMetrics::cache_request(std::string_view result)
{
    registry_
        .counter("dure_cache_requests_total", "Requests to models with a response cache by result",
                 {{"result", std::string(result)}})
        .increment();
}

void CallMetrics::connections(std::size_t active, std::size_t idle)
{
    const auto set = [&](const char* state, std::size_t count) {
        registry_.gauge("dure_upstream_connections", "Connections towards providers", {{"state", state}})
            .set(static_cast<double>(count));
    };
    set("active", active);
    set("idle", idle);
}

void CallMetrics::breaker_state(const Target& target, TargetHealth::Breaker state)
{
    registry_
        .gauge("dure_upstream_breaker_state", "0: closed, 1: half open, 2: open",
               {{"provider", target.provider}, {"model", target.model}})
        .set(state == TargetHealth::Breaker::open ? 2 : state == TargetHealth::Breaker::half_open ? 1 : 0);
}

void CallMetrics::fell_back(const std::string& from, const std::string& to, FailureClass kind)
{
    registry_
        .counter("dure_fallbacks_total", "Changes to the next target of a model",
                 {{"from", from}, {"to", to}, {"class", std::string(name_of(kind))}})
        .increment();
}

}  // namespace dure::llm
