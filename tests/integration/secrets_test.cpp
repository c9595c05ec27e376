// No secret of a run in what it leaves: log, output, errors, events, metrics. The run uses every kind of secret there is, also
// wrongly, and meets providers, databases and a Redis that fail.
#include <gtest/gtest.h>

#include <openssl/evp.h>

#include <map>

#include "support/openai_script.hpp"
#include "support/raw_http.hpp"
#include "support/redis_process.hpp"
#include "support/scripted_upstream.hpp"
#include "support/server_on_postgres.hpp"
#include "support/smtp_server.hpp"

namespace dure::test {
namespace secrets_of_a_run {

const std::string admin_password = "first-password-7f3a91";
const std::string user_password = "user-password-c5520e";
const std::string new_password = "new-password-13b9d4";
const std::string wrong_password = "wrong-password-88ad21";
const std::string secret_key = "secret-key-of-the-process-4c1b07e2aa";
const std::string provider_key = "sk-provider-key-59e0c3b1";
const std::string redis_password = "redis-password-2b6f4e";
const std::string smtp_password = "smtp-password-e91d77";
const std::string database_password = "never-to-be-seen";   // server_on_postgres.hpp

// The text of a mail: base64 behind the empty line.
std::string text_of(std::string mail)
{
    mail.erase(0, std::min(mail.size(), mail.find("\n\n") + 2));
    std::erase(mail, '\n');
    std::string text(mail.size(), '\0');
    const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                     reinterpret_cast<const unsigned char*>(mail.data()), static_cast<int>(mail.size()));
    text.resize(static_cast<std::size_t>(std::max(size, 0)));
    return text;
}

class Secrets : public testing::Test {
protected:
    Secrets()
    {
        upstream.handle([](const RecordedRequest& request) {   // repeats what it was sent, as broken providers do
            const Json error{{"message", "bad key " + request.header("authorization")}, {"type", "server_error"}};
            return Script{send(http_answer(500, "application/json", Json{{"error", error}}.dump()))};
        });
        all = {{"password of the administrator", admin_password}, {"password of a user", user_password},
               {"new password", new_password},                    {"mistyped password", wrong_password},
               {"SECRET_KEY", secret_key},                        {"provider key", provider_key},
               {"password of Redis", redis_password},             {"password of SMTP", smtp_password},
               {"password of the database", database_password}};
    }

    ServerProcess::Options options()
    {
        auto options = on_postgres(
            fresh_schema(),
            "[log]\nlevel = \"debug\"\n[auth]\nregistration = \"open\"\n[limits.anonymous]\nrequests_per_minute = 1000\n"
            "[redis]\nurl = \"" + redis.url() + "\"\n"
            "[mail]\nsender = \"smtp\"\nfrom = \"dure@example.kr\"\nsmtp_url_env = \"TEST_SMTP_URL\"\n"
            "[breaker]\nfailures = 0\n[[providers]]\nname = \"up\"\ndialect = \"openai\"\nbase_url = \"" + upstream.base() +
            "/v1\"\nkeys_env = [\"UPSTREAM_TEST_KEY\"]\n[[model]]\nid = \"scripted\"\ntargets = [\"up/scripted\"]\n");
        for (auto& [name, value] : options.environment) {
            if (name == "SECRET_KEY")
                value = secret_key;
            if (name == "ADMIN_PASSWORD")
                value = admin_password;
        }
        options.environment.emplace_back("UPSTREAM_TEST_KEY", provider_key);
        options.environment.emplace_back("TEST_SMTP_URL", "smtp://dure:" + smtp_password + "@127.0.0.1:" + std::to_string(smtp.port()));
        return options;
    }

    RawAnswer ask(std::string_view method, std::string_view target, std::string_view credential, const std::string& body = {},
                  const RawFields& fields = {})
    {
        auto answer = fetch(server->port(), raw_request(method, target, credential, body, fields));
        if (answer.status >= 400)
            errors += answer.body + '\n';
        return answer;
    }
    // Empty when refused.
    std::string log_in(const std::string& name, const std::string& password)
    {
        const auto answer = ask("POST", "/auth/jwt/login", {}, "username=" + name + "&password=" + password,
                                {{"Content-Type", "application/x-www-form-urlencoded"}});
        const auto token = answer.status == 200 ? answer.json().at("access_token").get<std::string>() : "";
        if (!token.empty())
            all["token of " + name + " " + std::to_string(all.size())] = token;
        return token;
    }
    std::string all_events(const std::string& admin)
    {
        std::string text, cursor;
        do {
            const auto page =
                ask("GET", "/api/events/audit?limit=100" + (cursor.empty() ? "" : "&cursor=" + cursor), admin).json();
            text += page.dump();
            cursor = page.at("next").is_null() ? "" : page.at("next").get<std::string>();
        } while (!cursor.empty());
        return text;
    }
    void expect_none_in(const std::string& text, const std::string& where) const
    {
        for (const auto& [name, secret] : all) {
            EXPECT_FALSE(secret.empty()) << name;
            EXPECT_EQ(text.find(secret), std::string::npos) << name << " in " << where;
        }
    }

