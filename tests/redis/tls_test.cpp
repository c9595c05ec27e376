// The client over TLS, against a real redis-server with a certificate made for the test.
#include <gtest/gtest.h>

#include <atomic>

#include "dure/redis/client.hpp"
#include "support/redis_client.hpp"
#include "support/redis_process.hpp"
#include "support/run_on_core.hpp"

namespace dure::redis {
namespace over_tls {

using std::chrono::milliseconds;

constexpr milliseconds silence{100};

class RedisOverTls : public testing::Test {
protected:
    RedisOverTls() { cores.start(); }

    std::unique_ptr<Client> connect(const std::string& url, const std::string& authority,
                                    milliseconds longest = std::chrono::seconds(5))
    {
        auto options = test::patient();
        options.command = longest;
        options.silence = silence;
        options.extra_ca_file = authority;
        return std::make_unique<Client>(cores, parse_address(url).value(), logger, options);
    }

    Result<Reply> ask(Client& client, const Arguments& command)
    {
        Result<Reply> reply = Error(Errc::unavailable, "nothing was asked");
        test::run_on_core(cores, [&]() -> Task<void> { reply = co_await client.command(command); });
        return reply;
    }

    static bool until(const std::function<bool()>& holds)
    {
        for (const auto end = Steady::now() + std::chrono::seconds(20); !holds();
             std::this_thread::sleep_for(milliseconds(5)))
            if (Steady::now() > end)
                return false;
        return true;
    }

    Logger logger{test::errors_only()};
    Cores cores{2};
    test::TlsFiles files;
    test::RedisProcess server{"pa55w0rd", &files};
};

TEST_F(RedisOverTls, LogsInAndCarriesLargeValuesBothWays)
{
    const std::string large(3 << 20, 'x');
    for (const auto* host : {"127.0.0.1", "localhost"}) {
        const auto client = connect(server.tls_url(host) + "/1", files.authority());
        const auto set = ask(*client, {"SET", host, large});
        ASSERT_TRUE(set) << set.error().detail();
        EXPECT_EQ(ask(*client, {"GET", host}).value().text, large) << host;
    }
    EXPECT_EQ(server.ask("DBSIZE"), ":0");   // nothing in database 0
}

TEST_F(RedisOverTls, AnswersManyCommandsThatWaitTogether)
{
    const auto client = connect(server.tls_url(), files.authority());
    std::atomic<int> right = 0;
    std::vector<std::unique_ptr<test::Running>> running;
    for (int i = 0; i < 300; ++i)
        running.push_back(std::make_unique<test::Running>(
            cores,
            [&client, &right, i]() -> Task<void> {
                const Arguments echo{"ECHO", std::to_string(i)};
                const auto reply = co_await client->command(echo);
                right += reply && reply->text == echo[1];
            },
            static_cast<std::size_t>(i) % 2));
    for (auto& one : running)
        one->wait();
    EXPECT_EQ(right, 300);
}

TEST_F(RedisOverTls, AServerThatNobodyTrustedVouchesForIsRefused)
{
    for (const auto& authority : {files.other_authority(), std::string()}) {
        const auto client = connect(server.tls_url(), authority);
        EXPECT_EQ(ask(*client, {"PING"}).error().code(), Errc::unavailable) << authority;
        EXPECT_TRUE(until([&] {   // and stays refused
            static_cast<void>(ask(*client, {"PING"}));
            return !client->available();
        }));
    }
}

TEST_F(RedisOverTls, ACertificateOfAnotherNameIsRefused)
{
    const test::TlsFiles elsewhere("DNS:cache.example,IP:127.0.0.2");
    const test::RedisProcess other("", &elsewhere);
    for (const auto* host : {"127.0.0.1", "localhost"}) {
        const auto client = connect(other.tls_url(host), elsewhere.authority());
        EXPECT_EQ(ask(*client, {"PING"}).error().code(), Errc::unavailable) << host;
    }
}

TEST_F(RedisOverTls, APortWithoutTlsIsNoConnection)
{
    auto url = server.url();
    url.replace(0, url.find(':'), "rediss");
    const auto client = connect(url, files.authority(), milliseconds(200));   // nobody answers
    EXPECT_EQ(ask(*client, {"PING"}).error().code(), Errc::unavailable);
}

TEST_F(RedisOverTls, SubscriptionsLiveThroughSilenceAndALostServer)
{
    const auto client = connect(server.tls_url(), files.authority());
    std::atomic<int> heard = 0;
    std::atomic<int> subscribed = 0;
    client->subscribe("news", {[&](std::string_view message) { heard += message == "one" || message == "two"; },
                               [&] { ++subscribed; }});
    // Signs of life are asked for again and again on one connection: a quiet while comes without a new subscription.
    ASSERT_TRUE(until([&] {
        const int before = subscribed;
        const auto end = Steady::now() + 5 * silence;
        return until([&] { return Steady::now() > end; }) && before > 0 && subscribed == before;
    }));
    ASSERT_TRUE(until([&] {
        client->publish("news", "one");
        return heard > 0;
    }));
    const int before = subscribed;
    server.kill();
    server.start();
    ASSERT_TRUE(until([&] { return subscribed > before; }));
    const int until_now = heard;
    ASSERT_TRUE(until([&] {
        client->publish("news", "two");
        return heard > until_now;
    }));
}

TEST_F(RedisOverTls, AFileOfAuthoritiesThatCannotBeReadIsAnErrorAtOnce)
{
    EXPECT_THROW(connect(server.tls_url(), files.authority() + ".missing"), boost::system::system_error);
}

}  // namespace over_tls
}  // namespace dure::redis
