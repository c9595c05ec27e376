// Budgets over a database: whose limits count and what a day begins with; and through a real Redis that two replicas share,
// that goes away, forgets and comes back.
#include "dure/auth/budgets.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "dure/base/log.hpp"
#include "dure/redis/client.hpp"
#include "dure/sql/migrator.hpp"
#include "dure/store/migrations.hpp"
#include "dure/store/usage.hpp"
#include "dure/store/users.hpp"
#include "support/databases.hpp"
#include "support/redis_client.hpp"
#include "support/redis_process.hpp"
#include "support/run_on_core.hpp"

namespace dure::auth {
namespace {

using namespace std::chrono_literals;
using Held = std::unique_ptr<model::Reservation>;

model::Wish just(std::int64_t tokens, std::int64_t cost = 0)
{
    return {{tokens, cost}, {tokens, cost}};
}

class BudgetTest : public testing::Test {
protected:
    BudgetTest()
    {
        cores.start();
        if (!sql::migrate(*database, store::migrations(), 1))
            throw std::runtime_error("migrate");
        settings.limits.user.tokens_per_day = 1000;
    }
    ~BudgetTest() override { end_cores(); }
    // Before anything goes that coroutines on them refer to.
    void end_cores()
    {
        if (std::exchange(ended, true))
            return;
        cores.stop();
        cores.join();
    }

    BudgetParts parts()
    {
        return {*database, clock, settings, [this](std::string_view scope) { scopes.emplace_back(scope); }};
    }
    // In the database, as rows of an earlier process or another replica are.
    void was_used(const std::string& user, std::int64_t tokens, std::int64_t cost, UnixMillis at,
                  const std::string& key = {})
    {
        model::UsageRow row;
        row.user_id = user;
        row.key_id = key;
        row.model = "m";
        row.status = "ok";
        row.prompt_tokens = tokens / 2;
        row.completion_tokens = tokens - tokens / 2;
        row.cost_nano = cost;
        row.created_at = at;
        test::run_on_core(cores, [&]() -> Task<void> {
            EXPECT_TRUE(co_await database->write(
                [&](sql::Connection& c) { return store::Usage(c).insert(std::span(&row, 1)); }));
        });
    }
    Result<Held> reserve(model::Budget& budget, const model::Wish& wish, const std::string& user = "u",
                         const std::string& role = "user")
    {
        Result<Held> held = Error();
        const std::function<Task<void>()> job = [&]() -> Task<void> {
            held = co_await budget.reserve({user, {}, role}, wish);
        };
        test::run_on_core(cores, job);
        return held;
    }
    // By a key of user "u".
    Result<Held> reserve_by(model::Budget& budget, const std::string& key, const model::SpendLimits& limits,
                            const model::Wish& wish, const std::string& role = "user")
    {
        Result<Held> held = Error();
        const std::function<Task<void>()> job = [&]() -> Task<void> {
            held = co_await budget.reserve({"u", key, role, limits}, wish);
        };
        test::run_on_core(cores, job);
        return held;
    }
    void settle(Result<Held>& held, model::Spend used)
    {
        test::run_on_core(cores, [&]() -> Task<void> {
            (*held)->settle(used);
            held->reset();
            co_return;
        });
    }
    void spend(model::Budget& budget, std::int64_t tokens, std::int64_t cost = 0)
    {
        auto held = reserve(budget, just(tokens, cost));
        ASSERT_TRUE(held) << held.error().message();
        settle(held, {tokens, cost});
    }
    void give_back(Result<Held>& held)
    {
        test::run_on_core(cores, [&]() -> Task<void> {
            held->reset();
            co_return;
        });
    }

