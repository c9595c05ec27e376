// The whole life of an account over the wire, with the real binary: the wire words of FastAPI Users, tokens, keys, roles,
// mails out of the outbox, restart.
#include <gmock/gmock.h>

#include <algorithm>

#include "support/raw_http.hpp"
#include "support/server_process.hpp"

namespace dure::test {
namespace account_routes {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

constexpr const char* open_registration = "[auth]\nregistration = \"open\"\n";
const std::string good_password = "correct horse battery";

class AccountRoutes : public testing::Test {
protected:
    explicit AccountRoutes(const std::string& configuration = open_registration)
        : server({.configuration = configuration, .environment = {}, .arguments = {}})
    {}

    RawAnswer ask(std::string_view method, std::string_view target, std::string_view credential = {},
                  const Json& body = {}, const RawFields& fields = {}) const
    {
        return fetch(server.port(), raw_request(method, target, credential, body.is_null() ? "" : body.dump(), fields));
    }
    RawAnswer log_in(const std::string& form) const
    {
        return fetch(server.port(), raw_request("POST", "/auth/jwt/login", {}, form,
                                                {{"Content-Type", "application/x-www-form-urlencoded"}}));
    }
    std::string token_of(const std::string& name, const std::string& password = good_password) const
    {
        std::string form = "grant_type=password&username=" + name + "&password=" + password;
        std::replace(form.begin(), form.end(), ' ', '+');
        const auto answer = log_in(form);
        EXPECT_EQ(answer.status, 200) << answer.body;
        return answer.json().value("access_token", "");
    }
    std::string admin_token() const { return token_of("admin%40localhost", server.value_of("admin password:")); }
    Json enroll(const std::string& email) const
    {
        const auto answer = ask("POST", "/auth/register", {}, {{"email", email}, {"password", good_password}});
        EXPECT_EQ(answer.status, 201) << answer.body;
        return answer.json();
    }
    std::string outbox() const { return read_file(server.folder() / "data" / "dure.db.outbox"); }
    // The newest token that was mailed.
    std::string mailed_token(std::size_t mails) const
    {
        EXPECT_TRUE(eventually([&] {
            const auto text = outbox();
            std::size_t count = 0;
            for (auto at = text.find("\n----\n"); at != std::string::npos; at = text.find("\n----\n", at + 1))
                ++count;
            return count >= mails;
        }));
        const auto text = outbox();
        const auto begin = text.rfind("\neyJ") + 1;
        return text.substr(begin, text.find('\n', begin) - begin);
    }

