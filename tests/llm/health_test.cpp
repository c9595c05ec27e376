// Cool-downs, keys and breaker with a clock of the test's own.
#include <gtest/gtest.h>

#include "llm/health.hpp"
#include "llm/retry_plan.hpp"

namespace dure::llm::test {

namespace {

using namespace std::chrono_literals;
using Breaker = TargetHealth::Breaker;

class Health : public ::testing::Test {
protected:
    explicit Health(std::size_t keys = 1) : ring(std::make_shared<KeyRing>(keys)), target(ring, TargetHealth::Rules())
    {}
    Admission admit() { return target.admit(now, {}); }
    void fail(FailureClass kind, std::optional<std::chrono::milliseconds> after = std::nullopt, std::size_t key = 0)
    {
        Failure failure(kind, "");
        failure.retry_after = after;
        target.note(key, failure, now, target.era());
    }
    void succeed(std::size_t key = 0) { target.note(key, std::nullopt, now, target.era()); }

    Steady::time_point now{1000h};
    std::shared_ptr<KeyRing> ring;
    TargetHealth target;
};

class HealthOfTwoKeys : public Health {
protected:
    HealthOfTwoKeys() : Health(2) {}
};

TEST_F(Health, ThreeFailuresInARowOpenTheBreakerAndOneProbeAtATimeFollows)
{
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(admit().key);
        fail(FailureClass::server);
    }
    EXPECT_EQ(target.breaker(now), Breaker::open);
    EXPECT_FALSE(admit().key);
    EXPECT_EQ(admit().free_in, 5s);
    EXPECT_FALSE(target.may_retry());
    now += 5s;
    EXPECT_EQ(target.breaker(now), Breaker::half_open);
    ASSERT_TRUE(admit().key);
    EXPECT_FALSE(admit().key) << "one probe only";
    fail(FailureClass::timeout);
    EXPECT_EQ(admit().free_in, 10s) << "it doubles";
    now += 10s;
    ASSERT_TRUE(admit().key);
    target.abandoned(target.era());
    ASSERT_TRUE(admit().key) << "a cancelled probe gives its place back";
    succeed();
    EXPECT_EQ(target.breaker(now), Breaker::closed);
    EXPECT_TRUE(admit().key);
    EXPECT_TRUE(admit().key);
}

TEST_F(Health, AProbeThatSpeaksClosesTheBreakerAndWhatBreaksThenCountsAnew)
{
    for (int i = 0; i < 3; ++i)
        fail(FailureClass::server);
    now += 5s;
    ASSERT_TRUE(admit().key);
    target.speaks(target.era());
    EXPECT_EQ(target.breaker(now), Breaker::closed);
    EXPECT_TRUE(admit().key);
    fail(FailureClass::interrupted);
    fail(FailureClass::interrupted);
    EXPECT_EQ(target.breaker(now), Breaker::closed);
    fail(FailureClass::interrupted);
    EXPECT_EQ(admit().free_in, 5s);
}

TEST_F(Health, AnswersThatAllBreakOffBehindTheirFirstOutputOpenTheBreaker)
{
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(admit().key);
        target.speaks(target.era());
        fail(FailureClass::interrupted);
    }
    EXPECT_EQ(target.breaker(now), Breaker::open);
    target.speaks(target.era());   // of before
    EXPECT_EQ(target.breaker(now), Breaker::open);
}

TEST_F(Health, WhoBeganBeforeTheBreakerOpenedSaysNothingOfIt)
{
    const auto before = target.era();
    for (int i = 0; i < 3; ++i)
        fail(FailureClass::server);
    target.note(0, std::nullopt, now, before);
    EXPECT_EQ(target.breaker(now), Breaker::open) << "a late success";
    now += 5s;
    ASSERT_TRUE(admit().key) << "the probe";
    target.abandoned(before);
    EXPECT_FALSE(admit().key) << "one probe, also when an old stream's client leaves";
    target.speaks(before);
    target.note(0, Failure(FailureClass::server, ""), now, before);
    EXPECT_EQ(target.breaker(now), Breaker::half_open);
    EXPECT_FALSE(admit().key);
    succeed();
    EXPECT_EQ(target.breaker(now), Breaker::closed);
}

TEST_F(Health, WhoWaitedForAPlaceIsOvertakenByTheBreakerAndByACoolDown)
{
    const auto began = target.era();
    EXPECT_FALSE(target.overtaken(0, now, began));
    fail(FailureClass::rate_limit, 120000ms);
    EXPECT_EQ(target.overtaken(0, now, began), 120s);
    now += 120s;
    EXPECT_FALSE(target.overtaken(0, now, began));
    for (int i = 0; i < 3; ++i)
        fail(FailureClass::server);
    EXPECT_EQ(target.overtaken(0, now, began), 5s);
    now += 5s;
    EXPECT_TRUE(target.overtaken(0, now, began)) << "only a probe may go now";
    ASSERT_TRUE(admit().key);
    EXPECT_FALSE(target.overtaken(0, now, target.era())) << "which is this one";
}

TEST_F(Health, ThePauseOfTheBreakerGrowsToAMinute)
{
    for (int i = 0; i < 3; ++i)
        fail(FailureClass::server);
    for (const auto pause : {5s, 10s, 20s, 40s, 60s, 60s}) {
        EXPECT_EQ(admit().free_in, pause);
        now += pause;
        ASSERT_TRUE(admit().key);
        fail(FailureClass::server);
    }
}

