// chat_requests_total, chat_response_duration_seconds and the gen_ai_server_* histograms: one observation per chat request, with
// its final status (a stream that broke after its 200 counts as its error).
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "dure/base/clock.hpp"
#include "dure/metrics/registry.hpp"

namespace dure::api {

class ChatMetrics {
public:
    ChatMetrics(metrics::Registry& registry, std::string endpoint) : registry_(registry), endpoint_(std::move(endpoint))
    {}

    // `model` is a configured name or "other". `first_token`: of a stream, until the client got its first output. Thread-safe.
    void observe(std::string_view model, int status, Steady::duration took,
                 std::optional<Steady::duration> first_token = std::nullopt);
    // One that was refused before its model was looked at: counted, and no part of how long answers take.
    void refused(int status) { requests("other", status).increment(); }

private:
    // Of one model and one final status.
    struct Known {
        metrics::Counter& requests;
        metrics::Histogram& durations;
        metrics::Histogram& server_durations;
        metrics::Histogram& first_tokens;
    };
    Known& known(std::string_view model, int status);
    metrics::Counter& requests(std::string model, int status);

    metrics::Registry& registry_;
    std::string endpoint_;
    std::mutex guard_;
    std::map<std::pair<std::string, int>, Known> known_;  // entries stay where they are
    std::atomic<decltype(known_)::value_type*> last_used_{nullptr};  // mostly the one that is asked for: no lock
};

}  // namespace dure::api
