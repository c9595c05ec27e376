// cost_nano(); see price.hpp. Prices are nano-dollars per million tokens.
#include "llm/price.hpp"

#include <algorithm>
#include <limits>

#include "dure/base/text.hpp"

namespace dure::llm {

namespace {
__extension__ typedef __int128 Wide;   // tokens times nano-dollars can pass 63 bits
}

std::int64_t cost_nano(const model::Usage& usage, const config::Prices& prices)
{
    const auto cached = std::clamp<std::int64_t>(usage.cached_tokens, 0, usage.prompt_tokens);
    const auto written = std::clamp<std::int64_t>(usage.cache_write_tokens, 0, usage.prompt_tokens - cached);
    const auto write_price = prices.cache_write > 0 ? prices.cache_write : prices.input;
    const auto sum = Wide{usage.prompt_tokens - cached - written} * prices.input + Wide{cached} * prices.cached +
                     Wide{written} * write_price + Wide{usage.completion_tokens} * prices.output +
                     Wide{prices.request} * 1000000;
    return static_cast<std::int64_t>(
        std::min<Wide>((sum + 500000) / 1000000, std::numeric_limits<std::int64_t>::max()));
}

std::string price_version(const config::Prices& prices)
{
    if (prices.input == 0 && prices.cached == 0 && prices.cache_write == 0 && prices.output == 0 &&
        prices.request == 0)
        return {};
    std::string text;
    for (const auto price : {prices.input, prices.cached, prices.cache_write, prices.output, prices.request})
        text += std::to_string(price) + "/";
    return hex(sha256(text)).substr(0, 12);
}

}  // namespace dure::llm