TEST_F(Health, HalfOfTenFailuresOpenItTooButNotWhatIsLongAgo)
{
    for (int i = 0; i < 4; ++i) {
        fail(FailureClass::server);
        succeed();
    }
    now += 31s;
    fail(FailureClass::server);
    succeed();
    EXPECT_EQ(target.breaker(now), Breaker::closed);
    for (int i = 0; i < 4; ++i) {
        fail(FailureClass::connect);
        succeed();
    }
    fail(FailureClass::server);
    EXPECT_EQ(target.breaker(now), Breaker::open);
}

TEST_F(Health, FailuresOfTheCallersMakingNeverCount)
{
    for (const auto kind : {FailureClass::bad_request, FailureClass::context_length, FailureClass::content_filter,
                            FailureClass::unsupported_param})
        for (int i = 0; i < 20; ++i)
            fail(kind);
    EXPECT_EQ(target.breaker(now), Breaker::closed);
    EXPECT_TRUE(admit().key);
}

TEST_F(Health, TheLaterCoolDownWinsAndTenMinutesAreTheMost)
{
    fail(FailureClass::rate_limit, 60000ms);
    fail(FailureClass::rate_limit, 1000ms);
    EXPECT_EQ(admit().free_in, 60s);
    fail(FailureClass::rate_limit, 86400000ms);
    EXPECT_EQ(admit().free_in, 10min);
}

TEST_F(Health, CoolDownsWithoutAHeaderGrow)
{
    for (const auto pause : {5s, 10s, 20s, 40s, 60s, 60s}) {
        fail(FailureClass::rate_limit);
        EXPECT_EQ(admit().free_in, pause);
        EXPECT_EQ(target.cooled_for(0, now), pause);
        now += pause;
        EXPECT_EQ(target.cooled_for(0, now), 0s);
        ASSERT_TRUE(admit().key);
    }
    succeed();
    fail(FailureClass::rate_limit);
    EXPECT_EQ(admit().free_in, 5s);
}

TEST_F(Health, CoolDownsWithoutAHeaderGrowOnceForThoseUnderWayTogetherAndNotWithAHeader)
{
    for (int i = 0; i < 4; ++i)
        fail(FailureClass::rate_limit);
    EXPECT_EQ(admit().free_in, 5s);
    now += 5s;
    succeed();
    for (int i = 0; i < 2; ++i) {
        fail(FailureClass::rate_limit, 1000ms);
        now += 1s;
    }
    fail(FailureClass::rate_limit);
    EXPECT_EQ(admit().free_in, 5s);
}

TEST_F(Health, AResetHeaderCountsBesideRetryAfter)
{
    Failure failure(FailureClass::rate_limit, "");
    failure.retry_after = 2000ms;
    failure.limit_reset = 9000ms;
    target.note(0, failure, now, target.era());
    EXPECT_EQ(admit().free_in, 9s);
}

TEST_F(Health, KeysAndModelsAreOffForTheirTime)
{
    fail(FailureClass::model_missing);
    EXPECT_EQ(admit().free_in, 5min);
    EXPECT_EQ(admit().why, FailureClass::model_missing);
    now += 5min;
    fail(FailureClass::quota);
    EXPECT_EQ(admit().free_in, 10min);
    EXPECT_EQ(admit().why, FailureClass::quota);
    now += 10min;
    ASSERT_TRUE(admit().key) << "the probe";
    EXPECT_FALSE(admit().key);
    succeed();
    EXPECT_TRUE(admit().key);
}

TEST_F(HealthOfTwoKeys, KeysAreUsedInTurnAndARefusedOneIsPassedOver)
{
    EXPECT_EQ(admit().key, 0u);
    EXPECT_EQ(admit().key, 1u);
    EXPECT_EQ(admit().key, 0u);
    fail(FailureClass::auth, std::nullopt, 1);
    EXPECT_EQ(admit().key, 0u);
    EXPECT_EQ(admit().key, 0u);
    const std::vector<std::size_t> tried{0};
    EXPECT_FALSE(target.admit(now, tried).key);
    EXPECT_EQ(target.admit(now, tried).why, FailureClass::auth);
}

TEST(LimitReset, ReadsDurationsAndTimes)
{
    EXPECT_EQ(parse_limit_reset("1s", 0), 1000ms);
    EXPECT_EQ(parse_limit_reset("6m0s", 0), 360000ms);
    EXPECT_EQ(parse_limit_reset("12ms", 0), 12ms);
    EXPECT_EQ(parse_limit_reset("1h2m3.5s", 0), 3723500ms);
    EXPECT_EQ(parse_limit_reset("1970-01-01T00:00:10Z", 4000), 6000ms);
    EXPECT_EQ(parse_limit_reset("1970-01-01T00:00:10Z", 40000), 0ms);
    for (const auto* bad : {"", "soon", "5", "5x", "-1s", "nans", "1970-13-01T00:00:10Z"})
        EXPECT_EQ(parse_limit_reset(bad, 0), std::nullopt) << bad;
}

}  // namespace

}  // namespace dure::llm::test
