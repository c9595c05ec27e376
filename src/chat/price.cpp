// cost_nano(); see price.hpp. Prices are nano-dollars per million tokens.
#include "chat/price.hpp"

namespace dure::chat {

std::int64_t cost_nano(const model::Usage& usage, const config::Prices& prices)
{
    const auto cached = std::clamp<std::int64_t>(usage.cached_tokens, 0, usage.prompt_tokens);
    const __extension__ __int128 sum = static_cast<__int128>(usage.prompt_tokens - cached) * prices.input +
                                       static_cast<__int128>(cached) * prices.cached +
                                       static_cast<__int128>(usage.completion_tokens) * prices.output;
    return static_cast<std::int64_t>((sum + 500000) / 1000000);
}

}  // namespace dure::chat
