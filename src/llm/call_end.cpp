// See call_end.hpp.
#include "llm/call_end.hpp"

namespace dure::llm {

CallEnd::~CallEnd()
{
    settle_usage();
    if (from_cache_)   // no call of a provider
        return;
    CallSummary call;
    call.operation = "chat";
    call.model = model_.info.id;
    call.answered_by = reply_.completion.answered_by;
    call.error = error_;
    call.took = Steady::now() - reply_.began();
    if (reply_.first_output_at())
        call.first_output = *reply_.first_output_at() - reply_.began();
    call.usage = reply_.completion.usage;
    call.overhead = std::max(call.took - reply_.upstream_time(), Steady::duration::zero());
    call.pieces = reply_.writes();
    metrics_.finished(call);
}

EmbeddingEnd::~EmbeddingEnd()
{
    CallSummary call;
    call.operation = "embeddings";
    call.model = model_;
    call.answered_by = target_;
    call.error = error_;
    call.took = Steady::now() - started_;
    call.usage = usage_;
    if (usage_.estimated)
        metrics_.usage_estimated();
    metrics_.finished(call);
}

// The attempts have settled what they used.
void CallEnd::settle_usage()
{
    auto& usage = reply_.completion.usage;
    if (from_cache_) {
        usage.cost_nano = 0;
        return;
    }
    if (usage.estimated)
        metrics_.usage_estimated();
    if (reply_.cost_of_failed > 0)
        usage.cost_nano = usage.cost_nano.value_or(0) + reply_.cost_of_failed;
}

}  // namespace dure::llm
