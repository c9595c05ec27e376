// Two replicas on one PostgreSQL, without Redis: who logs in on one is known on the other, and what one ends is refused by the
// other within five seconds.
#include <gtest/gtest.h>

#include "support/raw_http.hpp"
#include "support/server_on_postgres.hpp"

namespace dure::test {
namespace replica_accounts {

using namespace std::chrono_literals;

int status_of_me(const ServerProcess& server, const std::string& credential)
{
    return fetch(server.port(), raw_request("GET", "/users/me", credential)).status;
}

std::string log_in(const ServerProcess& server)
{
    const auto answer =
        fetch(server.port(), raw_request("POST", "/auth/jwt/login", {},
                                         "username=admin%40localhost&password=a+long+enough+password+of+"
                                         "the+first",
                                         {{"Content-Type", "application/x-www-form-urlencoded"}}));
    EXPECT_EQ(answer.status, 200) << answer.body;
    return answer.json().value("access_token", "");
}

TEST(TwoReplicas, ShareTokensAndKeysAndTheirEnd)
{
    const auto url = fresh_schema();
    const ServerProcess one(on_postgres(url));
    const ServerProcess two(on_postgres(url));
    const auto token = log_in(one);
    const auto stays = log_in(two);
    EXPECT_EQ(status_of_me(two, token), 200);
    const auto made = fetch(one.port(), raw_request("POST", "/api/keys", token, R"({"name":"shared"})"));
    ASSERT_EQ(made.status, 201) << made.body;
    const auto key = made.json().at("key").get<std::string>();
    EXPECT_EQ(status_of_me(two, key), 200);

    const auto id = made.json().at("id").get<std::string>();
    EXPECT_EQ(fetch(one.port(), raw_request("DELETE", "/api/keys/" + id, token)).status, 204);
    EXPECT_EQ(fetch(one.port(), raw_request("POST", "/auth/jwt/logout", token)).status, 204);
    EXPECT_EQ(status_of_me(one, key), 401);
    EXPECT_EQ(status_of_me(one, token), 401);
    EXPECT_TRUE(eventually([&] { return status_of_me(two, key) == 401 && status_of_me(two, token) == 401; }, 6s));
    EXPECT_EQ(status_of_me(two, stays), 200);
}

}  // namespace replica_accounts
}  // namespace dure::test
