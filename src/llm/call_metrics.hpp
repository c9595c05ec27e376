// Counters and histograms of the gateway (llm-upstreams §9). Label sets are resolved once and kept.
#pragma once

#include <algorithm>
#include <array>
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
    std::optional<Steady::duration> overhead;   // total minus the waits for the provider; empty: not known
    std::size_t pieces = 0;               // writes of a stream
};

// Thread-safe.
class CallMetrics {
public:
    explicit CallMetrics(metrics::Registry& registry);

    void finished(const CallSummary& call);
    void attempt(const Target& target, const MaybeFailure& failure);
    void fell_back(const std::string& from, const std::string& to, FailureClass kind);
    void cache_request(std::string_view result);   // hit, miss, shared, stored, bypass
    // Shown by the next scrape; called by it.
    void breaker_state(const Target& target, TargetHealth::Breaker state);
    void connections(std::size_t active, std::size_t idle);
    metrics::Registry& registry() { return registry_; }
    void usage_estimated() { usage_estimated_.increment(); }

private:
    struct CallSet {
        metrics::Histogram& duration;
        metrics::Histogram& first_chunk;
        metrics::Histogram& input_tokens;
        metrics::Histogram& output_tokens;
        metrics::Histogram& per_chunk;
    };
    // Label values by their views: a look-up builds no strings.
    template <std::size_t size>
    struct ByValues {
        using is_transparent = void;
        using Values = std::array<std::string_view, size>;
        static const Values& views(const Values& values) { return values; }
        static Values views(const std::array<std::string, size>& owned)
        {
            Values values;
            std::copy(owned.begin(), owned.end(), values.begin());
            return values;
        }
        template <class A, class B>
        bool operator()(const A& a, const B& b) const
        {
            return views(a) < views(b);
        }
    };
    template <std::size_t size, class Value>
    using Known = std::map<std::array<std::string, size>, Value, ByValues<size>>;

    CallSet& call_set(const CallSummary& call);
    metrics::Counter& attempts(const Target& target, std::string_view outcome);

    metrics::Registry& registry_;
    metrics::Counter& usage_estimated_;
    metrics::Counter& cost_;
    metrics::Histogram& overhead_;
    std::shared_mutex guard_;
    Known<4, CallSet> calls_;                      // operation, model, target, error
    Known<3, metrics::Counter*> attempts_;         // provider, model, outcome
};

}  // namespace dure::llm
