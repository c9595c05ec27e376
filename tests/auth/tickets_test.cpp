// Tickets: good once, for whoever has them; here and over Redis.
#include "dure/auth/tickets.hpp"

#include "dure/base/log.hpp"
#include "dure/redis/client.hpp"
#include "support/redis_process.hpp"
#include "support/run_on_core.hpp"
#include "support/run_task.hpp"

#include <gtest/gtest.h>

namespace dure::auth {

namespace {

Task<void> is_good_once(Tickets& issuer, Tickets& other)
{
    const auto ticket = co_await issuer.issue("Bearer dk_secret");
    EXPECT_TRUE(ticket);
    EXPECT_EQ(ticket->size(), 32u);
    EXPECT_EQ((co_await other.redeem((ticket->front() == 'x' ? "y" : "x") + ticket->substr(1))).error().code(), Errc::unauthenticated);
    EXPECT_EQ((co_await other.redeem(*ticket)).value(), "Bearer dk_secret");
    EXPECT_EQ((co_await other.redeem(*ticket)).error().reason(), "invalid_ticket");
    EXPECT_EQ((co_await issuer.redeem(*ticket)).error().reason(), "invalid_ticket");
    const auto empty = co_await issuer.issue("");
    EXPECT_EQ((co_await other.redeem(*empty)).value(), "");
}

}  // namespace

TEST(Tickets, AreGoodOnce)
{
    const auto tickets = in_process_tickets();
    test::run([&]() { return is_good_once(*tickets, *tickets); });
}

TEST(Tickets, AreBoundedInNumberAndLength)
{
    const auto tickets = in_process_tickets(2);
    test::run([&]() -> Task<void> {
        EXPECT_TRUE(co_await tickets->issue("a"));
        EXPECT_TRUE(co_await tickets->issue("b"));
        EXPECT_EQ((co_await tickets->issue("c")).error().code(), Errc::unavailable);
        EXPECT_EQ((co_await tickets->issue(std::string(9000, 'x'))).error().code(), Errc::invalid_argument);
    });
}

TEST(Tickets, OfOneReplicaAreGoodOnAnotherAndRedisHoldsNoCredential)
{
    test::RedisProcess server;
    Cores cores(1);
    Logger log({LogLevel::error, false, ""});
    redis::Client client(cores, redis::parse_address(server.url()).value(), log);
    cores.start();
    const auto here = redis_tickets(client);
    const auto there = redis_tickets(client);
    test::run_on_core(cores, [&]() -> Task<void> {
        co_await is_good_once(*here, *there);
        const auto ticket = co_await here->issue("Bearer dk_secret");
        const auto keys = co_await client.command({"KEYS", "*"});
        EXPECT_EQ(keys->items.size(), 1u);
        if (keys->items.empty())
            co_return;
        EXPECT_EQ(keys->items[0].text.find(*ticket), std::string::npos);
        const auto kept = co_await client.command({"GET", keys->items[0].text});
        EXPECT_EQ(kept->text.find("dk_secret"), std::string::npos);
        EXPECT_LE((co_await client.command({"TTL", keys->items[0].text}))->integer, 30);
        server.kill();
        const auto alone = co_await here->issue("Bearer dk_secret");
        EXPECT_EQ((co_await here->redeem(*alone)).value(), "Bearer dk_secret");
    });
    cores.stop();
    cores.join();
}

}  // namespace dure::auth
