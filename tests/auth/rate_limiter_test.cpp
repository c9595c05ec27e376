// Rate limits: the arithmetic on a stepped clock, then the same rules through a real Redis that two replicas share
// and that goes away.
#include "auth/shared_streams.hpp"
#include "dure/auth/rate_limiter.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "auth/rate_buckets.hpp"
#include "dure/base/log.hpp"
#include "dure/redis/client.hpp"
#include "support/redis_client.hpp"
#include "support/redis_process.hpp"
#include "support/run_on_core.hpp"
#include "support/run_task.hpp"

namespace dure::auth {
namespace {

class RateClock final : public Clock {
public:
    UnixMillis now() const override { return 0; }
    Steady::time_point steady_now() const override { return now_; }
    void step(Steady::duration by) { now_ += by; }

private:
    Steady::time_point now_{std::chrono::hours(1000)};
};

config::RoleLimits limits_of(std::int64_t chat, std::int64_t requests)
{
    config::RoleLimits limits;
    limits.chat_per_minute = chat;
    limits.requests_per_minute = requests;
    return limits;
}

class LocalLimits : public testing::Test {
protected:
    RateVerdict take(std::string_view user, std::string_view key = {}, bool chat = false, std::string_view address = {})
    {
        return buckets.take({user, key, address, limits, chat});
    }
    int taken(std::string_view user, std::string_view key = {}, bool chat = false, std::string_view address = {})
    {
        int count = 0;
        while (count < 1000 && take(user, key, chat, address).allowed)
            ++count;
        return count;
    }

