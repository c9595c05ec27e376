// ChatMetrics: label sets are resolved once and kept; see chat_metrics.hpp.
#include "api/chat/chat_metrics.hpp"

namespace dure::api {

namespace {

// 0.01 s, doubled up to 81.92 s: the buckets of the gen_ai_* histograms.
std::vector<double> doubling_buckets()
{
    std::vector<double> bounds;
    for (double bound = 0.01; bounds.size() < 14; bound *= 2)
        bounds.push_back(bound);
    return bounds;
}

double in_seconds(Steady::duration span)
{
    return std::chrono::duration<double>(span).count();
}

}  // namespace

ChatMetrics::Known& ChatMetrics::known(std::string_view model, int status)
{
    static const std::vector<double> buckets = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300};
    static const auto gen_ai_buckets = doubling_buckets();
    if (auto* const last = last_used_.load(std::memory_order_acquire);
        last != nullptr && last->first.first == model && last->first.second == status)
        return last->second;
    const std::lock_guard lock(guard_);
    std::pair key{std::string(model), status};
    if (const auto found = known_.find(key); found != known_.end()) {
        last_used_.store(&*found, std::memory_order_release);
        return found->second;
    }
    const metrics::Labels of_model = {{"endpoint", endpoint_}, {"model", key.first}};
    const metrics::Labels gen_ai = {{"gen_ai_operation_name", "chat"},
                                    {"gen_ai_provider_name", "dure"},
                                    {"gen_ai_request_model", key.first},
                                    {"gen_ai_response_model", key.first},
                                    {"error_type", status < 400 ? "" : std::to_string(status)}};
    const Known made{requests(key.first, status),
                     registry_.histogram("chat_response_duration_seconds", "Time to the end of a chat answer", of_model, buckets),
                     registry_.histogram("gen_ai_server_request_duration_seconds",
                                         "Time to the end of a chat answer, as its client sees it", gen_ai, gen_ai_buckets),
                     registry_.histogram("gen_ai_server_time_to_first_token_seconds",
                                         "Time to the first output of a stream, as its client sees it", gen_ai, gen_ai_buckets)};
    return known_.emplace(std::move(key), made).first->second;
}

metrics::Counter& ChatMetrics::requests(std::string model, int status)
{
    return registry_.counter("chat_requests_total", "Chat requests by final status",
                             {{"endpoint", endpoint_}, {"model", std::move(model)}, {"status", std::to_string(status)}});
}

void ChatMetrics::observe(std::string_view model, int status, Steady::duration took,
                          std::optional<Steady::duration> first_token)
{
    auto& set = known(model, status);
    set.requests.increment();
    set.durations.observe(in_seconds(took));
    set.server_durations.observe(in_seconds(took));
    if (first_token)
        set.first_tokens.observe(in_seconds(*first_token));
}

}  // namespace dure::api
