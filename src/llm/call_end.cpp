// See call_end.hpp.
#include "llm/call_end.hpp"

#include "llm/price.hpp"

namespace dure::llm {

namespace {

std::size_t prompt_bytes(const Ask& ask)
{
    if (ask.relay != nullptr)
        return ask.relay->body.size();
    std::size_t bytes = 0;
    for (const auto& message : ask.typed->messages) {
        bytes += message.text().size();
        for (const auto& call : message.tool_calls)
            bytes += call.name.size() + call.arguments.size();
    }
    return bytes;
}

}  // namespace

CallEnd::~CallEnd()
{
    settle_usage();
    CallSummary call;
    call.operation = "chat";
    call.model = model_.info.id;
    call.answered_by = reply_.completion.answered_by;
    call.error = error_;
    call.took = Steady::now() - started_;
    if (reply_.first_output_at())
        call.first_output = *reply_.first_output_at() - started_;
    call.usage = reply_.completion.usage;
    call.overhead = std::max(call.took - reply_.upstream_time(), Steady::duration::zero());
    call.pieces = reply_.writes();
    metrics_.finished(call);
}

void CallEnd::settle_usage()
{
    auto& answer = reply_.completion;
    if (from_cache_) {
        answer.usage.cost_nano = 0;
        return;
    }
    std::size_t said = answer.text.size() + answer.reasoning.size() + answer.refusal.size();
    for (const auto& call : answer.tool_calls)
        said += call.name.size() + call.arguments.size();
    if (!answer.usage.reported) {
        if (said == 0 && !answer.complete())
            return;
        answer.usage.prompt_tokens = static_cast<std::int64_t>((prompt_bytes(ask_) + 3) / 4);
        answer.usage.completion_tokens = static_cast<std::int64_t>((said + 3) / 4);
        answer.usage.estimated = true;
        metrics_.usage_estimated();
    }
    if (!answer.usage.cost_nano && reply_.prices != nullptr)
        answer.usage.cost_nano = cost_nano(answer.usage, *reply_.prices);
}

}  // namespace dure::llm
