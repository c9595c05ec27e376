// See settlement.hpp.
#include "llm/settlement.hpp"

#include "llm/call_spending.hpp"
#include "llm/price.hpp"

namespace dure::llm {

namespace {

std::size_t answer_bytes(const model::Completion& answer)
{
    std::size_t bytes = answer.text.size() + answer.reasoning.size() + answer.refusal.size();
    for (const auto& call : answer.tool_calls)
        bytes += call.name.size() + call.arguments.size();
    return bytes;
}

}  // namespace

std::int64_t tokens_said(const model::Completion& answer)
{
    return static_cast<std::int64_t>((answer_bytes(answer) + 3) / 4);
}

OrderedJson estimated_usage(std::int64_t prompt_tokens, const model::Completion& answer)
{
    const auto said = tokens_said(answer);
    OrderedJson usage;
    usage["prompt_tokens"] = prompt_tokens;
    usage["completion_tokens"] = said;
    usage["total_tokens"] = prompt_tokens + said;
    return usage;
}

void settle(model::Completion& answer, const Ask& ask, const config::Prices& prices, AttemptEnd end)
{
    auto& usage = answer.usage;
    const auto said = tokens_said(answer);
    if (!usage.reported) {
        if (end == AttemptEnd::failed_before_output || (said == 0 && !answer.complete()))
            return;
        usage.prompt_tokens = prompt_tokens_of(ask);
        usage.completion_tokens = said;
        usage.estimated = true;
    } else if (!answer.complete() && said > usage.completion_tokens) {
        // Numbers of a cut stream are those of its beginning (Anthropic's message_start): what arrived counts.
        usage.completion_tokens = said;
        usage.estimated = true;
    }
    if (!usage.cost_nano)
        usage.cost_nano = cost_nano(usage, prices);
}

}  // namespace dure::llm
