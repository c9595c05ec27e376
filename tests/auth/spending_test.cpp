// The arithmetic of budgets on a clock moved by hand: what is reserved counts, what is settled replaces it, minutes refill, days
// begin anew, and no number of callers passes a limit together.
#include "auth/spending.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace dure::auth {
namespace {

// Wall and monotonic time apart from each other: clocks are set, durations are not.
class TwoClocks final : public Clock {
public:
    UnixMillis now() const override { return wall; }
    Steady::time_point steady_now() const override { return Steady::time_point(std::chrono::milliseconds(steady)); }
    void step(std::chrono::milliseconds by)
    {
        wall += by.count();
        steady += by.count();
    }

    std::int64_t wall = 20'000 * milliseconds_of_day + 3'600'000;  // one in the morning
    std::int64_t steady = 5'000'000;
};

model::Wish exactly(std::int64_t tokens, std::int64_t cost = 0)
{
    return {{tokens, cost}, {tokens, cost}};
}

class Spending : public testing::Test {
protected:
    using Outcome = decltype(std::declval<SpendingAccounts&>().reserve({}, {}));

    Outcome ask(const model::Wish& wish, const std::string& name = "user:u", std::int64_t divisor = 1)
    {
        const std::vector<Payer> payers{{name, limits}};
        auto outcome = accounts.reserve(payers, wish, divisor);
        if (const auto* unknown = std::get_if<SpendingAccounts::Unknown>(&outcome)) {
            accounts.tell(payers[unknown->payer], unknown->day, told);
            outcome = accounts.reserve(payers, wish, divisor);
        }
        return outcome;
    }
    SpendingAccounts::Grant take(const model::Wish& wish)
    {
        auto outcome = ask(wish);
        auto* grant = std::get_if<SpendingAccounts::Grant>(&outcome);
        EXPECT_NE(grant, nullptr);
        return grant != nullptr ? std::move(*grant) : SpendingAccounts::Grant();
    }
    SpendRefusal refused(const model::Wish& wish, std::int64_t divisor = 1)
    {
        auto outcome = ask(wish, "user:u", divisor);
        auto* refusal = std::get_if<SpendRefusal>(&outcome);
        EXPECT_NE(refusal, nullptr);
        return refusal != nullptr ? std::move(*refusal) : SpendRefusal();
    }
    void settle(const SpendingAccounts::Grant& grant, model::Spend used)
    {
        accounts.settle(grant.accounts, grant.amount, used);
    }
    void spend(std::int64_t tokens, std::int64_t cost = 0) { settle(take(exactly(tokens, cost)), {tokens, cost}); }

