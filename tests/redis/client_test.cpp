// The client against a real redis-server that is killed, frozen and restarted under it.
#include "dure/redis/client.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <mutex>
#include <set>

#include "dure/base/task_group.hpp"
#include "support/eventually.hpp"
#include "support/redis_client.hpp"
#include "support/redis_process.hpp"
#include "support/run_on_core.hpp"

namespace dure::redis {
namespace {

using std::chrono::milliseconds;

class RedisClientTest : public testing::Test {
protected:
    RedisClientTest() { cores.start(); }

    std::unique_ptr<Client> connect(const test::RedisProcess& to, ClientOptions options = test::patient())
    {
        return std::make_unique<Client>(cores, parse_address(to.url()).value(), logger, options);
    }

    // Repeats the command until it works; false after ten seconds.
    static Task<bool> works(Client& client)
    {
        const auto until = Deadline::after(std::chrono::seconds(10));
        while (!until.passed()) {
            const Arguments ping{"PING"};
            if (co_await client.command(ping))
                co_return true;
            boost::asio::steady_timer pause(co_await boost::asio::this_coro::executor, milliseconds(20));
            co_await pause.async_wait(boost::asio::use_awaitable);
        }
        co_return false;
    }

    Logger logger{test::errors_only()};
    Cores cores{2};
    test::RedisProcess server;
};

TEST_F(RedisClientTest, AnswersManyCommandsOfBothCoresInTheirOrder)
{
    const auto client = connect(server);
    std::vector<std::unique_ptr<test::Running>> running;
    for (std::size_t core = 0; core < 2; ++core)
        running.push_back(std::make_unique<test::Running>(
            cores,
            [&client, core]() -> Task<void> {
                TaskGroup group(co_await boost::asio::this_coro::executor);
                int right = 0;
                const auto one = [&client, &right, core](int number) -> Task<void> {
                    const auto text = std::to_string(core) + ":" + std::to_string(number);
                    const Arguments echo{"ECHO", text};
                    const auto reply = co_await client->command(echo);
                    right += reply && reply->text == text;
                };
                for (int i = 0; i < 500; ++i)
                    group.spawn(one(i));
                co_await group.wait();
                EXPECT_EQ(right, 500);
            },
            core));
    for (auto& one : running)
        one->wait();
}

TEST_F(RedisClientTest, LogsInAndChoosesTheDatabase)
{
    const test::RedisProcess locked("pa55w0rd");
    Client client(cores, parse_address(locked.url() + "/2").value(), logger, test::patient());
    Client stranger(cores, parse_address("redis://:wrong@127.0.0.1:" + std::to_string(locked.port())).value(), logger);
    test::run_on_core(cores, [&]() -> Task<void> {
        const Arguments set{"SET", "k", "v"};
        EXPECT_TRUE(co_await client.command(set));
        const auto refused = co_await stranger.command(set);
        EXPECT_EQ(refused.error().code(), Errc::unavailable);
        EXPECT_EQ(refused.error().detail().find("wrong"), std::string::npos);
    });
    EXPECT_EQ(locked.ask("GET k"), "$-1");   // database 0 has none
}

TEST_F(RedisClientTest, RunsScriptsTheServerDoesNotKnow)
{
    const auto client = connect(server);
    const Script script("return {KEYS[1], ARGV[1] + 1, redis.call('GET', 'nothing')}");
    const auto run = [&]() -> Task<void> {
        const Arguments keys{"k"};
        const Arguments arguments{"41"};
        const auto reply = co_await client->eval(script, keys, arguments);
        EXPECT_TRUE(reply);
        if (!reply || reply->items.size() != 3u)
            throw std::runtime_error("not what the script returns");
        EXPECT_EQ(reply->items[0].text, "k");
        EXPECT_EQ(reply->items[1].integer, 42);
        EXPECT_EQ(reply->items[2].kind, Reply::Kind::nil);
    };
    const std::function<Task<void>()> job = run;
    test::run_on_core(cores, job);
    test::run_on_core(cores, job);
    EXPECT_EQ(server.ask("SCRIPT FLUSH"), "+OK");
    test::run_on_core(cores, job);
}

TEST_F(RedisClientTest, TellsARefusalFromAnOutage)
{
    const auto client = connect(server);
    test::run_on_core(cores, [&]() -> Task<void> {
        const Arguments nonsense{"NOSUCHCOMMAND"};
        const auto reply = co_await client->command(nonsense);
        EXPECT_EQ(reply.error().reason(), "redis_refused");
        const Arguments ping{"PING"};
        EXPECT_TRUE(co_await client->command(ping));
    });
    EXPECT_TRUE(client->available());
}

// A full Redis answers, and nobody is told so by those who go on without it.
TEST_F(RedisClientTest, AServerThatTakesNoWritesIsNotAvailable)
{
    const auto client = connect(server);
    for (const auto* setting : {"CONFIG SET maxmemory 1", "CONFIG SET maxmemory-policy noeviction"})
        EXPECT_EQ(server.ask(setting), "+OK");
    test::run_on_core(cores, [&]() -> Task<void> {
        const Arguments read{"GET", "a"}, write{"SET", "a", "b"};
        EXPECT_TRUE(co_await client->command(read));
        EXPECT_TRUE(client->available());
        EXPECT_EQ((co_await client->command(write)).error().reason(), "redis_refused");
        EXPECT_TRUE(co_await client->command(read));
        EXPECT_FALSE(client->available()) << "reading alone is not what it is needed for";
    });
}

TEST_F(RedisClientTest, ComesBackAfterAKill)
{
    const auto client = connect(server);
    test::run_on_core(cores, [&]() -> Task<void> { EXPECT_TRUE(co_await works(*client)); });
    server.kill();
    test::run_on_core(cores, [&]() -> Task<void> {
        for (int i = 0; i < 20; ++i) {
            const auto begin = Steady::now();
            const Arguments ping{"PING"};
            EXPECT_FALSE(co_await client->command(ping));
            EXPECT_LT(Steady::now() - begin, std::chrono::seconds(2));   // refused at once, the deadline is 5 s
        }
    });
    server.start();
    test::run_on_core(cores, [&]() -> Task<void> { EXPECT_TRUE(co_await works(*client)); });
}

TEST_F(RedisClientTest, OpensTheCircuitOfAFrozenServerAndProbesIt)
{
    ClientOptions options;
    options.command = milliseconds(200);
    options.connect = milliseconds(300);
    options.probe = milliseconds(300);
    const auto client = connect(server, options);
    test::run_on_core(cores, [&]() -> Task<void> { EXPECT_TRUE(co_await works(*client)); });
    server.freeze();
    std::vector<std::string> why;
    const auto fail_once = [&] {
        test::run_on_core(cores, [&]() -> Task<void> {
            const Arguments ping{"PING"};
            const auto failed = co_await client->command(ping);
            EXPECT_FALSE(failed);
            why.push_back(failed ? "" : failed.error().detail());
        });
    };
    fail_once();
    EXPECT_EQ(why.back(), "redis: no answer in time");
    for (int i = 0; i < 2 * options.failures; ++i) {   // a request of many commands is held up once
        fail_once();
        EXPECT_EQ(why.back(), "redis: an earlier command waits for its answer still");
    }
    EXPECT_TRUE(client->available()) << "at once is no time to answer";
    EXPECT_TRUE(test::eventually([&] {
        fail_once();
        return !client->available();
    }));
    EXPECT_EQ(std::count(why.begin(), why.end(), "redis: no answer in time"), 1);
    server.thaw();
    test::run_on_core(cores, [&]() -> Task<void> { EXPECT_TRUE(co_await works(*client)); });
    EXPECT_TRUE(client->available());
}

TEST_F(RedisClientTest, GoesOnAtOnceWhenALateAnswerHasCome)
{
    ClientOptions options;
    options.command = milliseconds(200);
    const auto client = connect(server, options);
    test::run_on_core(cores, [&]() -> Task<void> { EXPECT_TRUE(co_await works(*client)); });
    server.freeze();
    test::run_on_core(cores, [&]() -> Task<void> {
        const Arguments ping{"PING"};
        EXPECT_FALSE(co_await client->command(ping));
    });
    server.thaw();
    test::run_on_core(cores, [&]() -> Task<void> { EXPECT_TRUE(co_await works(*client)); });
    EXPECT_TRUE(client->available()) << "one late answer opens no circuit";
}

TEST_F(RedisClientTest, RefusesWhatDoesNotFitIntoItsQueue)
{
    auto options = test::patient();
    options.waiting = 10;
    options.command = milliseconds(300);
    const auto client = connect(server, options);
    test::run_on_core(cores, [&]() -> Task<void> { EXPECT_TRUE(co_await works(*client)); });
    server.freeze();
    std::atomic<int> at_once{0};
    test::run_on_core(cores, [&]() -> Task<void> {
        TaskGroup group(co_await boost::asio::this_coro::executor);
        const auto one = [&]() -> Task<void> {
            const auto begin = Steady::now();
            const Arguments ping{"PING"};
            EXPECT_FALSE(co_await client->command(ping));
            at_once += Steady::now() - begin < milliseconds(100);
        };
        for (int i = 0; i < 30; ++i)
            group.spawn(one());
        co_await group.wait();
    });
    server.thaw();
    EXPECT_EQ(at_once, 20);
}

TEST_F(RedisClientTest, ACancelledCommandDoesNotMixUpTheOthers)
{
    const auto client = connect(server);
    test::run_on_core(cores, [&]() -> Task<void> { EXPECT_TRUE(co_await works(*client)); });
    server.freeze();
    test::Running cancelled(cores, [&]() -> Task<void> {
        const Arguments echo{"ECHO", "dropped"};
        co_await client->command(echo);
    });
    test::Running kept(cores, [&]() -> Task<void> {
        const Arguments echo{"ECHO", "kept"};
        const auto reply = co_await client->command(echo);
        EXPECT_TRUE(reply && reply->text == "kept");
    });
    cancelled.cancel();
    EXPECT_THROW(cancelled.wait(), boost::system::system_error);
    server.thaw();
    kept.wait();
}

TEST_F(RedisClientTest, HandsOnWhatIsPublishedAlsoAfterALostConnection)
{
    auto options = test::patient();
    options.silence = milliseconds(300);
    const auto client = connect(server, options);
    std::mutex guard;
    std::multiset<std::string> heard;
    int subscribed = 0;
    client->subscribe("news", {[&](std::string_view message) {
                                   const std::lock_guard lock(guard);
                                   heard.emplace(message);
                               },
                               [&] {
                                   const std::lock_guard lock(guard);
                                   ++subscribed;
                               }});
    const auto until = [&](auto holds) {
        const auto end = Steady::now() + std::chrono::seconds(10);
        while (Steady::now() < end) {
            {
                const std::lock_guard lock(guard);
                if (holds())
                    return true;
            }
            std::this_thread::sleep_for(milliseconds(5));
        }
        return false;
    };
    ASSERT_TRUE(until([&] { return subscribed == 1; }));
    client->publish("news", "one");
    client->publish("other", "not for us");
    ASSERT_TRUE(until([&] { return heard.contains("one"); }));
    server.kill();
    server.start();
    ASSERT_TRUE(until([&] { return subscribed == 2; }));
    test::run_on_core(cores, [&]() -> Task<void> { EXPECT_TRUE(co_await works(*client)); });
    client->publish("news", "two");
    ASSERT_TRUE(until([&] { return heard.contains("two"); }));
    EXPECT_EQ(heard.count("not for us"), 0u);
}

TEST_F(RedisClientTest, LeavesASubscriptionsConnectionThatShowsNoSignOfLife)
{
    using boost::asio::ip::tcp;
    boost::asio::io_context listening;
    tcp::acceptor half_dead(listening, {boost::asio::ip::make_address("127.0.0.1"), 0});
    Address address;
    address.host = "127.0.0.1";
    address.port = half_dead.local_endpoint().port();
    ClientOptions options;
    options.silence = milliseconds(50);
    Client client(cores, address, logger, options);
    client.subscribe("news", {[](std::string_view) {}});
    // Greets every connection and is silent from then on; nothing closes, so only the missing sign of life tells.
    std::vector<tcp::socket> accepted;
    for (int i = 0; i < 3; ++i) {
        accepted.push_back(half_dead.accept());
        boost::asio::write(accepted.back(), boost::asio::buffer("+PONG\r\n", 7));
    }
    EXPECT_EQ(accepted.size(), 3u);
}

TEST_F(RedisClientTest, NobodyWaitsLongerThanFiftyMillisecondsForASilentAddress)
{
    // Takes connections and says nothing.
    boost::asio::io_context listening;
    boost::asio::ip::tcp::acceptor silent(listening, {boost::asio::ip::make_address("127.0.0.1"), 0});
    Address address;
    address.host = "127.0.0.1";
    address.port = silent.local_endpoint().port();
    Client client(cores, address, logger);
    test::run_on_core(cores, [&]() -> Task<void> {
        const auto begin = Steady::now();
        const Arguments ping{"PING"};
        EXPECT_FALSE(co_await client.command(ping));
        EXPECT_GE(Steady::now() - begin, milliseconds(50));
        EXPECT_LT(Steady::now() - begin, milliseconds(500));
    });
}

}  // namespace
}  // namespace dure::redis
