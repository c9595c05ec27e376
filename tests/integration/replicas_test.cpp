// Two replicas on one PostgreSQL and one Redis: what is begun, granted, limited or revoked on one holds on the other.
#include <gtest/gtest.h>

#include "support/raw_http.hpp"
#include "support/redis_process.hpp"
#include "support/server_on_postgres.hpp"

namespace dure::test {
namespace replicas_on_redis {

using namespace std::chrono_literals;

class ReplicasOnRedis : public testing::Test {
protected:
    static ServerProcess::Options options(const std::string& database, const RedisProcess& redis)
    {
        return on_postgres(database, "[log]\nlevel = \"warn\"\n[redis]\nurl = \"" + redis.url() +
                                         "\"\n[limits.admin]\nchat_per_minute = 12\n");
    }

    RawAnswer ask(const ServerProcess& server, std::string_view method, std::string_view target,
                  std::string_view credential, const Json& body = nullptr) const
    {
        return fetch(server.port(),
                     raw_request(method, target, credential, body.is_null() ? std::string() : body.dump()));
    }

    std::string log_in(const ServerProcess& server) const
    {
        const auto answer =
            fetch(server.port(), raw_request("POST", "/auth/jwt/login", {},
                                             "username=admin%40localhost&password=a+long+enough+password+of+the+first",
                                             {{"Content-Type", "application/x-www-form-urlencoded"}}));
        EXPECT_EQ(answer.status, 200) << answer.body;
        return answer.json().value("access_token", "");
    }

    const std::string database = fresh_schema();
    RedisProcess redis;
    ServerProcess a{options(database, redis)};
    ServerProcess b{options(database, redis)};
};

TEST_F(ReplicasOnRedis, ALoginOnOneIsGoodOnTheOtherUntilItEnds)
{
    const auto token = log_in(a);
    EXPECT_EQ(ask(b, "GET", "/users/me", token).status, 200);
    EXPECT_EQ(ask(a, "POST", "/auth/jwt/logout", token).status, 204);
    EXPECT_EQ(ask(a, "GET", "/users/me", token).status, 401);
    EXPECT_TRUE(eventually([&] { return ask(b, "GET", "/users/me", token).status == 401; }, 5s));
}

TEST_F(ReplicasOnRedis, AKeyRevokedOnOneIsRefusedByTheOther)
{
    const auto token = log_in(a);
    const auto made = ask(a, "POST", "/api/keys", token, {{"name", "ci"}});
    ASSERT_EQ(made.status, 201) << made.body;
    const auto key = made.json().at("key").get<std::string>();
    EXPECT_EQ(ask(b, "GET", "/v1/models", key).status, 200);   // remembered there for five seconds
    EXPECT_EQ(ask(a, "DELETE", "/api/keys/" + made.json().at("id").get<std::string>(), token).status, 204);
    EXPECT_EQ(ask(a, "GET", "/v1/models", key).status, 401);
    EXPECT_TRUE(eventually([&] { return ask(b, "GET", "/v1/models", key).status == 401; }, 3s))
        << "sooner than what was remembered runs out: it was told";
}

TEST_F(ReplicasOnRedis, ASessionAndItsLimitsGoOnOnTheOther)
{
    const auto& key = a.key();
    std::string session;
    int answered = 0;
    for (int i = 0; i < 20; ++i) {
        Json body = {{"message", "hello"}, {"model", "mock"}};
        if (!session.empty())
            body["session_id"] = session;
        const auto answer = ask(i % 2 == 0 ? a : b, "POST", "/api/chat/message", key, body);
        if (answer.status == 429)
            continue;
        ASSERT_EQ(answer.status, 200) << answer.body;
        session = answer.json().at("session_id").get<std::string>();
        EXPECT_EQ(answer.json().at("turn"), ++answered);
    }
    EXPECT_TRUE(answered == 12 || answered == 13) << answered;   // one comes back every five seconds
    const auto history = ask(b, "GET", "/api/chat/history/" + session + "?limit=100", key).json();
    EXPECT_EQ(history.at("messages").size(), static_cast<std::size_t>(2 * answered));
}

}  // namespace replicas_on_redis
}  // namespace dure::test