    SystemClock clock;
    config::Settings settings;
    Cores cores{1};  // the database's threads end before it goes
    std::unique_ptr<sql::Database> database = test::open_or_throw(test::sqlite_options(":memory:"));
    std::vector<std::string> scopes;
    bool ended = false;
};

TEST_F(BudgetTest, WithoutLimitsNothingIsReserved)
{
    const auto budget = in_process_budget(parts());
    EXPECT_TRUE(budget->limits({"u", {}, "user"}));
    EXPECT_TRUE(budget->limits({"u", {}, "made by hand"})) << "has the limits of a user";
    EXPECT_FALSE(budget->limits({"u", {}, "admin"}));
    EXPECT_TRUE(budget->limits({"u", {}, ""})) << "not known yet";
    const auto held = reserve(*budget, just(1'000'000), "u", "admin");
    EXPECT_TRUE(held && !*held);
}

TEST_F(BudgetTest, TheRoleIsLookedUpForWorkWithoutARequest)
{
    model::User user;
    user.id = "boss";
    user.email = "boss@example.com";
    user.role = "admin";
    test::run_on_core(cores, [&]() -> Task<void> {
        EXPECT_TRUE(co_await database->write([&](sql::Connection& c) { return store::Users(c).insert(user); }));
    });
    const auto budget = in_process_budget(parts());
    const auto unlimited = reserve(*budget, just(5000), "boss", "");
    EXPECT_TRUE(unlimited && !*unlimited);
    EXPECT_FALSE(reserve(*budget, just(5000), "gone meanwhile", ""));
}

TEST_F(BudgetTest, ADayBeginsWithItsUsageRowsAndOnlyThose)
{
    const auto today = clock.now() / 86'400'000 * 86'400'000;
    was_used("u", 400, 0, today);
    was_used("u", 300, 0, clock.now());
    was_used("u", 900, 0, today - 1);
    was_used("somebody else", 900, 0, today);
    const auto budget = in_process_budget(parts());
    EXPECT_FALSE(reserve(*budget, just(301)));
    EXPECT_TRUE(reserve(*budget, just(300)));
    EXPECT_EQ(scopes, std::vector<std::string>{"tokens"});
}

TEST_F(BudgetTest, AReservationThatGoesUnsettledGivesEverythingBack)
{
    const auto budget = in_process_budget(parts());
    auto held = reserve(*budget, just(1000));
    EXPECT_FALSE(reserve(*budget, just(1)));
    give_back(held);
    EXPECT_TRUE(reserve(*budget, just(1000)));
}

constexpr model::SpendLimits three_hundred_a_day{0, 300, 0};

TEST_F(BudgetTest, AKeyHasABudgetOfItsOwnBesideItsOwners)
{
    const auto budget = in_process_budget(parts());
    auto held = reserve_by(*budget, "k", three_hundred_a_day, just(300));
    ASSERT_TRUE(held && *held);
    const auto refused = reserve_by(*budget, "k", three_hundred_a_day, just(1));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().reason(), "budget_exceeded");
    EXPECT_FALSE(reserve(*budget, just(701))) << "what the key holds is held of its owner too";
    auto other = reserve_by(*budget, "other", {}, just(700));
    EXPECT_TRUE(other) << "another key of the same owner";
    EXPECT_FALSE(reserve_by(*budget, "third", three_hundred_a_day, just(1))) << "of the owner nothing is left";
    settle(held, {100, 0});
    EXPECT_TRUE(reserve_by(*budget, "k", three_hundred_a_day, just(200)));
    EXPECT_FALSE(reserve_by(*budget, "k", three_hundred_a_day, just(201)));
}

TEST_F(BudgetTest, AKeyIsLimitedWhereItsOwnerIsNot)
{
    const auto budget = in_process_budget(parts());
    EXPECT_TRUE(budget->limits({"u", "k", "admin", three_hundred_a_day}));
    EXPECT_TRUE(reserve_by(*budget, "k", three_hundred_a_day, just(300), "admin"));
    EXPECT_FALSE(reserve_by(*budget, "k", three_hundred_a_day, just(301), "admin"));
    settings.limits = {};
    const auto without_roles = in_process_budget(parts());
    EXPECT_FALSE(reserve_by(*without_roles, "k", three_hundred_a_day, just(301)));
    const auto free = reserve_by(*without_roles, "k", {}, just(301));
    EXPECT_TRUE(free && !*free);
}

TEST_F(BudgetTest, TheDayOfAKeyBeginsWithItsOwnUsageRows)
{
    was_used("u", 250, 0, clock.now(), "k");
    was_used("u", 200, 0, clock.now(), "another");
    const auto budget = in_process_budget(parts());
    EXPECT_FALSE(reserve_by(*budget, "k", three_hundred_a_day, just(51)));
    EXPECT_TRUE(reserve_by(*budget, "k", three_hundred_a_day, just(50)));
}

TEST_F(BudgetTest, HeadersTellOfTheLimitThatLeavesLeast)
{
    was_used("u", 250, 0, clock.now(), "k");
    const auto budget = in_process_budget(parts());
    const std::function<Task<void>()> look = [&]() -> Task<void> {
        const auto of_key = co_await budget->level({"u", "k", "user", three_hundred_a_day});
        EXPECT_EQ(of_key->limit, 300);
        EXPECT_EQ(of_key->remaining, 50);
        const auto of_owner = co_await budget->level({"u", "k", "user", {0, 100'000, 0}});
        EXPECT_EQ(of_owner->limit, 1000);
        EXPECT_EQ(of_owner->remaining, 750);
    };
    test::run_on_core(cores, look);
}

class SharedBudgets : public BudgetTest {
protected:
    ~SharedBudgets() override { end_cores(); }

    // What is settled or given back reaches Redis behind the answer.
    bool soon(const std::function<bool()>& seen)
    {
        for (const auto end = Steady::now() + 10s; Steady::now() < end;)
            if (seen())
                return true;
        return false;
    }
    std::string reserved() { return server.ask("HLEN dure:reserved:user:u"); }

    Logger logger{test::errors_only()};
    test::RedisProcess server;
    redis::Client first{cores, redis::parse_address(server.url()).value(), logger, test::patient()};
    redis::Client second{cores, redis::parse_address(server.url()).value(), logger, test::patient()};
    std::unique_ptr<model::Budget> a = redis_budget(first, parts());
    std::unique_ptr<model::Budget> b = redis_budget(second, parts());
};

TEST_F(SharedBudgets, WhatOneReplicaReservesAnotherCannotGive)
{
    auto held = reserve(*a, just(700));
    ASSERT_TRUE(held);
    const auto refused = reserve(*b, just(301));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().reason(), "budget_exceeded");
    EXPECT_EQ(refused.error().extra().retry_after, std::chrono::seconds(1));
    settle(held, {100, 0});
    ASSERT_TRUE(soon([&] { return reserved() == ":0"; }));
    auto rest = reserve(*b, {{1, 0}, {5000, 0}});  // no bound: all that is left
    ASSERT_TRUE(rest);
    EXPECT_FALSE(reserve(*a, just(1)));
    settle(rest, {900, 0});
    ASSERT_TRUE(soon([&] { return reserved() == ":0"; }));
    const auto spent = reserve(*a, just(1));
    ASSERT_FALSE(spent);
    EXPECT_EQ(spent.error().extra().should_retry, false) << "the day is over for this user";
}

TEST_F(SharedBudgets, AKeysBudgetIsOneAcrossReplicas)
{
    auto held = reserve_by(*a, "k", three_hundred_a_day, just(200));
    ASSERT_TRUE(held && *held);
    EXPECT_FALSE(reserve_by(*b, "k", three_hundred_a_day, just(101)));
    EXPECT_TRUE(reserve_by(*b, "other", three_hundred_a_day, just(101)));
    settle(held, {50, 0});
    EXPECT_TRUE(soon([&] { return server.ask("HLEN dure:reserved:key:k") == ":0"; }));
    EXPECT_TRUE(reserve_by(*b, "k", three_hundred_a_day, just(250)));
    EXPECT_FALSE(reserve_by(*a, "k", three_hundred_a_day, just(251)));
}

TEST_F(SharedBudgets, CountMinutesAndMoneyToo)
{
    settings.limits.user = {};
    settings.limits.user.tokens_per_minute = 6000;
    settings.limits.user.cost_per_day = 1'000'000'000;
    const auto c = redis_budget(first, parts());
    const auto d = redis_budget(second, parts());
    spend(*c, 5900, 999'999'000);
    ASSERT_TRUE(soon([&] { return reserved() == ":0"; }));
    const auto minute = reserve(*d, just(5900, 0));
    ASSERT_FALSE(minute);
    EXPECT_EQ(minute.error().reason(), "rate_limit_exceeded");
    EXPECT_GE(minute.error().extra().retry_after->count(), 30);
    const auto money = reserve(*d, just(1, 1001));
    ASSERT_FALSE(money);
    EXPECT_EQ(money.error().reason(), "budget_exceeded");
    EXPECT_TRUE(reserve(*d, just(1, 1000)));
    EXPECT_EQ(scopes, (std::vector<std::string>{"tokens", "cost"}));
    const std::function<Task<void>()> look = [&]() -> Task<void> {
        const auto level = co_await c->level({"u", {}, "user"});
        EXPECT_EQ(level->limit, 6000);
        EXPECT_GE(level->remaining, 99);
        EXPECT_LT(level->remaining, 6000);
        EXPECT_GE(level->reset_seconds, 30);
    };
    test::run_on_core(cores, look);
}

TEST_F(SharedBudgets, ManyCallsAtOnceNeverPassALimitTogether)
{
    std::int64_t used = 0;
    const std::function<Task<void>(model::Budget&)> caller = [&](model::Budget& budget) -> Task<void> {
        for (int i = 0; i < 60; ++i) {
            auto held = co_await budget.reserve({"u", {}, "user"}, {{20, 0}, {100, 0}});
            if (!held)
                continue;
            used += 20;
            (*held)->settle({20, 0});
        }
    };
    test::Running one(cores, [&] { return caller(*a); });
    test::Running two(cores, [&] { return caller(*b); });
    test::Running three(cores, [&] { return caller(*b); });
    one.wait();
    two.wait();
    three.wait();
    EXPECT_LE(used, 1000);
    EXPECT_GE(used, 900);
}

TEST_F(SharedBudgets, ADayThatRedisDoesNotKnowBeginsWithItsUsageRows)
{
    was_used("u", 600, 0, clock.now());
    EXPECT_FALSE(reserve(*a, just(401)));
    spend(*b, 300);
    ASSERT_TRUE(soon([&] { return reserved() == ":0"; }));
    was_used("u", 300, 0, clock.now());  // the row of that call
    EXPECT_EQ(server.ask("FLUSHALL"), "+OK");
    EXPECT_FALSE(reserve(*a, just(101))) << "a flush gives nothing back";
    EXPECT_TRUE(reserve(*a, just(100)));
}

TEST_F(SharedBudgets, WhatADeadReplicaReservedRunsOut)
{
    auto dying = redis_budget(first, parts(), 200ms);
    auto held = reserve(*dying, just(1000));
    ASSERT_TRUE(held);
    EXPECT_FALSE(reserve(*b, just(1)));
    dying.reset();  // nobody will settle what it gave
    EXPECT_TRUE(soon([&] { return reserve(*b, just(1)).has_value(); }));
}

TEST_F(SharedBudgets, WhoLeavesWhileRedisIsAskedHoldsNothing)
{
    test::run_on_core(cores, [&]() -> Task<void> { EXPECT_TRUE(co_await first.command({"PING"})); });
    server.freeze();
    const std::function<Task<void>()> job = [&]() -> Task<void> {
        (void)co_await a->reserve({"u", {}, "user"}, just(1000));
    };
    test::Running asking(cores, job);
    asking.cancel();
    EXPECT_THROW(asking.wait(), boost::system::system_error);
    server.thaw();
    EXPECT_TRUE(soon([&] { return reserve(*b, just(1000)).has_value(); }));
}

TEST_F(SharedBudgets, EachReplicaGivesHalfOfWhatIsLeftWhileRedisIsAwayAndTellsItAfterwards)
{
    spend(*a, 200);
    was_used("u", 200, 0, clock.now());
    ASSERT_TRUE(soon([&] { return reserved() == ":0"; }));
    server.freeze();
    const auto impatient = [&] {
        auto options = test::patient();
        options.command = 50ms;
        return options;
    };
    redis::Client third(cores, redis::parse_address(server.url()).value(), logger, impatient());
    const auto alone = redis_budget(third, parts());
    EXPECT_FALSE(reserve(*alone, just(401)));
    spend(*alone, 400);
    EXPECT_FALSE(reserve(*alone, just(1)));
    server.thaw();
    // 200 before and 400 meanwhile: 400 are left for all of them.
    EXPECT_TRUE(soon([&] { return reserve(*alone, just(400)).has_value(); }));
    EXPECT_FALSE(reserve(*b, just(401)));
    end_cores();
}

TEST_F(SharedBudgets, NonsenseInRedisHarmsNobodyForever)
{
    EXPECT_EQ(server.ask("HSET dure:reserved:user:u x nonsense"), ":1");
    EXPECT_EQ(server.ask("HSET dure:spent:user:u used many day today"), ":2");
    auto held = reserve(*a, just(1000));
    EXPECT_TRUE(held);
    settle(held, {});
    EXPECT_EQ(server.ask("SET dure:spent:user:v text"), "+OK");  // refused by Redis: counted here
    EXPECT_TRUE(reserve(*a, just(500), "v"));
    EXPECT_FALSE(reserve(*a, just(501), "v"));
}

}  // namespace
}  // namespace dure::auth