    ServerProcess server;
};

TEST_F(AccountRoutes, OneAnswerNamesEveryWrongField)
{
    using Names = std::vector<std::string>;
    const auto token = admin_token();
    struct Case {
        std::string_view method;
        const char* path;
        Json body;
        Names wrong;
    };
    const Case cases[] = {
        {"POST", "/auth/register", {{"email", "kim"}, {"username", "!"}}, {"password", "email", "username"}},
        {"POST", "/auth/register", {{"email", 5}, {"password", good_password}, {"username", "!"}}, {"email", "username"}},
        {"PATCH", "/users/me", {{"email", "kim"}, {"password", 5}}, {"password", "email"}},
        {"POST", "/api/keys", {{"permissions", {"fly"}}, {"expires_at", "soon"}}, {"name", "permissions", "expires_at"}},
        {"POST",
         "/api/keys",
         {{"name", "k"}, {"permissions", {"chat:create", "fly"}}, {"expires_at", "soon"}},
         {"permissions", "expires_at"}},
    };
    for (const auto& [method, path, body, wrong] : cases) {
        const auto answer = ask(method, path, token, body);
        EXPECT_EQ(answer.status, 422) << answer.body;
        const auto told = answer.json();
        Names names;
        for (const auto& problem : told.at("errors"))
            names.push_back(problem.at("loc").at(1).get<std::string>());
        EXPECT_EQ(names, wrong) << answer.body;
    }
}

TEST_F(AccountRoutes, TheFirstAdministratorLogsInWithThePrintedPassword)
{
    const auto answer = ask("GET", "/users/me", admin_token());
    ASSERT_EQ(answer.status, 200) << answer.body;
    const auto me = answer.json();
    EXPECT_EQ(me.at("email"), "admin@localhost");
    EXPECT_EQ(me.at("role"), "admin");
    EXPECT_THAT(me.at("permissions").get<std::vector<std::string>>(), Contains("users:manage"));
    EXPECT_EQ(answer.header("cache-control"), "no-store");
    EXPECT_FALSE(me.contains("password_hash"));
    const auto by_key = ask("GET", "/users/me", server.key());
    EXPECT_EQ(by_key.json().at("id"), me.at("id"));
    EXPECT_THAT(by_key.json().at("permissions").get<std::vector<std::string>>(), Not(Contains("users:manage")));
}

TEST_F(AccountRoutes, RegisterLogInUseAndLogOut)
{
    const auto made = ask("POST", "/auth/register", {},
                          {{"email", "kim@example.kr"},
                           {"password", good_password},
                           {"username", "kim"},
                           {"role", "admin"},
                           {"is_superuser", true},
                           {"is_verified", true},
                           {"id", "mine"}});
    ASSERT_EQ(made.status, 201) << made.body;
    const auto user = made.json();
    EXPECT_EQ(user.at("role"), "user");
    EXPECT_EQ(user.at("is_verified"), false);
    EXPECT_NE(user.at("id"), "mine");
    const auto again = ask("POST", "/auth/register", {}, {{"email", "KIM@example.kr"}, {"password", good_password}});
    EXPECT_EQ(again.status, 400);
    EXPECT_EQ(again.json().at("detail"), "REGISTER_USER_ALREADY_EXISTS");
    const auto weak = ask("POST", "/auth/register", {}, {{"email", "lee@example.kr"}, {"password", "password"}});
    EXPECT_EQ(weak.status, 400);
    EXPECT_EQ(weak.json().at("detail"), "REGISTER_INVALID_PASSWORD");
    EXPECT_THAT(weak.json().at("reason").get<std::string>(), HasSubstr("common"));
    const auto wrong = ask("POST", "/auth/register", {}, {{"email", "nobody"}, {"password", good_password}});
    EXPECT_EQ(wrong.status, 422);

    const auto token = token_of("kim");
    EXPECT_EQ(ask("GET", "/users/me", token).json().at("id"), user.at("id"));
    EXPECT_EQ(ask("GET", "/v1/models", token).status, 200);
    EXPECT_EQ(ask("GET", "/users", token).status, 403);
    EXPECT_EQ(ask("GET", "/users", token).json().at("detail"), "Insufficient permissions");
    const auto out = ask("POST", "/auth/jwt/logout", token);
    EXPECT_EQ(out.status, 204);
    EXPECT_EQ(out.body, "");
    EXPECT_EQ(ask("GET", "/users/me", token).status, 401);
    EXPECT_EQ(ask("POST", "/auth/jwt/logout", token).status, 401);
}

TEST_F(AccountRoutes, TokensAndTheirEndOutliveARestart)
{
    enroll("kim@example.kr");
    const auto ended = token_of("kim%40example.kr");
    const auto good = token_of("kim%40example.kr");
    ASSERT_EQ(ask("POST", "/auth/jwt/logout", ended).status, 204);
    ASSERT_EQ(server.terminate(), 0);
    server.start();
    EXPECT_EQ(ask("GET", "/users/me", ended).status, 401);
    EXPECT_EQ(ask("GET", "/users/me", good).status, 200);
}

TEST_F(AccountRoutes, TheLoginFormIsReadStrictly)
{
    enroll("kim@example.kr");
    const struct {
        const char* body;
        const char* type;
        int status;
    } cases[] = {
        {"username=kim%40example.kr&password=wrong+password", "application/x-www-form-urlencoded", 400},
        {"username=kim%40example.kr", "application/x-www-form-urlencoded", 422},
        {"", "application/x-www-form-urlencoded", 422},
        {"username=%zz&password=x", "application/x-www-form-urlencoded", 400},
        {"username=%ff&password=x", "application/x-www-form-urlencoded", 400},
        {"username=a&username=b&password=x", "application/x-www-form-urlencoded", 400},
        {"username=a%00b&password=x", "application/x-www-form-urlencoded", 400},
        {"{\"username\":\"a\",\"password\":\"b\"}", "application/json", 415},
        {"username=a&password=b", "text/plain", 415},
        {"--b\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nkim@example.kr\r\n"
         "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\ncorrect horse battery\r\n--b--\r\n",
         "multipart/form-data; boundary=b",
         200},
        {"--b\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nkim@example.kr\r\n--b--\r\n",
         "multipart/form-data; boundary=b",
         422},
        {"username=a&password=b", "multipart/form-data; boundary=b", 400},
    };
    for (const auto& one : cases) {
        const auto answer =
            fetch(server.port(), raw_request("POST", "/auth/jwt/login", {}, one.body, {{"Content-Type", one.type}}));
        EXPECT_EQ(answer.status, one.status) << one.body << answer.body;
    }
    EXPECT_EQ(log_in("username=nobody&password=whatever").json().at("detail"), "LOGIN_BAD_CREDENTIALS");
    EXPECT_EQ(log_in("username=a&password=" + std::string(17000, 'x')).status, 413);
}

TEST_F(AccountRoutes, GuessingIsAnsweredWith429AndRetryAfter)
{
    enroll("kim@example.kr");
    for (int i = 0; i < 5; ++i)
        EXPECT_EQ(log_in("username=kim%40example.kr&password=wrong" + std::to_string(i)).status, 400);
    const auto refused = log_in("username=kim%40example.kr&password=wrong");
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(refused.header("retry-after"), "1");
}

TEST_F(AccountRoutes, AForgottenPasswordIsResetByMail)
{
    enroll("kim@example.kr");
    const auto old = token_of("kim%40example.kr");
    const auto known = ask("POST", "/auth/forgot-password", {}, {{"email", "kim@example.kr"}});
    const auto unknown = ask("POST", "/auth/forgot-password", {}, {{"email", "nobody@example.kr"}});
    EXPECT_EQ(known.status, 202);
    EXPECT_EQ(unknown.status, 202);
    EXPECT_EQ(known.body, unknown.body);
    const auto token = mailed_token(1);
    EXPECT_EQ(ask("POST", "/auth/reset-password", {}, {{"token", token}, {"password", "short"}}).json().at("detail"),
              "RESET_PASSWORD_INVALID_PASSWORD");
    EXPECT_EQ(ask("POST", "/auth/reset-password", {}, {{"token", nullptr}, {"password", "whatever it is"}}).status,
              422);
    EXPECT_EQ(ask("POST", "/auth/reset-password", {}, {{"token", token}, {"password", "a fine new one"}}).status, 200);
    const auto again = ask("POST", "/auth/reset-password", {}, {{"token", token}, {"password", "a fine new one"}});
    EXPECT_EQ(again.status, 400);
    EXPECT_EQ(again.json().at("detail"), "RESET_PASSWORD_BAD_TOKEN");
    EXPECT_EQ(ask("GET", "/users/me", old).status, 401);
    token_of("kim%40example.kr", "a fine new one");
    for (const auto& text : {server.out(), server.err()}) {
        EXPECT_THAT(text, Not(HasSubstr(token)));
        EXPECT_THAT(text, Not(HasSubstr("a fine new one")));
    }
}

TEST_F(AccountRoutes, AnAddressIsVerifiedByMail)
{
    enroll("kim@example.kr");
    EXPECT_EQ(ask("POST", "/auth/request-verify-token", {}, {{"email", "kim@example.kr"}}).status, 202);
    const auto token = mailed_token(1);
    const auto verified = ask("POST", "/auth/verify", {}, {{"token", token}});
    ASSERT_EQ(verified.status, 200) << verified.body;
    EXPECT_EQ(verified.json().at("is_verified"), true);
    EXPECT_EQ(ask("POST", "/auth/verify", {}, {{"token", token}}).json().at("detail"), "VERIFY_USER_ALREADY_VERIFIED");
    EXPECT_EQ(ask("POST", "/auth/verify", {}, {{"token", "x.y.z"}}).json().at("detail"), "VERIFY_USER_BAD_TOKEN");
}

TEST_F(AccountRoutes, KeysAreMadeListedRotatedAndRevokedByPeopleOnly)
{
    enroll("kim@example.kr");
    enroll("lee@example.kr");
    const auto kim = token_of("kim%40example.kr");
    const auto lee = token_of("lee%40example.kr");
    const auto made =
        ask("POST", "/api/keys", kim, {{"name", "ci"}, {"permissions", {"chat:create"}}, {"models", {"mock"}}});
    ASSERT_EQ(made.status, 201) << made.body;
    const auto key = made.json().at("key").get<std::string>();
    const auto id = made.json().at("id").get<std::string>();
    EXPECT_EQ(ask("GET", "/v1/models", key).json().at("data").size(), 1u);
    const auto listed = ask("GET", "/api/keys", kim);
    EXPECT_EQ(listed.json().at("keys").size(), 1u);
    EXPECT_THAT(listed.body, Not(HasSubstr(key)));
    // A key makes, shows and ends no keys, and changes no account.
    EXPECT_EQ(ask("POST", "/api/keys", key, {{"name", "more"}}).status, 403);
    EXPECT_EQ(ask("GET", "/api/keys", key).status, 403);
    EXPECT_EQ(ask("DELETE", "/api/keys/" + id, key).status, 403);
    EXPECT_EQ(ask("PATCH", "/users/me", key, {{"password", "taken over now"}}).status, 403);
    EXPECT_EQ(ask("POST", "/auth/jwt/logout", key).status, 403);
    EXPECT_EQ(ask("GET", "/users", server.key()).status, 403);  // not even an administrator's
    // Somebody else's key is not there.
    EXPECT_EQ(ask("DELETE", "/api/keys/" + id, lee).status, 404);
    EXPECT_EQ(ask("POST", "/api/keys/" + id + "/rotate", lee).status, 404);
    EXPECT_EQ(ask("POST", "/api/keys", kim, {{"name", "k"}, {"permissions", {"flows:manage"}}}).status, 403);
    EXPECT_EQ(ask("POST", "/api/keys", kim, {{"name", "k"}, {"expires_at", "yesterday"}}).status, 422);
    EXPECT_EQ(ask("POST", "/api/keys", kim, {{"name", "k"}, {"owner_id", "x"}}).status, 422);
    const auto rotated = ask("POST", "/api/keys/" + id + "/rotate", kim);
    ASSERT_EQ(rotated.status, 201) << rotated.body;
    EXPECT_EQ(ask("GET", "/v1/models", key).status, 200);
    EXPECT_EQ(ask("GET", "/v1/models", rotated.json().at("key").get<std::string>()).status, 200);
    EXPECT_EQ(ask("DELETE", "/api/keys/" + id, kim).status, 204);
    EXPECT_EQ(ask("GET", "/v1/models", key).status, 401);
    const auto admin = admin_token();
    const auto owner = made.json().at("owner_id").get<std::string>();
    EXPECT_EQ(ask("GET", "/api/keys?user_id=" + owner, admin).json().at("keys").size(), 2u);
    EXPECT_EQ(ask("GET", "/api/keys?user_id=" + owner, lee).status, 403);
    EXPECT_EQ(ask("DELETE", "/api/keys/" + rotated.json().at("id").get<std::string>(), admin).status, 204);
}

TEST_F(AccountRoutes, AnAdministratorManagesUsersAndRoles)
{
    const auto id = enroll("kim@example.kr").at("id").get<std::string>();
    enroll("lee@example.kr");
    const auto admin = admin_token();
    const auto first = ask("GET", "/users?limit=2", admin).json();
    ASSERT_EQ(first.at("users").size(), 2u);
    const auto rest = ask("GET", "/users?limit=2&cursor=" + first.at("next").get<std::string>(), admin).json();
    EXPECT_EQ(rest.at("users").size(), 1u);
    EXPECT_EQ(rest.at("next"), nullptr);
    EXPECT_EQ(ask("GET", "/users?cursor=made.up.x", admin).status, 422);
    EXPECT_EQ(ask("GET", "/users/" + id, admin).json().at("email"), "kim@example.kr");
    EXPECT_EQ(ask("GET", "/users/nobody", admin).status, 404);

    EXPECT_EQ(ask("POST", "/roles", admin, {{"name", "reader"}, {"permissions", {"flows:read"}}}).status, 201);
    EXPECT_EQ(ask("POST", "/roles", admin, {{"name", "reader"}, {"permissions", {"flows:read"}}}).status, 409);
    EXPECT_EQ(ask("POST", "/roles", admin, {{"name", "x"}, {"permissions", {"nothing"}}}).status, 422);
    const auto wrong = ask("POST", "/roles", admin, {{"name", "1x"}, {"permissions", {"nothing"}}});
    EXPECT_EQ(wrong.status, 422);
    EXPECT_EQ(wrong.json().at("errors").size(), 2u) << wrong.body;
    const auto kim = token_of("kim%40example.kr");
    const auto changed = ask("PATCH", "/users/" + id, admin, {{"role", "reader"}, {"is_verified", true}});
    ASSERT_EQ(changed.status, 200) << changed.body;
    EXPECT_EQ(changed.json().at("role"), "reader");
    EXPECT_EQ(ask("GET", "/users/me", kim).status, 401);  // another role ends every token
    EXPECT_EQ(ask("GET", "/v1/models", token_of("kim%40example.kr")).status, 403);
    EXPECT_EQ(ask("PATCH", "/roles/reader", admin, {{"permissions", {"chat:create"}}}).status, 200);
    EXPECT_EQ(ask("GET", "/v1/models", token_of("kim%40example.kr")).status, 200);
    EXPECT_EQ(ask("DELETE", "/roles/reader", admin).status, 409);
    EXPECT_EQ(ask("DELETE", "/roles/admin", admin).status, 409);
    EXPECT_EQ(ask("PATCH", "/users/" + id, admin, {{"role", "no-such-role"}}).status, 422);
    EXPECT_EQ(ask("GET", "/roles", admin).json().at("roles").size(), 4u);
    EXPECT_EQ(ask("DELETE", "/users/" + id, admin).status, 204);
    EXPECT_EQ(ask("GET", "/users/" + id, admin).status, 404);
    EXPECT_EQ(ask("DELETE", "/roles/reader", admin).status, 204);
    const auto me = ask("GET", "/users/me", admin).json().at("id").get<std::string>();
    EXPECT_EQ(ask("DELETE", "/users/" + me, admin).status, 409);
}

TEST_F(AccountRoutes, UnknownQueryParametersAreNamed)
{
    const auto admin = admin_token();
    const auto id = std::string("018f0000-0000-7000-8000-000000000000");
    const std::vector<std::pair<const char*, std::string>> routes = {{"GET", "/users/me"},
                                                                     {"PATCH", "/users/" + id},
                                                                     {"GET", "/users"},
                                                                     {"GET", "/roles"},
                                                                     {"POST", "/roles"},
                                                                     {"POST", "/api/keys"},
                                                                     {"GET", "/api/keys"},
                                                                     {"POST", "/api/chat/session"},
                                                                     {"GET", "/api/chat/sessions/" + id},
                                                                     {"GET", "/api/executions"},
                                                                     {"POST", "/api/models/reload"},
                                                                     {"DELETE", "/api/chat/sessions/" + id},
                                                                     {"GET", "/api/tools/x"},
                                                                     {"GET", "/api/agent-builder/flows"},
                                                                     {"GET", "/api/events/audit"}};
    for (const auto& [method, path] : routes) {
        const auto answer = ask(method, path + "?colour=red", admin);
        ASSERT_EQ(answer.status, 422) << method << ' ' << path << answer.body;
        EXPECT_EQ(answer.json().at("errors").at(0).at("loc"), (Json{"query", "colour"})) << path;
    }
    for (const auto* path : {"/healthz", "/readyz", "/openapi.json", "/v1/models"})
        EXPECT_EQ(ask("GET", std::string(path) + "?colour=red", admin).status, 200) << path;
}

TEST_F(AccountRoutes, KeysAndRolesAreShownByPages)
{
    const auto admin = admin_token();
    for (const auto* name : {"a", "b", "c"})
        ASSERT_EQ(ask("POST", "/api/keys", admin, {{"name", name}}).status, 201);
    const auto keys = ask("GET", "/api/keys?page=2&page_size=2", admin).json();
    EXPECT_EQ(keys.at("page"), 2);
    EXPECT_EQ(keys.at("page_size"), 2);
    EXPECT_EQ(keys.at("total").get<std::size_t>(), 2 + keys.at("keys").size());
    const auto roles = ask("GET", "/roles?page_size=2", admin).json();
    EXPECT_EQ(roles.at("roles").size(), 2u);
    EXPECT_EQ(roles.at("total"), 3);
    EXPECT_EQ(ask("GET", "/roles?page_size=101", admin).status, 422);
    EXPECT_EQ(ask("GET", "/api/keys?page=0", admin).status, 422);
}

TEST_F(AccountRoutes, ARoleOfAKoreanNameKeepsItsName)
{
    const auto admin = admin_token();
    ASSERT_EQ(ask("POST", "/roles", admin, {{"name", "검토"}, {"permissions", {"flows:read"}}}).status, 201);
    const std::string path = "/roles/%EA%B2%80%ED%86%A0";
    const auto same = ask("PATCH", path, admin, {{"name", "검토"}, {"permissions", {"chat:create"}}});
    ASSERT_EQ(same.status, 200) << same.body;
    EXPECT_EQ(same.json().at("permissions"), Json{"chat:create"});
    for (const Json& body : {Json{{"name", "감사"}, {"permissions", {"chat:create"}}}, Json{{"name", "감사"}}}) {
        const auto other = ask("PATCH", path, admin, body);
        EXPECT_EQ(other.status, 422);
        EXPECT_EQ(other.json().at("errors").size(), 1u) << other.body;
        EXPECT_EQ(other.json().at("errors").at(0).at("loc"), (Json{"body", "name"}));
    }
    for (const Json& body : {Json{{"name", "검토"}}, Json::object()}) {   // what is not sent stays
        const auto kept = ask("PATCH", path, admin, body);
        ASSERT_EQ(kept.status, 200) << kept.body;
        EXPECT_EQ(kept.json(), same.json());
    }
    for (const Json& permissions : {Json{"nothing"}, Json(7)})
        EXPECT_EQ(ask("PATCH", path, admin, {{"name", "감사"}, {"permissions", permissions}}).json().at("errors").size(), 2u);
    EXPECT_EQ(ask("PATCH", "/roles/nobody", admin, {{"name", "nobody"}}).status, 404);
    EXPECT_EQ(ask("DELETE", path, admin).status, 204);
}

TEST_F(AccountRoutes, ABodyIsJsonInUtf8)
{
    const Json body{{"email", "kim@example.kr"}, {"password", good_password}};
    int number = 0;
    for (const auto* type :
         {"application/json; charset=utf-8", "application/json;charset=\"UTF-8\"", "Application/JSON"}) {
        auto one = body;
        one["email"] = "kim" + std::to_string(++number) + "@example.kr";
        EXPECT_EQ(ask("POST", "/auth/register", {}, one, {{"Content-Type", type}}).status, 201) << type;
    }
    for (const auto* type : {"application/json; charset=euc-kr", "application/json;a=b; charset=utf-16", "text/json"})
        EXPECT_EQ(ask("POST", "/auth/register", {}, body, {{"Content-Type", type}}).status, 415) << type;
}

TEST_F(AccountRoutes, OneCredentialPerRequest)
{
    const auto token = admin_token();
    const auto answer = ask("GET", "/users/me", token, {}, {{"Authorization", "Bearer " + server.key()}});
    EXPECT_GE(answer.status, 400);
    EXPECT_LT(answer.status, 500);
    EXPECT_EQ(ask("GET", "/users/me?access_token=" + token).status, 401);
    EXPECT_EQ(ask("GET", "/users/me", {}, {}, {{"Cookie", "access_token=" + token}}).status, 401);
}

TEST(Registration, IsClosedUnlessOpened)
{
    const ServerProcess server;
    const auto answer = fetch(
        server.port(), raw_request("POST", "/auth/register", {}, R"({"email":"a@b.kr","password":"correct horse"})"));
    EXPECT_EQ(answer.status, 403);
}

TEST(Registration, CanBeElsewhere)
{
    const ServerProcess server(
        {.configuration = "[auth]\nregistration = \"redirect\"\nsignup_url = \"https://sso.example/new\"\n",
         .environment = {},
         .arguments = {}});
    const auto answer = fetch(server.port(), raw_request("POST", "/auth/register", {}, "{}"));
    EXPECT_EQ(answer.status, 303);
    EXPECT_EQ(answer.header("location"), "https://sso.example/new");
}

// What a page in the person's browser may send without asking: a body of no declared type, and a WebSocket.
void expect_foreign_pages_refused(std::uint16_t port)
{
    const auto run_tool = [&](const RawFields& fields) {
        auto request =
            raw_request("POST", "/api/tools/calculator/execute", {}, R"({"arguments":{"expression":"6*7"}})", fields);
        const std::string typed = "Content-Type: application/json\r\n";
        if (const auto at = request.find(typed); at != std::string::npos)
            request.erase(at, typed.size());
        return fetch(port, request).status;
    };
    EXPECT_EQ(run_tool({}), 200) << "a program";
    EXPECT_EQ(run_tool({{"Origin", "http://localhost"}}), 200) << "a page of this server: raw_request() asks localhost";
    EXPECT_EQ(run_tool({{"Origin", "http://designer.example"}}), 200) << "configured";
    for (const auto* origin : {"http://evil.example", "null", "http://localhost:3000", "http://localhost.evil.example",
                               "localhost", "http://designer.example.evil.example", ""})
        EXPECT_EQ(run_tool({{"Origin", origin}}), 403) << origin;
    EXPECT_EQ(run_tool({{"Origin", "http://localhost"}, {"Origin", "http://evil.example"}}), 403);
    const RawFields upgrade{{"Origin", "http://evil.example"},
                            {"Connection", "Upgrade"},
                            {"Upgrade", "websocket"},
                            {"Sec-WebSocket-Version", "13"},
                            {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}};
    EXPECT_EQ(
        fetch(port, raw_request("GET", "/ws/executions/0190a000-0000-7000-8000-000000000000", {}, {}, upgrade)).status,
        403);
}

TEST(WithoutAccounts, TheirRoutesAreNotThereAndEverybodyIsTheLocalDeveloper)
{
    const TemporaryFolder folder;
    const auto pid =
        spawn(folder.path(), folder.path(), {"serve", "--port", "0"},
              {{"DURE_AUTH__ACCOUNTS", "false"}, {"DURE_SERVER__CORS_ORIGINS", "http://designer.example"}});
    const auto line = [&] { return read_file(folder.path() / "err.txt"); };
    const std::string begin = "listening on http://127.0.0.1:";
    const bool started = eventually([&] { return line().find(begin) != std::string::npos; });
    EXPECT_TRUE(started) << line();
    if (started) {
        const auto text = line();
        const auto port =
            static_cast<std::uint16_t>(std::strtoul(text.c_str() + text.find(begin) + begin.size(), nullptr, 10));
        const std::pair<const char*, const char*> routes[] = {
            {"POST", "/auth/jwt/login"}, {"POST", "/auth/register"}, {"GET", "/users/me"}, {"GET", "/users"},
            {"GET", "/roles"},           {"GET", "/api/keys"},       {"POST", "/api/keys"}};
        for (const auto& [method, target] : routes)
            EXPECT_EQ(fetch(port, raw_request(method, target)).status, 404) << method << target;
        EXPECT_EQ(fetch(port, raw_request("GET", "/v1/models")).status, 200);
        expect_foreign_pages_refused(port);
    }
    ::kill(pid, SIGTERM);
    EXPECT_EQ(wait_for_exit(pid), 0);
}

}  // namespace account_routes
}  // namespace dure::test
