// A key in force is found in the list however many were made and revoked after it.
#include <gtest/gtest.h>

#include "support/raw_http.hpp"
#include "support/server_process.hpp"

namespace dure::test {
namespace key_pages {

TEST(KeyPages, OldKeysAreOnTheLaterOnes)
{
    const ServerProcess server;
    const auto login =
        fetch(server.port(), raw_request("POST", "/auth/jwt/login", {},
                                         "username=admin%40localhost&password=" + server.value_of("admin password:"),
                                         {{"Content-Type", "application/x-www-form-urlencoded"}}));
    const auto token = login.json().at("access_token").get<std::string>();
    const auto ask = [&](std::string_view method, const std::string& target, std::string_view body = {}) {
        return fetch(server.port(), raw_request(method, target, token, body));
    };
    const auto make = [&] { return ask("POST", "/api/keys", R"({"name":"k"})").json().at("id").get<std::string>(); };
    const auto kept = make();
    for (int i = 0; i < 100; ++i)
        EXPECT_EQ(ask("DELETE", "/api/keys/" + make()).status, 204);
    const auto first = ask("GET", "/api/keys").json();
    EXPECT_EQ(first.at("total"), 102);   // with the one of the first start
    EXPECT_EQ(first.at("keys").size(), 100u);
    const auto second = ask("GET", "/api/keys?page=2").json();
    EXPECT_EQ(second.at("total"), 102);
    ASSERT_EQ(second.at("keys").size(), 2u);
    EXPECT_EQ(second.at("keys").at(0).at("id"), kept);
    EXPECT_TRUE(ask("GET", "/api/keys?page=3").json().at("keys").empty());
}

// A character is a character in every language.
TEST(KeyPages, NamesAreCountedInCharacters)
{
    const ServerProcess server;
    const auto create = [&](int length) {
        std::string name;
        for (int i = 0; i < length; ++i)
            name += "가";
        return server.run({"key", "create", "--config", "dure.toml", "--email", "admin@localhost", "--name", name})
            .code;
    };
    EXPECT_EQ(create(200), 0);
    EXPECT_EQ(create(201), 1);
}

}  // namespace key_pages
}  // namespace dure::test
