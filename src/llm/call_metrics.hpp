// Counters and histograms of the gateway (llm-upstreams §9). Label sets are resolved once and kept.
#pragma once

#include <map>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>

#include "dure/base/clock.hpp"
#include "dure/metrics/registry.hpp"
#include "llm/provider.hpp"

namespace dure::llm {

// One finished call as the metrics see it.
struct CallSummary {
    std::string_view operation;           // chat, embeddings
    std::string_view model;               // configured id
    std::string_view answered_by;         // "provider/model"
    std::string_view error;               // client code of the failure; empty: success
    Steady::duration took{};
    std::optional<Steady::duration> first_output;
    model::Usage usage;
};

// Thread-safe.
class CallMetrics {
public:
    explicit CallMetrics(metrics::Registry& registry);

    void finished(const CallSummary& call);
    void attempt(const Target& target, const std::optional<Failure>& failure);
    void fell_back(const std::string& from, const std::string& to, FailureClass kind);
    void usage_estimated() { usage_estimated_.increment(); }

private:
    struct CallSet {
        metrics::Histogram& duration;
        metrics::Histogram& first_chunk;
        metrics::Histogram& input_tokens;
        metrics::Histogram& output_tokens;
    };
    CallSet& call_set(const CallSummary& call);
    metrics::Counter& counter(const std::string& name, const std::string& help, const metrics::Labels& labels);

    metrics::Registry& registry_;
    metrics::Counter& usage_estimated_;
    std::shared_mutex guard_;
    std::map<std::string, CallSet, std::less<>> calls_;
    std::map<std::string, metrics::Counter*, std::less<>> counters_;
};

}  // namespace dure::llm