    RateClock clock;
    config::RoleLimits limits = limits_of(3, 10);
    LocalBuckets buckets{clock, 1000};
};

TEST_F(LocalLimits, AllowAMinutesWorthAtOnceAndRefillEvenly)
{
    for (int left = 9; left >= 0; --left) {
        const auto verdict = take("u");
        EXPECT_TRUE(verdict.allowed);
        EXPECT_EQ(verdict.limit, 10);
        EXPECT_EQ(verdict.remaining, left);
        EXPECT_EQ(verdict.reset_seconds, (10 - left) * 6);
    }
    const auto refused = take("u");
    EXPECT_FALSE(refused.allowed);
    EXPECT_EQ(refused.remaining, 0);
    EXPECT_EQ(refused.retry_seconds, 6);
    clock.step(std::chrono::milliseconds(5900));
    EXPECT_EQ(take("u").retry_seconds, 1);  // whole seconds, never 0
    clock.step(std::chrono::milliseconds(100));
    EXPECT_EQ(taken("u"), 1);
    clock.step(std::chrono::hours(5));
    EXPECT_EQ(taken("u"), 10);  // never more than a minute's worth
}

TEST_F(LocalLimits, AreTakenWithoutWaiting)
{
    const auto limiter = in_process_limiter(clock);
    for (int left = 9; left >= 0; --left) {
        const auto verdict = limiter->take_at_once({"u", {}, {}, limits});
        ASSERT_TRUE(verdict);
        EXPECT_TRUE(verdict->allowed);
        EXPECT_EQ(verdict->remaining, left);
    }
    EXPECT_FALSE(limiter->take_at_once({"u", {}, {}, limits})->allowed);
}

TEST_F(LocalLimits, CountChatsForTheChatBucketToo)
{
    EXPECT_EQ(taken("u", {}, true), 3);
    const auto refused = take("u", {}, true);
    EXPECT_EQ(refused.limit, 3);
    EXPECT_EQ(refused.retry_seconds, 20);
    EXPECT_EQ(taken("u"), 7);  // the refused chats took nothing from the others
    clock.step(std::chrono::seconds(20));
    EXPECT_EQ(taken("u", {}, true), 1);
}

TEST_F(LocalLimits, AreOfAUserAcrossAllOfItsKeys)
{
    EXPECT_EQ(taken("u", "key 1"), 10);
    EXPECT_EQ(taken("u", "key 2"), 0);
    EXPECT_EQ(taken("u"), 0);
    EXPECT_EQ(taken("somebody else", "key 3"), 10);
}

TEST_F(LocalLimits, OfAddressesCountACustomersNetworkOnce)
{
    EXPECT_EQ(taken("", "", false, "192.0.2.1"), 10);
    EXPECT_EQ(taken("", "", false, "::ffff:192.0.2.1"), 0);
    EXPECT_EQ(taken("", "", false, "192.0.2.2"), 10);
    EXPECT_EQ(taken("", "", false, "2001:db8:1:2::1"), 10);
    EXPECT_EQ(taken("", "", false, "2001:db8:1:2:ffff::9"), 0);
    EXPECT_EQ(taken("", "", false, "2001:db8:1:3::1"), 10);
    EXPECT_EQ(taken("192.0.2.1"), 10);  // a user of that name is somebody else
}

TEST_F(LocalLimits, OfNothingAllowNothing)
{
    limits = limits_of(0, 10);
    const auto verdict = take("u", "k", true);
    EXPECT_FALSE(verdict.allowed);
    EXPECT_GE(verdict.retry_seconds, 1);
    EXPECT_TRUE(take("u", "k").allowed);
}

TEST_F(LocalLimits, HaveRoomForEveryLimitThatCanBeConfigured)
{
    for (const std::int64_t limit : {1, 7, 59, 61, 999, 6000}) {
        limits = limits_of(1, limit);
        int count = 0;
        while (take("u" + std::to_string(limit)).allowed)
            ++count;
        EXPECT_EQ(count, limit);
    }
    limits = limits_of(1, std::numeric_limits<std::int64_t>::max());
    for (int i = 0; i < 1000; ++i)
        EXPECT_TRUE(take("fast").allowed);
}

TEST_F(LocalLimits, ForgetTheOneUsedLeastRecentlyWhenThereAreTooMany)
{
    LocalBuckets few(clock, 160);  // ten in each of the shards
    const auto use = [&](const std::string& user) { return few.take({user, {}, {}, limits, false}).remaining; };
    EXPECT_EQ(use("kept"), 9);
    for (int i = 0; i < 2000; ++i) {
        use("stranger " + std::to_string(i));
        if (i % 5 == 4) {
            EXPECT_LT(use("kept"), 9);
            clock.step(std::chrono::seconds(6));
        }
    }
    EXPECT_EQ(use("stranger 0"), 9);
}

TEST(RateLimiter, HalvesWhatItAllowsWhenTold)
{
    const RateClock clock;
    LocalBuckets buckets(clock, 100);
    const auto limits = limits_of(1, 10);
    int count = 0;
    while (buckets.take({"u", {}, {}, limits, false}, 2).allowed)
        ++count;
    EXPECT_EQ(count, 5);
    EXPECT_TRUE(buckets.take({"v", {}, {}, limits, true}, 2).allowed);  // half of one is still one
}

TEST(RateLimiter, RefusesInWordsAClientCanActOn)
{
    RateVerdict verdict;
    verdict.limit = 60;
    verdict.retry_seconds = 7;
    const auto error = verdict.refusal();
    EXPECT_EQ(error.code(), Errc::rate_limited);
    EXPECT_EQ(error.reason(), "rate_limit_exceeded");
    EXPECT_EQ(error.extra().retry_after, std::chrono::seconds(7));
}

TEST(RateLimiter, KnowsTheLimitsOfEveryRole)
{
    const config::Limits limits;
    EXPECT_EQ(limits_of_role(limits, "admin").chat_per_minute, 600);
    EXPECT_EQ(limits_of_role(limits, "developer").chat_per_minute, 240);
    EXPECT_EQ(limits_of_role(limits, "user").chat_per_minute, 60);
    EXPECT_EQ(limits_of_role(limits, "made by hand").chat_per_minute, 60);
}

TEST(RateLimiter, CountsOpenStreamsOfEachUserUntilTheyEnd)
{
    const RateClock clock;
    const auto limiter = in_process_limiter(clock);
    test::run([&]() -> Task<void> {
        auto one = co_await limiter->open_stream("u", 2);
        auto two = co_await limiter->open_stream("u", 2);
        EXPECT_TRUE(one && two);
        const auto refused = co_await limiter->open_stream("u", 2);
        EXPECT_EQ(refused.error().code(), Errc::rate_limited);
        EXPECT_TRUE(refused.error().extra().retry_after);
        EXPECT_TRUE(co_await limiter->open_stream("v", 2));
        one->reset();
        EXPECT_TRUE(co_await limiter->open_stream("u", 2));
        EXPECT_FALSE(co_await limiter->open_stream("w", 0));
    });
}

class RedisLimits : public testing::Test {
protected:
    RedisLimits() { cores.start(); }
    ~RedisLimits() override
    {
        cores.stop();
        cores.join();
    }