    TwoClocks clock;
    SpendLimits limits{1000, 0, 0};
    model::Spend told;
    SpendingAccounts accounts{clock, 1000};
};

TEST_F(Spending, WhatIsReservedCountsUntilItIsSettled)
{
    const auto grant = take(exactly(900));
    EXPECT_EQ(grant.amount.tokens, 900);
    const auto refusal = refused(exactly(101));
    EXPECT_EQ(refusal.scope, "tokens");
    EXPECT_EQ(refusal.error.code(), Errc::rate_limited);
    EXPECT_EQ(refusal.error.reason(), "rate_limit_exceeded");
    EXPECT_GE(refusal.error.extra().retry_after->count(), 1);
    settle(grant, {100, 0});
    take(exactly(900));  // 100 used and 900 reserved
    refused(exactly(1));
}

TEST_F(Spending, WhatWasUsedBeyondTheReservationIsOwed)
{
    settle(take(exactly(500)), {1500, 0});
    EXPECT_EQ(refused(exactly(500)).wait, 60);
    clock.step(std::chrono::seconds(59));
    refused(exactly(500));
    clock.step(std::chrono::seconds(1));
    take(exactly(500));
}

TEST_F(Spending, ACallThatUsedNothingCostsNothing)
{
    settle(take(exactly(1000)), {});
    take(exactly(1000));
}

TEST_F(Spending, AMinuteRefillsEvenlyAndNeverBeyondItsLimit)
{
    spend(1000);
    EXPECT_EQ(refused(exactly(100)).wait, 6);
    clock.step(std::chrono::seconds(6));
    take(exactly(100));
    clock.step(std::chrono::hours(3));
    spend(900);  // the hundred are still reserved
    refused(exactly(1));
}

TEST_F(Spending, ALongCallIsChargedWhenItEnds)
{
    const auto grant = take(exactly(1000));
    clock.step(std::chrono::seconds(50));
    settle(grant, {600, 0});
    refused(exactly(401));  // none of the fifty seconds refilled what came after them
    take(exactly(400));
}

TEST_F(Spending, ACallWithoutABoundTakesWhatIsLeft)
{
    const auto first = take({{10, 0}, {16'000, 0}});
    EXPECT_EQ(first.amount.tokens, 1000);
    refused(exactly(1));
    settle(first, {300, 0});
    EXPECT_EQ(take({{10, 0}, {16'000, 0}}).amount.tokens, 700);
}

TEST_F(Spending, ARequestLargerThanTheLimitIsToldThatNoRepeatHelps)
{
    const auto refusal = refused(exactly(1001));
    EXPECT_EQ(refusal.error.reason(), "rate_limit_exceeded");
    EXPECT_EQ(refusal.error.extra().should_retry, false);
    EXPECT_NE(refusal.error.message().find("1001"), std::string::npos);
    EXPECT_TRUE(refusal.error.extra().retry_after) << "as every 429";
}

TEST_F(Spending, ARequestLargerThanAWholeDayIsNotToldThatTheDayIsUsedUp)
{
    limits = {0, 500, 100};
    for (const auto& [wish, says] :
         {std::pair(exactly(501), "This request asks for up to 501 tokens, its prompt and max_tokens; at most 500 tokens a day are allowed."),
          std::pair(exactly(1, 2'500'000'000), "This request may cost up to 2.50 USD; at most 0.0000001 USD a day are allowed.")}) {
        const auto refusal = refused(wish);
        EXPECT_EQ(refusal.error.message(), says);
        EXPECT_EQ(refusal.error.reason(), "budget_exceeded");
        EXPECT_EQ(refusal.error.extra().should_retry, false);
        EXPECT_EQ(refusal.error.extra().retry_after, std::chrono::hours(23));
    }
    spend(500);
    EXPECT_TRUE(refused(exactly(501)).error.message().starts_with("This request asks for")) << "also when the day is used up";
    EXPECT_TRUE(refused(exactly(500)).error.message().starts_with("The budget of 500"));
}

TEST_F(Spending, OfSeveralRefusalsTheOneThatNoTimeHelpsIsTold)
{
    const std::vector<Payer> payers{{"key:k", {0, 50, 0}}, {"user:u", {0, 500, 0}}};
    const std::vector<SpendLevels> levels{{0, {}, {}, 3600}, {0, {}, {500, 0}, 3600}};
    const auto outcome = granted(payers, levels, exactly(60));
    ASSERT_TRUE(std::holds_alternative<SpendRefusal>(outcome));
    EXPECT_TRUE(std::get<SpendRefusal>(outcome).error.message().starts_with("This request asks for up to 60"));
}

TEST_F(Spending, ADaysTokensComeBackAtMidnight)
{
    limits = {0, 500, 0};
    spend(450);
    const auto refusal = refused(exactly(51));
    EXPECT_EQ(refusal.error.reason(), "budget_exceeded");
    EXPECT_EQ(refusal.error.extra().should_retry, false);
    EXPECT_EQ(refusal.wait, 23 * 3600);
    clock.step(std::chrono::hours(23) - std::chrono::milliseconds(1));
    EXPECT_EQ(refused(exactly(51)).wait, 1);
    clock.step(std::chrono::milliseconds(1));
    spend(500);
    refused(exactly(1));
}

TEST_F(Spending, ACallOverMidnightIsChargedToTheDayOfItsEnd)
{
    limits = {0, 500, 0};
    const auto grant = take(exactly(400));
    clock.step(std::chrono::hours(24));
    settle(grant, {300, 0});
    refused(exactly(201));
    take(exactly(200));
}

TEST_F(Spending, WhatOthersHaveReservedOfTheDayMayComeBackAtOnce)
{
    limits = {0, 500, 0};
    const auto grant = take(exactly(450));
    const auto refusal = refused(exactly(100));
    EXPECT_EQ(refusal.error.reason(), "budget_exceeded");
    EXPECT_EQ(refusal.wait, 1);
    EXPECT_FALSE(refusal.error.extra().should_retry);
    settle(grant, {10, 0});
    take(exactly(100));
}

TEST_F(Spending, MoneyIsCountedInNanoDollarsAndFreeCallsGoOn)
{
    limits = {0, 0, 2'500'000'000};
    spend(10, 2'499'999'999);
    take(exactly(10, 1));
    const auto refusal = refused(exactly(10, 1));
    EXPECT_EQ(refusal.scope, "cost");
    EXPECT_EQ(refusal.error.reason(), "budget_exceeded");
    EXPECT_NE(refusal.error.message().find("2.50 USD"), std::string::npos) << refusal.error.message();
    spend(1'000'000, 0);
}

TEST_F(Spending, ADayBeginsWithWhatWasSpentBeforeTheStart)
{
    limits = {0, 500, 0};
    told = {480, 0};
    refused(exactly(21));
    take(exactly(20));
}

TEST_F(Spending, AClockThatJumpsBackGivesNothingBack)
{
    limits = {1000, 500, 0};
    spend(500);
    clock.wall -= 26 * 3'600'000;
    refused(exactly(1));
    clock.wall += 26 * 3'600'000;
    refused(exactly(1));
    clock.step(std::chrono::hours(24));
    take(exactly(500));
}

TEST_F(Spending, AJumpOfTheWallClockRefillsNoMinute)
{
    spend(1000);
    clock.wall += 90'000;
    EXPECT_EQ(refused(exactly(100)).wait, 6);
}

TEST_F(Spending, TheStricterOfSeveralLimitsDecides)
{
    limits = {1000, 300, 1'000'000};
    EXPECT_EQ(take({{1, 1}, {5000, 5'000'000}}).amount, (model::Spend{300, 1'000'000}));
}

TEST_F(Spending, OfSeveralAccountsNoneIsChargedWhenOneRefuses)
{
    const std::vector<Payer> both{{"key:k", {100, 0, 0}}, {"user:u", {1000, 0, 0}}};
    EXPECT_TRUE(std::holds_alternative<SpendRefusal>(accounts.reserve(both, exactly(101))));
    auto outcome = accounts.reserve(both, {{1, 0}, {5000, 0}});
    EXPECT_EQ(std::get<SpendingAccounts::Grant>(outcome).amount.tokens, 100);
    EXPECT_EQ(take({{1, 0}, {5000, 0}}).amount.tokens, 900);
}

TEST_F(Spending, HalfOfWhatIsLeftIsGivenWhileOthersCannotBeSeen)
{
    limits = {0, 500, 0};
    told = {400, 0};
    refused(exactly(51), 2);
    EXPECT_TRUE(std::holds_alternative<SpendingAccounts::Grant>(ask(exactly(50), "user:u", 2)));
    told = {600, 0};
    EXPECT_TRUE(std::holds_alternative<SpendRefusal>(ask(exactly(1), "user:spent", 2)));
}

TEST_F(Spending, NoNumberOfCallersPassesALimitTogether)
{
    limits = {0, 10'000, 0};
    std::atomic<std::int64_t> used = 0;
    const std::vector<Payer> payers{{"user:u", limits}};
    accounts.tell(payers[0], clock.now() / milliseconds_of_day, {});
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t)
        threads.emplace_back([&, t] {
            for (int i = 0; i < 2000; ++i) {
                auto outcome = accounts.reserve(payers, {{50, 0}, {50 + 10 * t, 0}});
                auto* grant = std::get_if<SpendingAccounts::Grant>(&outcome);
                if (grant == nullptr)
                    continue;
                const model::Spend spent{i % 3 == 0 ? grant->amount.tokens : i % 3 == 1 ? 1 : 0, 0};
                used += spent.tokens;
                accounts.settle(grant->accounts, grant->amount, spent);
            }
        });
    for (auto& thread : threads)
        thread.join();
    EXPECT_LE(used, 10'000);
    EXPECT_GT(used, 9'900);
    EXPECT_EQ(take({{0, 0}, {100'000, 0}}).amount.tokens, 10'000 - used) << "nothing stays reserved";
}

TEST_F(Spending, WhatIsToldInHeadersIsOfTheMinuteElseOfTheDay)
{
    limits = {1000, 5000, 0};
    spend(250);
    const auto held = take(exactly(50));
    const std::vector<Payer> payers{{"user:u", limits}};
    auto level = token_level(limits, std::get<SpendLevels>(accounts.levels(payers[0])));
    EXPECT_EQ(level.limit, 1000);
    EXPECT_EQ(level.remaining, 700);
    EXPECT_EQ(level.reset_seconds, 15);
    limits = {0, 5000, 0};
    level = token_level(limits, std::get<SpendLevels>(accounts.levels({"user:u", limits})));
    EXPECT_EQ(level.limit, 5000);
    EXPECT_EQ(level.remaining, 4700);
    EXPECT_EQ(level.reset_seconds, 23 * 3600);
}

}  // namespace
}  // namespace dure::auth
