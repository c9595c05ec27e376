// Tickets: good once, for whoever has them; here and over Redis.
#include "dure/auth/tickets.hpp"

#include "dure/base/log.hpp"
#include "dure/redis/client.hpp"
#include "dure/sql/migrator.hpp"
#include "dure/store/migrations.hpp"
#include "support/databases.hpp"
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

class SharedTickets : public testing::Test {
protected:
    SharedTickets() : database(test::open_or_throw(test::postgres_options(test::PostgresSchemas::make())))
    {
        if (!sql::migrate(*database, store::migrations(), 1))
            throw std::runtime_error("migrate");
        cores.start();
    }
    ~SharedTickets() override
    {
        cores.stop();
        cores.join();
    }
    std::string stored() const
    {
        const auto rows =
            database->run_now([](sql::Connection& c) { return c.query("SELECT id, sealed FROM socket_tickets"); });
        std::string all;
        for (const auto& row : rows.value())
            all += row.text("id") + " " + row.text("sealed") + "\n";
        return all;
    }

    Cores cores{1};
    Logger log{{LogLevel::error, false, ""}};
    std::unique_ptr<sql::Database> database;
};

TEST_F(SharedTickets, OfOneReplicaAreGoodOnAnotherAndRedisHoldsNoCredential)
{
    test::RedisProcess server;
    redis::Client client(cores, redis::parse_address(server.url()).value(), log);
    const auto here = redis_tickets(client, stored_tickets(*database));
    const auto there = redis_tickets(client, stored_tickets(*database));
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
        EXPECT_EQ(stored(), "") << "Redis had them all";
        server.kill();
        co_await is_good_once(*here, *there);
    });
}

TEST_F(SharedTickets, OfATimeWithoutRedisAreGoodWhenItIsBack)
{
    test::RedisProcess server;
    redis::Client client(cores, redis::parse_address(server.url()).value(), log);
    const auto alone = stored_tickets(*database);
    const auto shared = redis_tickets(client, stored_tickets(*database));
    test::run_on_core(cores, [&]() -> Task<void> { co_await is_good_once(*alone, *shared); });
}

TEST_F(SharedTickets, OfPostgresAreSealedAndEndAfterTheirTime)
{
    const auto here = stored_tickets(*database, 2);
    const auto there = stored_tickets(*database, 2);
    test::run_on_core(cores, [&]() -> Task<void> {
        co_await is_good_once(*here, *there);
        const auto old = co_await here->issue("Bearer dk_secret");
        EXPECT_EQ(stored().find(*old), std::string::npos);
        EXPECT_EQ(stored().find("dk_secret"), std::string::npos);
        EXPECT_TRUE(co_await there->issue("b"));
        EXPECT_EQ((co_await here->issue("c")).error().code(), Errc::unavailable) << "of both together";
        EXPECT_EQ((co_await here->issue(std::string(9000, 'x'))).error().code(), Errc::invalid_argument);
        const auto aged = co_await database->write([](sql::Connection& c) {
            return c.execute("UPDATE socket_tickets SET expires_at = expires_at - $1", std::int64_t{30'000});
        });
        EXPECT_EQ(aged.value(), 2);
        EXPECT_EQ((co_await there->redeem(*old)).error().reason(), "invalid_ticket");
        const auto next = co_await here->issue("d");
        EXPECT_TRUE(next) << "those whose time is over make room";
        EXPECT_EQ((co_await there->redeem(*next)).value(), "d");
        EXPECT_EQ(stored(), "");
    });
}

}  // namespace dure::auth
