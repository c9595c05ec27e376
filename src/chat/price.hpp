// What an answer costs: whole numbers only, summed first and rounded once, half up (llm-upstreams §8).
#pragma once

#include <cstdint>

#include "dure/config/settings.hpp"
#include "dure/model/chat.hpp"

namespace dure::chat {

// Nano-dollars. Cached prompt tokens are part of prompt_tokens and priced apart.
std::int64_t cost_nano(const model::Usage& usage, const config::Prices& prices);

}  // namespace dure::chat
