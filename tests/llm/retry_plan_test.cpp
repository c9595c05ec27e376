// The retry plan and the failure table without sockets.
#include <gtest/gtest.h>

#include "llm/retry_plan.hpp"

namespace dure::llm::test {

namespace {

using namespace std::chrono_literals;

RetryPlan plan_for(std::vector<std::string> providers, bool next_after_filter = false)
{
    std::vector<RetryPlan::Candidate> targets;
    for (auto& name : providers)
        targets.push_back(RetryPlan::Candidate{std::move(name), 1000});
    return RetryPlan(std::move(targets), RetryPlan::Rules{6, next_after_filter}, [] { return 0.5; });
}

Failure failed(FailureClass kind, std::optional<std::chrono::milliseconds> after = std::nullopt)
{
    Failure failure(kind, "");
    failure.retry_after = after;
    return failure;
}

TEST(RetryPlan, FollowsTheTableOfClasses)
{
    struct Row {
        FailureClass kind;
        std::optional<std::chrono::milliseconds> after;
        std::size_t target;       // of the second attempt, with two targets
        Steady::duration pause;
        bool stop;
    };
    const Row rows[] = {{FailureClass::connect, {}, 0, 0ms, false},       {FailureClass::timeout, {}, 1, 0ms, false},
                        {FailureClass::server, {}, 0, 250ms, false},      {FailureClass::overloaded, {}, 0, 250ms, false},
                        {FailureClass::overloaded, 1500ms, 0, 1500ms, false}, {FailureClass::overloaded, 5s, 1, 0ms, false},
                        {FailureClass::rate_limit, 2s, 0, 2s, false},     {FailureClass::rate_limit, {}, 1, 0ms, false},
                        {FailureClass::rate_limit, 120s, 1, 0ms, false},  {FailureClass::protocol, {}, 0, 0ms, false},
                        {FailureClass::model_missing, {}, 1, 0ms, false}, {FailureClass::context_length, {}, 0, 0ms, true},
                        {FailureClass::content_filter, {}, 0, 0ms, true}, {FailureClass::bad_request, {}, 0, 0ms, true},
                        {FailureClass::auth, {}, 1, 0ms, false},          {FailureClass::cancelled, {}, 0, 0ms, true}};
    for (const auto& row : rows) {
        auto plan = plan_for({"a", "b"});
        (void)plan.first();
        const auto step = plan.after(failed(row.kind, row.after), false, 100s);
        EXPECT_EQ(step.stop, row.stop) << name_of(row.kind);
        if (row.stop)
            continue;
        EXPECT_EQ(step.target, row.target) << name_of(row.kind);
        EXPECT_EQ(step.pause, row.pause) << name_of(row.kind);
    }
}

TEST(RetryPlan, ARefusedKeyEndsItsProvider)
{
    auto plan = plan_for({"a", "a", "b"});
    (void)plan.first();
    EXPECT_EQ(plan.after(failed(FailureClass::auth), false, 100s).target, 2u);
    EXPECT_TRUE(plan.after(failed(FailureClass::auth), false, 100s).stop);
}

TEST(RetryPlan, NothingIsTriedAfterOutputOrBeyondTheDeadlineOrMoreThanTwicePerTarget)
{
    auto after_output = plan_for({"a", "b"});
    (void)after_output.first();
    auto failure = failed(FailureClass::server);
    failure.after_output = true;
    EXPECT_TRUE(after_output.after(failure, false, 100s).stop);
    auto late = plan_for({"a"});
    (void)late.first();
    EXPECT_TRUE(late.after(failed(FailureClass::rate_limit, 1s), false, 500ms).stop);
    auto twice = plan_for({"a"});
    (void)twice.first();
    EXPECT_FALSE(twice.after(failed(FailureClass::server), false, 100s).stop);
    EXPECT_TRUE(twice.after(failed(FailureClass::server), false, 100s).stop);
    auto forbidden = plan_for({"a"});
    (void)forbidden.first();
    failure = failed(FailureClass::server);
    failure.same_target_forbidden = true;
    EXPECT_TRUE(forbidden.after(failure, false, 100s).stop);
}

TEST(RetryPlan, NoSmallerWindowIsAskedOnceAPromptWasTooLong)
{
    RetryPlan plan({{"a", 8}, {"b", 32}, {"c", 4}, {"d", 8}, {"e", 9}}, RetryPlan::Rules(), [] { return 0.5; });
    (void)plan.first();
    EXPECT_EQ(plan.after(failed(FailureClass::context_length), false, 100s).target, 1u);
    EXPECT_EQ(plan.after(failed(FailureClass::timeout), false, 100s).target, 4u);
    EXPECT_TRUE(plan.after(failed(FailureClass::timeout), false, 100s).stop);
}

TEST(RetryPlan, TheMostUsefulFailureIsTold)
{
    auto plan = plan_for({"a", "b"});
    (void)plan.first();
    (void)plan.after(failed(FailureClass::rate_limit), false, 100s);
    (void)plan.after(failed(FailureClass::timeout), false, 100s);
    EXPECT_EQ(plan.most_useful().kind, FailureClass::rate_limit);
}

TEST(RetryAfter, ReadsEveryForm)
{
    EXPECT_EQ(parse_retry_after("60", "9", 0), 60ms);
    EXPECT_EQ(parse_retry_after("", "1.5", 0), 1500ms);
    EXPECT_EQ(parse_retry_after("", "Thu, 01 Jan 1970 00:00:10 GMT", 4000), 6000ms);
    EXPECT_EQ(parse_retry_after("", "Thu, 01 Jan 1970 00:00:10 GMT", 40000), 0ms);
    EXPECT_EQ(parse_retry_after("", "Thursday, 01-Jan-70 00:00:10 GMT", 4000), 6000ms);
    EXPECT_EQ(parse_retry_after("", "Thu Jan  1 00:00:10 1970", 4000), 6000ms);
    for (const auto* bad : {"", "soon", "-1", "1e999", "nan", "Thu, 01 Jan 1970 00:00:10 GMT x"})
        EXPECT_EQ(parse_retry_after("", bad, 0), std::nullopt) << bad;
}

}  // namespace

}  // namespace dure::llm::test
