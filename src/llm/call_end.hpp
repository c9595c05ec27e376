// The end of a call, however it ends (a cancelled one too, hence a destructor): sums up usage and cost and writes the
// metrics. What each attempt used was settled at its end (settlement.hpp).
#pragma once

#include <string>

#include "llm/call_metrics.hpp"
#include "llm/catalog.hpp"

namespace dure::llm {

class CallEnd {
public:
    CallEnd(const ModelEntry& model, const Reply& reply, CallMetrics& metrics)
        : model_(model), reply_(reply), metrics_(metrics)
    {}
    CallEnd(const CallEnd&) = delete;
    CallEnd& operator=(const CallEnd&) = delete;
    ~CallEnd();

    void with(const Result<void>& result)
    {
        error_ = result ? std::string() : std::string(error_type_of(result.error()));
    }
    // Nothing was asked of a provider: the numbers are those of the stored answer, and it costs nothing.
    void from_cache() { from_cache_ = true; }

private:
    void settle_usage();

    const ModelEntry& model_;
    const Reply& reply_;
    CallMetrics& metrics_;
    std::string error_ = "cancelled";
    bool from_cache_ = false;
};

// The same of a call for embeddings.
class EmbeddingEnd {
public:
    EmbeddingEnd(std::string_view model, const Target& target, CallMetrics& metrics)
        : model_(model), target_(target.label), metrics_(metrics)
    {}
    EmbeddingEnd(const EmbeddingEnd&) = delete;
    EmbeddingEnd& operator=(const EmbeddingEnd&) = delete;
    ~EmbeddingEnd();

    void answered(const model::Usage& usage)
    {
        error_.clear();
        usage_ = usage;
    }
    Error failed(Error error)
    {
        error_ = error_type_of(error);
        return error;
    }

private:
    const std::string_view model_;
    const std::string target_;
    CallMetrics& metrics_;
    const Steady::time_point started_ = Steady::now();
    std::string error_ = "cancelled";
    model::Usage usage_;
};

}  // namespace dure::llm