    // The token of the newest mail, as the person would read it; the mail server is told to repeat it in refusals from now on.
    std::string mailed_token(const std::string& name)
    {
        std::string token;
        EXPECT_TRUE(eventually([&] {
            const auto text = text_of(smtp.mail());
            const auto begin = text.find("eyJ");
            token = begin == std::string::npos ? "" : text.substr(begin, text.find_first_of("\r\n ", begin) - begin);
            return !token.empty() && token != last_mailed;
        })) << name;
        all[name] = last_mailed = token;
        smtp.answer(".", "554 no such thing: " + token + "\r\n");
        return token;
    }

    RedisProcess redis{redis_password};
    mail::ScriptedSmtp smtp;
    std::string last_mailed;
    ScriptedUpstream upstream;
    std::unique_ptr<ServerProcess> server;
    std::map<std::string, std::string> all;
    std::string errors;
};

TEST_F(Secrets, AreInNoLogErrorEventOrMetric)
{
    server = std::make_unique<ServerProcess>(options());
    all["first key"] = server->key();
    const auto admin = log_in("admin%40localhost", admin_password);
    EXPECT_EQ(ask("POST", "/auth/register", {}, Json{{"email", "kim@example.kr"}, {"password", user_password}}.dump()).status,
              201);
    EXPECT_EQ(log_in("kim%40example.kr", wrong_password), "");
    EXPECT_EQ(log_in(wrong_password, "x"), "") << "a password typed as the name";
    const auto kim = log_in("kim%40example.kr", user_password);
    EXPECT_EQ(ask("POST", "/auth/forgot-password", {}, R"({"email":"kim@example.kr"})").status, 202);
    const auto reset = mailed_token("mailed token of a reset");
    EXPECT_EQ(ask("POST", "/auth/request-verify-token", {}, R"({"email":"kim@example.kr"})").status, 202);
    const auto verify = mailed_token("mailed token of an address");
    for (const auto& token : {kim, verify, reset + "x"})
        EXPECT_EQ(ask("POST", "/auth/reset-password", {}, Json{{"token", token}, {"password", wrong_password}}.dump()).status, 400);
    EXPECT_EQ(ask("POST", "/auth/verify", {}, Json{{"token", reset}}.dump()).status, 400);
    EXPECT_EQ(ask("POST", "/auth/verify", {}, Json{{"token", verify}}.dump()).status, 200);
    EXPECT_EQ(ask("PATCH", "/users/me", kim, Json{{"password", new_password}}.dump()).status, 200);
    EXPECT_EQ(ask("GET", "/users/me", kim).status, 401);
    const auto again = log_in("kim%40example.kr", new_password);

    // Keys: made, rotated, used, misspelt, revoked.
    const auto made = ask("POST", "/api/keys", again, R"({"name":"k"})").json();
    all["key"] = made.at("key").get<std::string>();
    const auto rotated = ask("POST", "/api/keys/" + made.at("id").get<std::string>() + "/rotate", again).json();
    all["rotated key"] = rotated.at("key").get<std::string>();
    const auto key = all["rotated key"];
    EXPECT_EQ(ask("GET", "/users", key).status, 403);
    EXPECT_EQ(ask("GET", "/v1/models", key + "x").status, 401);
    EXPECT_EQ(ask("GET", "/v1/models?api_key=" + key, {}).status, 401);
    EXPECT_EQ(ask("POST", "/v1/chat/completions", key, "{\"model\":\"" + wrong_password + "\",\"messages\":\"x\"}").status / 100, 4);

    // A provider that fails and tells the key it was given, streamed and not.
    for (const bool stream : {false, true}) {
        const auto answer = ask("POST", "/v1/chat/completions", key,
                                Json{{"model", "scripted"}, {"stream", stream},
                                     {"messages", Json::array({{{"role", "user"}, {"content", "hi"}}})}}.dump());
        EXPECT_GE(answer.status, 500);
    }
    EXPECT_NE(upstream.requests().at(0).header("authorization").find(provider_key), std::string::npos);

    redis.kill();
    EXPECT_EQ(ask("GET", "/v1/models", key).status, 200);
    EXPECT_TRUE(eventually([&] { return server->err().find("redis") != std::string::npos; }));
    redis.start();

    const auto events = all_events(admin);
    EXPECT_NE(events.find("UserLoginFailed"), std::string::npos);
    EXPECT_NE(events.find("ApiKeyRotated"), std::string::npos);
    EXPECT_NE(events.find("PermissionDenied"), std::string::npos);
    const auto metrics = ask("GET", "/metrics", admin);
    EXPECT_EQ(metrics.status, 200);
    EXPECT_EQ(server->terminate(), 0);
    EXPECT_NE(server->err().find("\"level\":\"debug\""), std::string::npos);
    expect_none_in(events, "the events");
    expect_none_in(metrics.body, "the metrics");
    expect_none_in(errors, "the errors");
    expect_none_in(server->err(), "the log");
    expect_none_in(server->out(), "the output");
}

}  // namespace secrets_of_a_run
}  // namespace dure::test
