// The limits on guessing, with a stepped clock.
#include "dure/auth/guesses.hpp"

#include <gtest/gtest.h>

#include "auth/stepped_clock.hpp"

namespace dure::auth::guess_tests {
namespace {

using namespace std::chrono_literals;

class GuessesTest : public testing::Test {
protected:
    void fail(int times, const std::string& account = "a", const std::string& address = "1.1.1.1")
    {
        for (int i = 0; i < times; ++i)
            ASSERT_FALSE(guesses.begin(account, address).wait) << i;
    }
    std::optional<std::chrono::seconds> wait_of(const std::string& account = "a",
                                                const std::string& address = "1.1.1.1")
    {
        return guesses.begin(account, address).wait;
    }

    HandClock clock;
    config::Limits limits;
    Guesses guesses{clock, limits};
};

}  // namespace

TEST_F(GuessesTest, FiveFailuresAreFreeThenWaitsDoubleUpToFifteenMinutes)
{
    limits.login_failures_per_address = 1000;
    Guesses many(clock, limits);
    for (int i = 0; i < 5; ++i)
        ASSERT_FALSE(many.begin("a", "x").wait);
    const std::vector<std::chrono::seconds> waits{1s, 2s, 4s, 8s, 16s, 32s, 64s, 128s, 256s, 512s, 900s, 900s};
    for (const auto due : waits) {
        EXPECT_EQ(many.begin("a", "x").wait, due);
        clock.step(due - 1ms);
        EXPECT_EQ(many.begin("a", "x").wait, 1s) << due.count();   // a refused attempt prolongs nothing
        clock.step(1ms);
        EXPECT_FALSE(many.begin("a", "x").wait) << due.count();
    }
}

TEST_F(GuessesTest, ASuccessStartsTheAccountAnew)
{
    fail(4);
    ASSERT_FALSE(wait_of());
    guesses.succeeded("a", "1.1.1.1");
    fail(5);
    EXPECT_EQ(wait_of(), 1s);
}

TEST_F(GuessesTest, OneAccountDoesNotSlowAnother)
{
    fail(5);
    EXPECT_TRUE(wait_of());
    EXPECT_FALSE(wait_of("b"));
    EXPECT_TRUE(wait_of("a", "2.2.2.2"));   // and another address does not help
}

TEST_F(GuessesTest, ThirtyFailuresOfAnAddressInTenMinutesStopItWhateverTheAccount)
{
    for (int i = 0; i < 30; ++i)
        ASSERT_FALSE(wait_of("account " + std::to_string(i)));
    clock.step(1min);
    EXPECT_EQ(wait_of("fresh"), 9min);
    EXPECT_FALSE(wait_of("fresh", "2.2.2.2"));
    clock.step(9min);
    EXPECT_FALSE(wait_of("other"));
}

TEST_F(GuessesTest, SuccessesDoNotUseUpTheAddress)
{
    for (int i = 0; i < 100; ++i) {
        ASSERT_FALSE(wait_of("a")) << i;
        guesses.succeeded("a", "1.1.1.1");
    }
}

TEST_F(GuessesTest, WhatWasNotTriedDoesNotCount)
{
    for (int i = 0; i < 100; ++i) {
        ASSERT_FALSE(wait_of("a")) << i;
        guesses.undo("a", "1.1.1.1");
    }
}

TEST_F(GuessesTest, TellsTheFirstRefusalFromTheLaterOnes)
{
    fail(5);
    EXPECT_TRUE(guesses.begin("a", "1.1.1.1").first_refusal);
    EXPECT_FALSE(guesses.begin("a", "1.1.1.1").first_refusal);
    clock.step(1s);
    EXPECT_FALSE(wait_of());
    EXPECT_TRUE(guesses.begin("a", "1.1.1.1").first_refusal);
}

TEST_F(GuessesTest, ADayOfQuietForgetsTheFailures)
{
    fail(5);
    clock.step(24h);
    fail(5);
    EXPECT_TRUE(wait_of());
}

TEST_F(GuessesTest, CountsByWindow)
{
    for (int i = 0; i < 3; ++i)
        EXPECT_FALSE(guesses.count("mail", "a", 3, 1h));
    clock.step(59min);
    EXPECT_EQ(guesses.count("mail", "a", 3, 1h), 60s);
    EXPECT_FALSE(guesses.count("mail", "b", 3, 1h));
    EXPECT_FALSE(guesses.count("other", "a", 3, 1h));
    clock.step(1min);
    EXPECT_FALSE(guesses.count("mail", "a", 3, 1h));
}

TEST_F(GuessesTest, IsBoundedAndDropsTheLongestUnused)
{
    Guesses small(clock, limits, {.entries = 3});
    for (int i = 0; i < 5; ++i)
        small.begin("a", "x");
    small.begin("b", "x");
    small.begin("c", "x");
    EXPECT_TRUE(small.begin("a", "x").wait);   // used again: kept
    small.begin("d", "x");                     // in place of b
    EXPECT_TRUE(small.begin("a", "x").wait);
}

}  // namespace dure::auth::guess_tests
