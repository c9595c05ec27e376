// chat_requests_total and chat_response_duration_seconds: one observation per chat request, with its final status (a
// stream that broke after its 200 counts as its error).
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <tuple>

#include "dure/base/clock.hpp"
#include "dure/metrics/registry.hpp"

namespace dure::api {

class ChatMetrics {
public:
    ChatMetrics(metrics::Registry& registry, std::string endpoint) : registry_(registry), endpoint_(std::move(endpoint)) {}

    // `model` is a configured name or "other". Thread-safe.
    void observe(std::string_view model, int status, Steady::duration took);

private:
    metrics::Registry& registry_;
    std::string endpoint_;
    std::mutex guard_;
    std::map<std::pair<std::string, int>, metrics::Counter*> counters_;
    std::map<std::string, metrics::Histogram*, std::less<>> histograms_;
};

}  // namespace dure::api
