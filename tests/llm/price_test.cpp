// Prices of answers.
#include <gtest/gtest.h>

#include "llm/price.hpp"

namespace dure::llm::test {
namespace {

TEST(Price, SumsFirstAndRoundsOnceHalfUp)
{
    config::Prices prices;
    prices.input = 2'500'000'000;    // 2.50 USD per million tokens
    prices.cached = 1'250'000'000;
    prices.output = 10'000'000'000;
    model::Usage usage;
    usage.prompt_tokens = 1000;
    usage.cached_tokens = 400;
    usage.completion_tokens = 100;
    // 600 * 2500 + 400 * 1250 + 100 * 10000 nano-dollars
    EXPECT_EQ(cost_nano(usage, prices), 1'500'000 + 500'000 + 1'000'000);
    prices = {};
    prices.input = 500'000;          // one token is half a nano-dollar
    usage = {};
    usage.prompt_tokens = 1;
    EXPECT_EQ(cost_nano(usage, prices), 1);
    prices.input = 499'999;
    EXPECT_EQ(cost_nano(usage, prices), 0);
}

TEST(Price, CacheWritesHaveTheirOwnPriceOrThatOfInput)
{
    config::Prices prices;
    prices.input = 1'000'000'000;
    prices.cached = 100'000'000;
    prices.cache_write = 1'250'000'000;
    model::Usage usage;
    usage.prompt_tokens = 100;
    usage.cached_tokens = 20;
    usage.cache_write_tokens = 30;
    EXPECT_EQ(cost_nano(usage, prices), 50 * 1000 + 20 * 100 + 30 * 1250);
    prices.cache_write = 0;
    EXPECT_EQ(cost_nano(usage, prices), 80 * 1000 + 20 * 100);
}

}  // namespace
}  // namespace dure::llm::test
