// Every route of /openapi.json, without a credential, with a malformed, revoked, ended or expired one, with a key where a
// person is needed, and with a role that does not allow it: 401 or 403, never an answer. A new route is covered by being in the table.
#include <gtest/gtest.h>

#include <set>

#include "dure/base/clock.hpp"
#include "support/raw_http.hpp"
#include "support/server_process.hpp"

namespace dure::test {
namespace access_walk {

struct Operation {
    std::string method;
    std::string target;
    bool open = false;
    std::string permission;  // empty: any credential
    bool people_only = false;
    std::string name() const { return method + " " + target; }
};

class AccessWalk : public testing::Test {
protected:
    AccessWalk()
        : server({.configuration = "[auth]\nregistration = \"open\"\n"
                                   "[limits.user]\nrequests_per_minute = 100000\nchat_per_minute = 100000\n"
                                   "[limits.anonymous]\nrequests_per_minute = 100000\nchat_per_minute = 100000\n",
                  .environment = {},
                  .arguments = {}})
    {
        const auto document = fetch(server.port(), raw_request("GET", "/openapi.json")).json();
        for (const auto& [path, methods] : document.at("paths").items())
            for (const auto& [method, operation] : methods.items())
                operations.push_back(read(path, method, operation));
    }

    static Operation read(std::string path, const std::string& method, const Json& operation)
    {
        for (std::size_t at; (at = path.find('{')) != std::string::npos;)
            path.replace(at, path.find('}') - at + 1, "0190a000-0000-7000-8000-000000000000");
        Operation out;
        for (const char c : method)
            out.method.push_back(static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c));
        out.target = path;
        out.open = operation.at("security").empty();
        out.permission = operation.value("x-dure-permission", "");
        out.people_only = operation.contains("x-dure-credential");
        return out;
    }

    int status_of(const Operation& operation, const std::string& credential) const
    {
        const bool has_body = operation.method == "POST" || operation.method == "PUT" || operation.method == "PATCH";
        return fetch(server.port(), raw_request(operation.method, operation.target, credential, has_body ? "{}" : ""))
            .status;
    }

    std::string token_of(const std::string& name, const std::string& password) const
    {
        const auto answer = fetch(server.port(), raw_request("POST", "/auth/jwt/login", {},
                                                             "username=" + name + "&password=" + password,
                                                             {{"Content-Type", "application/x-www-form-urlencoded"}}));
        EXPECT_EQ(answer.status, 200) << answer.body;
        return answer.json().at("access_token").get<std::string>();
    }

    void expect_all(const std::string& credential, int status) const
    {
        for (const auto& operation : operations)
            if (!operation.open)
                EXPECT_EQ(status_of(operation, credential), status) << operation.name();
    }

    ServerProcess server;
    std::vector<Operation> operations;
};

TEST_F(AccessWalk, TheOpenRoutesAreTheseAndNoOthers)
{
    const std::set<std::string> meant{"GET /",
                                      "GET /healthz",
                                      "GET /readyz",
                                      "GET /openapi.json",
                                      "POST /auth/register",
                                      "POST /auth/jwt/login",
                                      "POST /auth/forgot-password",
                                      "POST /auth/reset-password",
                                      "POST /auth/request-verify-token",
                                      "POST /auth/verify"};
    std::set<std::string> open;
    for (const auto& operation : operations)
        if (operation.open)
            open.insert(operation.name());
    EXPECT_EQ(open, meant);
    EXPECT_GT(operations.size(), 30u);
}

TEST_F(AccessWalk, NoCredentialIs401)
{
    expect_all("", 401);
}

TEST_F(AccessWalk, MalformedCredentialsAre401)
{
    for (const auto* credential : {"x", "dk_short", "dk_00000000000000000000000000000000000000000000000000", "a.b.c",
                                   "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9."})
        expect_all(credential, 401);
}

TEST_F(AccessWalk, ARevokedKeyIs401)
{
    const auto token = token_of("admin%40localhost", server.value_of("admin password:"));
    const auto made = fetch(server.port(), raw_request("POST", "/api/keys", token, R"({"name":"walk"})")).json();
    const auto key = made.at("key").get<std::string>();
    ASSERT_EQ(fetch(server.port(), raw_request("GET", "/users/me", key)).status, 200);
    const auto id = made.at("id").get<std::string>();
    ASSERT_EQ(fetch(server.port(), raw_request("DELETE", "/api/keys/" + id, token)).status, 204);
    expect_all(key, 401);
}

TEST_F(AccessWalk, AnEndedTokenIs401)
{
    const auto token = token_of("admin%40localhost", server.value_of("admin password:"));
    ASSERT_EQ(fetch(server.port(), raw_request("POST", "/auth/jwt/logout?everywhere=true", token)).status, 204);
    expect_all(token, 401);
}

TEST_F(AccessWalk, AnExpiredKeyIs401)
{
    const auto made = server.run({"key", "create", "--config", "dure.toml", "--email", "admin@localhost", "--name",
                                  "walk", "--expires", rfc3339(SystemClock().now() + 2000)});
    ASSERT_EQ(made.code, 0) << made.err;
    const auto key = made.out.substr(0, made.out.find('\n'));
    ASSERT_TRUE(eventually([&] { return fetch(server.port(), raw_request("GET", "/users/me", key)).status == 401; }));
    expect_all(key, 401);
}

TEST_F(AccessWalk, ATokenOfARoleWithoutThePermissionIs403)
{
    const auto made =
        fetch(server.port(), raw_request("POST", "/auth/register", {},
                                         R"({"email":"kim@example.kr","password":"correct horse battery"})"));
    ASSERT_EQ(made.status, 201) << made.body;
    const auto held = made.json().at("permissions").get<std::set<std::string>>();
    const auto token = token_of("kim%40example.kr", "correct+horse+battery");
    int walked = 0;
    for (const auto& operation : operations)
        if (!operation.permission.empty() && !held.contains(operation.permission)) {
            EXPECT_EQ(status_of(operation, token), 403) << operation.name();
            ++walked;
        }
    EXPECT_GE(walked, 8);
}

TEST_F(AccessWalk, AKeyNeverDoesWhatNeedsAPerson)
{
    for (const auto& operation : operations)
        if (operation.people_only)
            EXPECT_EQ(status_of(operation, server.key()), 403) << operation.name();
}

TEST_F(AccessWalk, AKeyWithoutThePermissionIs403)
{
    const auto made = server.run({"key", "create", "--config", "dure.toml", "--email", "admin@localhost", "--name",
                                  "narrow", "--permissions", "models:manage"});
    ASSERT_EQ(made.code, 0) << made.err;
    const auto key = made.out.substr(0, made.out.find('\n'));
    for (const auto& operation : operations)
        if (!operation.permission.empty() && operation.permission != "models:manage")
            EXPECT_EQ(status_of(operation, key), 403) << operation.name();
}

}  // namespace access_walk
}  // namespace dure::test
