// The limits on guessing shared between replicas through a real Redis.
#include <gtest/gtest.h>

#include "auth/stepped_clock.hpp"
#include "dure/auth/guess_limiter.hpp"
#include "dure/redis/client.hpp"
#include "support/redis_client.hpp"
#include "support/redis_process.hpp"
#include "support/run_on_core.hpp"

namespace dure::auth::shared_guesses {
namespace {

using namespace std::chrono_literals;

class SharedGuesses : public testing::Test {
protected:
    SharedGuesses() { cores.start(); }
    ~SharedGuesses() override
    {
        cores.stop();
        cores.join();
    }

    void run(std::function<Task<void>()> job) { test::run_on_core(cores, std::move(job)); }
    GuessLimiter& replica(int i) const { return i % 2 == 0 ? *a : *b; }

    HandClock clock;
    config::Limits limits;
    Logger logger{test::errors_only()};
    test::RedisProcess server;
    Cores cores{1};
    redis::Client first{cores, redis::parse_address(server.url()).value(), logger, test::patient()};
    redis::Client second{cores, redis::parse_address(server.url()).value(), logger, test::patient()};
    std::unique_ptr<GuessLimiter> a = redis_guesses(first, clock, limits);
    std::unique_ptr<GuessLimiter> b = redis_guesses(second, clock, limits);
};

TEST_F(SharedGuesses, FailuresOnOneReplicaCountOnTheOther)
{
    run([&]() -> Task<void> {
        for (int i = 0; i < 5; ++i)
            EXPECT_FALSE((co_await replica(i).begin("user 1", "192.0.2." + std::to_string(i))).wait) << i;
        const auto refused = co_await a->begin("user 1", "192.0.2.9");
        EXPECT_EQ(refused.wait, 1s);
        EXPECT_TRUE(refused.first_refusal);
        const auto again = co_await b->begin("user 1", "192.0.2.9");
        EXPECT_EQ(again.wait, 1s);
        EXPECT_FALSE(again.first_refusal);
        EXPECT_FALSE((co_await b->begin("user 2", "192.0.2.9")).wait);
    });
}

// Right passwords are no guesses, whoever counts them: such a Redis answers, but has counted nothing.
TEST_F(SharedGuesses, ARedisThatTakesNoWritesLocksNobodyOut)
{
    for (const auto* setting : {"CONFIG SET maxmemory 1", "CONFIG SET maxmemory-policy noeviction"})
        ASSERT_EQ(server.ask(setting).substr(0, 3), "+OK");
    run([&]() -> Task<void> {
        for (int i = 0; i < 40; ++i) {
            EXPECT_FALSE((co_await a->begin("user 1", "192.0.2.1")).wait) << i;
            co_await a->succeeded("user 1", "192.0.2.1");
        }
        for (int i = 0; i < 40; ++i) {
            EXPECT_FALSE((co_await a->begin("user 1", "192.0.2.1")).wait) << i;
            co_await a->undo("user 1", "192.0.2.1");
        }
    });
}

TEST_F(SharedGuesses, AnAddressHasThirtyFailuresInTenMinutes)
{
    run([&]() -> Task<void> {
        for (int i = 0; i < 30; ++i)
            EXPECT_FALSE((co_await replica(i).begin("", "192.0.2.1")).wait) << i;
        const auto refused = co_await b->begin("user 1", "192.0.2.1");
        EXPECT_TRUE(refused.wait && *refused.wait > 590s && *refused.wait <= 600s);
        EXPECT_FALSE((co_await b->begin("user 1", "192.0.2.2")).wait);
    });
}

TEST_F(SharedGuesses, ASuccessStartsTheAccountAnewAndGivesTheAddressItsAttemptBack)
{
    run([&]() -> Task<void> {
        for (int round = 0; round < 40; ++round) {
            EXPECT_FALSE((co_await replica(round).begin("user 1", "192.0.2.1")).wait) << round;
            co_await replica(round + 1).succeeded("user 1", "192.0.2.1");
        }
        for (int round = 0; round < 40; ++round) {
            EXPECT_FALSE((co_await replica(round).begin("user 1", "192.0.2.1")).wait) << round;
            co_await replica(round).undo("user 1", "192.0.2.1");
        }
    });
}

TEST_F(SharedGuesses, CountsAreSharedToo)
{
    run([&]() -> Task<void> {
        for (int i = 0; i < 5; ++i)
            EXPECT_FALSE(co_await replica(i).count("forgot", "kim@example.kr", 5, 1h)) << i;
        const auto wait = co_await b->count("forgot", "kim@example.kr", 5, 1h);
        EXPECT_TRUE(wait && *wait > 3590s && *wait <= 3600s);
        EXPECT_FALSE(co_await b->count("verify", "kim@example.kr", 5, 1h));
    });
}

TEST_F(SharedGuesses, WithoutRedisEachReplicaAllowsHalf)
{
    server.kill();
    run([&]() -> Task<void> {
        for (auto* one : {a.get(), b.get()}) {
            EXPECT_FALSE((co_await one->begin("user 1", "192.0.2.1")).wait);
            EXPECT_FALSE((co_await one->begin("user 1", "192.0.2.1")).wait);
            EXPECT_EQ((co_await one->begin("user 1", "192.0.2.1")).wait, 1s);
            EXPECT_FALSE(co_await one->count("forgot", "kim", 2, 1h));
            EXPECT_TRUE(co_await one->count("forgot", "kim", 2, 1h));
        }
    });
}

TEST_F(SharedGuesses, WhatWasTypedIsNotReadableThere)
{
    run([&]() -> Task<void> {
        (void)co_await a->begin("name typed-password", "192.0.2.1");
        const auto keys = co_await first.command({"KEYS", "*"});
        EXPECT_EQ(keys.value().items.size(), 2u);
        for (const auto& key : keys->items)
            EXPECT_EQ(key.text.find("typed-password"), std::string::npos) << key.text;
    });
}

}  // namespace
}  // namespace dure::auth::shared_guesses