    static redis::ClientOptions options(std::chrono::milliseconds command)
    {
        redis::ClientOptions options;
        options.command = command;
        options.probe = std::chrono::milliseconds(100);
        return options;
    }

    // How many of `tries` requests pass, alternating between the replicas.
    int taken(int tries, RateSubject subject)
    {
        int count = 0;
        const std::function<Task<void>()> job = [&]() -> Task<void> {
            for (int i = 0; i < tries; ++i) {
                last = co_await (i % 2 == 0 ? *a : *b).take(subject);
                count += last.allowed;
            }
        };
        test::run_on_core(cores, job);
        return count;
    }

    SystemClock clock;
    Logger logger{test::errors_only()};
    test::RedisProcess server;
    Cores cores{1};
    redis::Client first{cores, redis::parse_address(server.url()).value(), logger, options(std::chrono::seconds(5))};
    redis::Client second{cores, redis::parse_address(server.url()).value(), logger, options(std::chrono::seconds(5))};
    std::unique_ptr<RateLimiter> a = redis_limiter(first, clock);
    std::unique_ptr<RateLimiter> b = redis_limiter(second, clock);
    RateVerdict last;
};

TEST_F(RedisLimits, HoldAcrossReplicas)
{
    const auto limits = limits_of(4, 20);
    EXPECT_EQ(taken(1, {"u", "k", {}, limits, true}), 1);
    EXPECT_EQ(last.limit, 4);
    EXPECT_EQ(last.remaining, 3);
    EXPECT_EQ(last.reset_seconds, 15);
    EXPECT_EQ(taken(30, {"u", "k", {}, limits, true}), 3);
    EXPECT_GE(last.retry_seconds, 1);
    EXPECT_LE(last.retry_seconds, 15);
    EXPECT_EQ(taken(30, {"u", "k2", {}, limits, false}), 16);  // the same user; refused chats took nothing
    EXPECT_EQ(taken(30, {"v", "k3", {}, limits, false}), 20);
    EXPECT_EQ(taken(30, {{}, {}, "192.0.2.1", limits, false}), 20);
    EXPECT_EQ(taken(30, {{}, {}, "::ffff:192.0.2.1", limits, false}), 0);
    EXPECT_EQ(server.ask("TTL dure:rate:all:user:nobody"), ":-2");
    EXPECT_LE(std::stoi(server.ask("TTL dure:rate:all:user:v").substr(1)), 61);  // a bucket that is full is no key
}

TEST_F(RedisLimits, OpenStreamsAreCountedAcrossReplicasUntilTheyEnd)
{
    const std::function<Task<void>()> job = [&]() -> Task<void> {
        auto one = co_await a->open_stream("u", 2);
        auto two = co_await b->open_stream("u", 2);
        EXPECT_TRUE(one && two);
        for (auto* replica : {a.get(), b.get()})
            EXPECT_EQ((co_await replica->open_stream("u", 2)).error().code(), Errc::rate_limited);
        EXPECT_TRUE(co_await b->open_stream("v", 2));
        one->reset();
        const auto end = Steady::now() + std::chrono::seconds(10);
        bool again = false;
        while (!again && Steady::now() < end)   // it is given back behind the answer
            again = (co_await b->open_stream("u", 2)).has_value();
        EXPECT_TRUE(again);
    };
    test::run_on_core(cores, job);
}

TEST_F(RedisLimits, APlaceIsRenewedWhileItsStreamIsOpenAndComesBackAfterAFlush)
{
    SharedStreams short_leases(first, std::chrono::milliseconds(300));
    SharedStreams long_leases(second);
    const std::function<Task<void>()> job = [&]() -> Task<void> {
        auto place = co_await short_leases.open("u", 1);
        EXPECT_TRUE(place);
        for (const auto end = Steady::now() + std::chrono::milliseconds(900); Steady::now() < end;)   // three leases
            EXPECT_FALSE(co_await long_leases.open("u", 1));
        EXPECT_TRUE(co_await first.command({"FLUSHALL"}));
        bool counted = false;
        for (const auto end = Steady::now() + std::chrono::seconds(10); !counted && Steady::now() < end;)
            counted = (co_await first.command({"ZCARD", "dure:streams:u"})).value().integer == 1;
        EXPECT_TRUE(counted);
    };
    test::run_on_core(cores, job);
}

TEST_F(RedisLimits, WhoLeavesWhileHisPlaceIsAskedForHoldsNone)
{
    test::run_on_core(cores, [&]() -> Task<void> { EXPECT_TRUE(co_await first.command({"PING"})); });
    server.freeze();
    test::Running asking(cores, [&]() -> Task<void> { (void)co_await a->open_stream("u", 1); });
    asking.cancel();
    EXPECT_THROW(asking.wait(), boost::system::system_error);
    server.thaw();
    const auto end = Steady::now() + std::chrono::seconds(10);
    while (server.ask("ZCARD dure:streams:u") != ":0" && Steady::now() < end)
        std::this_thread::yield();
    EXPECT_EQ(server.ask("ZCARD dure:streams:u"), ":0");
    test::run_on_core(cores, [&]() -> Task<void> { EXPECT_TRUE(co_await a->open_stream("u", 1)); });
}

TEST_F(RedisLimits, WhatAKilledReplicaHeldRunsOut)
{
    const std::function<Task<void>()> job = [&]() -> Task<void> {
        // A lease nobody renews: its replica is gone.
        EXPECT_TRUE(co_await first.command({"ZADD", "dure:streams:u", "1000", "of a dead replica"}));
        EXPECT_TRUE(co_await b->open_stream("u", 1));
    };
    test::run_on_core(cores, job);
}

TEST_F(RedisLimits, EachReplicaGivesHalfOfTheStreamsWhileRedisIsAway)
{
    server.kill();
    const std::function<Task<void>()> job = [&]() -> Task<void> {
        for (auto* replica : {a.get(), b.get()}) {
            const auto one = co_await replica->open_stream("u", 4);
            const auto two = co_await replica->open_stream("u", 4);
            EXPECT_TRUE(one && two);
            EXPECT_EQ((co_await replica->open_stream("u", 4)).error().code(), Errc::rate_limited);
        }
    };
    test::run_on_core(cores, job);
}

TEST_F(RedisLimits, AFlushOnlyFillsTheBuckets)
{
    const auto limits = limits_of(2, 6);
    EXPECT_EQ(taken(10, {"u", "k", {}, limits, false}), 6);
    EXPECT_EQ(server.ask("FLUSHALL"), "+OK");
    EXPECT_EQ(server.ask("SCRIPT FLUSH"), "+OK");
    EXPECT_EQ(taken(10, {"u", "k", {}, limits, false}), 6);
}

TEST_F(RedisLimits, EachReplicaAllowsHalfWhileRedisIsAway)
{
    const auto limits = limits_of(2, 10);
    EXPECT_EQ(taken(1, {"u", "k", {}, limits, false}), 1);
    server.kill();
    EXPECT_EQ(taken(40, {"u", "k", {}, limits, false}), 10);  // five each
    EXPECT_EQ(last.limit, 5);
    server.start();
    const auto end = Steady::now() + std::chrono::seconds(10);
    while (taken(2, {"w", "k", {}, limits, false}) == 0 || last.limit != 10)
        ASSERT_LT(Steady::now(), end) << "never came back";
}

TEST_F(RedisLimits, NonsenseInABucketHarmsNobodyForever)
{
    const auto limits = limits_of(2, 4);
    EXPECT_EQ(server.ask("SET dure:rate:all:user:u nonsense"), "+OK");
    EXPECT_EQ(taken(10, {"u", {}, {}, limits, false}), 4);
    EXPECT_EQ(server.ask("SET dure:rate:all:user:v 99999999999999999"), "+OK");
    EXPECT_EQ(taken(1, {"v", {}, {}, limits, false}), 0);
    EXPECT_LE(last.retry_seconds, 60);
    EXPECT_EQ(server.ask("LPUSH dure:rate:all:user:w x"), ":1");  // refused by Redis: counted here
    EXPECT_EQ(taken(20, {"w", {}, {}, limits, false}), 4);
}

}  // namespace
}  // namespace dure::auth
