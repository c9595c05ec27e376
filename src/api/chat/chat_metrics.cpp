// ChatMetrics: label sets are resolved once and kept; see chat_metrics.hpp.
#include "api/chat/chat_metrics.hpp"

namespace dure::api {

void ChatMetrics::observe(std::string_view model, int status, Steady::duration took)
{
    static const std::vector<double> buckets = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300};
    metrics::Counter* counter = nullptr;
    metrics::Histogram* histogram = nullptr;
    {
        const std::lock_guard lock(guard_);
        auto& known_counter = counters_[{std::string(model), status}];
        if (!known_counter)
            known_counter = &registry_.counter("chat_requests_total", "Chat requests by final status",
                                               {{"endpoint", endpoint_}, {"model", std::string(model)}, {"status", std::to_string(status)}});
        counter = known_counter;
        auto& known_histogram = histograms_[std::string(model)];
        if (!known_histogram)
            known_histogram = &registry_.histogram("chat_response_duration_seconds", "Time to the end of a chat answer",
                                                   {{"endpoint", endpoint_}, {"model", std::string(model)}}, buckets);
        histogram = known_histogram;
    }
    counter->increment();
    histogram->observe(std::chrono::duration<double>(took).count());
}

}  // namespace dure::api
