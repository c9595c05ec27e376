// Two replicas that remember the same key: what one forgets, the other forgets too, by announcement.
#include "auth/key_fixture.hpp"
#include "dure/auth/authenticator.hpp"
#include "dure/redis/client.hpp"
#include "support/redis_client.hpp"
#include "support/redis_process.hpp"

namespace dure::auth {
namespace revocations {

// Remembers for longer than the test runs: only an announcement can make it forget.
Authenticator::Options long_memory()
{
    Authenticator::Options options;
    options.remembered = std::chrono::hours(1);
    return options;
}

class Revocations : public OneKeyFixture {
protected:
    Revocations() : OneKeyFixture(test::open_or_throw(test::sqlite_options(":memory:"))) {}

    bool lets_in(Authenticator& replica)
    {
        bool in = false;
        const auto header = "Bearer " + std::string(key.reveal());
        const std::function<Task<void>()> job = [&]() -> Task<void> {
            in = (co_await replica.authenticate(header)).has_value();
        };
        test::run_on_core(cores, job);
        return in;
    }

    void revoke_in_database()
    {
        EXPECT_TRUE(database->run_now(
            [](sql::Connection& connection) { return store::ApiKeys(connection).revoke("k1", "u1", 5); }));
    }

    Authenticator first{*database, clock, logger, settings, long_memory()};
    Authenticator second{*database, clock, logger, settings, long_memory()};
};

TEST_F(Revocations, AreAnnouncedOnceAndHeard)
{
    std::vector<std::string> said;
    first.announce_with([&](std::string announcement) {
        said.push_back(announcement);
        second.hear(announcement);
    });
    second.announce_with([&](std::string announcement) { said.push_back("echo " + announcement); });
    EXPECT_TRUE(lets_in(first));
    EXPECT_TRUE(lets_in(second));
    revoke_in_database();
    EXPECT_TRUE(lets_in(second)) << "remembered: the test would show nothing otherwise";
    first.forget_key(hash_of_key(key.reveal()));
    EXPECT_FALSE(lets_in(first));
    EXPECT_FALSE(lets_in(second));
    EXPECT_EQ(said, std::vector<std::string>{"key:" + hash_of_key(key.reveal())});
}

TEST_F(Revocations, OfUsersAndRolesAreHeardToo)
{
    for (const auto* announcement : {"user:u1", "role:user"}) {
        EXPECT_TRUE(lets_in(second));
        revoke_in_database();
        second.hear(announcement);
        EXPECT_FALSE(lets_in(second)) << announcement;
        EXPECT_TRUE(database->run_now([](sql::Connection& connection) {
            return connection.execute("UPDATE api_keys SET revoked_at = NULL");
        }));
    }
}

TEST_F(Revocations, NonsenseIsNotHeard)
{
    EXPECT_TRUE(lets_in(second));
    revoke_in_database();
    for (const auto* announcement : {"", ":", "key", "key:", "keys:u1", "user:", "user:U1", "\xff:\xff"})
        second.hear(announcement);
    EXPECT_TRUE(lets_in(second));
}

TEST_F(Revocations, ReachOtherReplicasThroughRedis)
{
    const test::RedisProcess server;
    redis::Client here(cores, redis::parse_address(server.url()).value(), logger);
    redis::Client there(cores, redis::parse_address(server.url()).value(), logger);
    std::atomic<bool> listening{false};
    first.announce_with([&](std::string announcement) { here.publish("revocations", std::move(announcement)); });
    there.subscribe("revocations", {[&](std::string_view announcement) { second.hear(announcement); },
                                    [&] { listening = true; }});
    const auto soon = [](auto holds) {
        const auto end = Steady::now() + std::chrono::seconds(10);
        while (!holds() && Steady::now() < end)
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        return holds();
    };
    ASSERT_TRUE(soon([&] { return listening.load(); }));
    EXPECT_TRUE(lets_in(second));
    revoke_in_database();
    EXPECT_TRUE(soon([&] {   // the first connection may take longer than an announcement waits
        first.forget_key(hash_of_key(key.reveal()));
        return !lets_in(second);
    }));
    cores.stop();   // the clients' coroutines end before them
    cores.join();
}

}  // namespace revocations
}  // namespace dure::auth
