// What an attempt used and costs (llm-upstreams §8): the provider's numbers; for what was cut or came without numbers an
// estimate by bytes. An attempt that failed before its first output costs what the provider reported, else nothing.
#pragma once

#include "llm/provider.hpp"

namespace dure::llm {

enum class AttemptEnd {
    whole,  // or what came of it has been seen
    failed_before_output,
};

// The tokens of what an answer says, estimated, and usage of the OpenAI form with them.
std::int64_t tokens_said(const model::Completion& answer);
OrderedJson estimated_usage(std::int64_t prompt_tokens, const model::Completion& answer);

// Fills in answer.usage, cost_nano included. Once per attempt.
void settle(model::Completion& answer, const Ask& ask, const config::Prices& prices, AttemptEnd end);

}  // namespace dure::llm
