// What an answer costs: whole numbers only, summed first and rounded once, half up (llm-upstreams §8).
#pragma once

#include <cstdint>
#include <string>

#include "dure/config/settings.hpp"
#include "dure/model/chat.hpp"

namespace dure::llm {

// Nano-dollars. Cached and cache-writing prompt tokens are part of prompt_tokens and priced apart; cache writes
// without a price of their own cost what input costs.
std::int64_t cost_nano(const model::Usage& usage, const config::Prices& prices);
// Equal for equal prices; empty when all are 0.
std::string price_version(const config::Prices& prices);

}  // namespace dure::llm
