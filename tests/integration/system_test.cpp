// The public system routes, and the two error forms of everything that is refused before a handler runs.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "support/raw_http.hpp"
#include "support/server_process.hpp"

namespace dure::test {
namespace system_routes {

class SystemRoutes : public testing::Test {
protected:
    ServerProcess server;

    RawAnswer ask(std::string_view method, std::string_view target, std::string_view key = {},
                  std::string_view body = {}, const RawFields& fields = {}) const
    {
        return fetch(server.port(), raw_request(method, target, key, body, fields));
    }
};

TEST_F(SystemRoutes, HealthAndReadinessAnswerWithoutAKey)
{
    for (const auto* target : {"/healthz", "/readyz"}) {
        const auto answer = ask("GET", target);
        EXPECT_EQ(answer.status, 200) << target;
        EXPECT_FALSE(answer.json().at("status").get<std::string>().empty());
        EXPECT_FALSE(answer.header("x-request-id").empty());
    }
}

TEST_F(SystemRoutes, TheRootNamesTheServer)
{
    const auto answer = ask("GET", "/");
    EXPECT_EQ(answer.status, 200);
    EXPECT_FALSE(answer.json().at("version").get<std::string>().empty());
}

TEST_F(SystemRoutes, HeadAnswersLikeGetWithoutABody)
{
    RawClient client(server.port());
    client.send(raw_request("HEAD", "/healthz"));
    const auto answer = client.read_answer(true);
    EXPECT_EQ(answer.status, 200);
    EXPECT_NE(answer.header("content-length"), "0");
    client.send(raw_request("GET", "/healthz"));   // a body behind HEAD would be read as this one's head
    EXPECT_EQ(client.read_answer().status, 200);
}

TEST_F(SystemRoutes, MetricsNeedAKeyAndCountChatRequests)
{
    EXPECT_EQ(ask("GET", "/metrics").status, 401);
    const auto chat = ask("POST", "/v1/chat/completions", server.key(),
                          R"({"model":"mock","messages":[{"role":"user","content":"hi"}]})");
    ASSERT_EQ(chat.status, 200) << chat.body;
    RawAnswer metrics;
    EXPECT_TRUE(eventually([&] {   // counted behind the answer
        metrics = ask("GET", "/metrics", server.key());
        return metrics.body.find("\nchat_requests_total{") != std::string::npos;
    }));
    EXPECT_EQ(metrics.status, 200);
    EXPECT_TRUE(metrics.header("content-type").starts_with("text/plain"));
    const auto line = metrics.body.find("\nchat_requests_total{");
    ASSERT_NE(line, std::string::npos) << metrics.body;
    const auto text = metrics.body.substr(line, metrics.body.find('\n', line + 1) - line);
    EXPECT_NE(text.find("model=\"mock\""), std::string::npos) << text;
    EXPECT_NE(text.find("status=\"200\""), std::string::npos) << text;
    EXPECT_NE(metrics.body.find("chat_response_duration_seconds_bucket{"), std::string::npos);
    EXPECT_NE(metrics.body.find("gen_ai_server_request_duration_seconds_count{"), std::string::npos);
}

TEST_F(SystemRoutes, ChatsRefusedBeforeTheServiceAreCountedToo)
{
    const std::string made_up = R"({"model":"made-up","messages":7})";
    EXPECT_EQ(ask("POST", "/v1/chat/completions", server.key(), made_up).status, 400);
    EXPECT_EQ(ask("POST", "/v1/chat/completions", server.key(), "{").status, 400);
    EXPECT_EQ(ask("POST", "/v1/chat/completions", {}, made_up).status, 401);
    EXPECT_EQ(ask("POST", "/api/chat/message", server.key(), R"({"message":""})").status, 422);
    EXPECT_EQ(ask("POST", "/api/chat/message/stream", server.key(), R"({"message":"a","temperature":3})").status, 422);
    EXPECT_EQ(ask("POST", "/v1/embeddings", server.key(), "{").status, 400);   // no chat
    EXPECT_EQ(ask("GET", "/v1/chat/completions", server.key()).status, 405);
    const auto metrics = ask("GET", "/metrics", server.key()).body;
    const auto counted = [&](const std::string& endpoint, const std::string& status, const std::string& times) {
        return metrics.find("\nchat_requests_total{endpoint=\"" + endpoint + "\",model=\"other\",status=\"" + status +
                            "\"} " + times + "\n") != std::string::npos;
    };
    EXPECT_TRUE(counted("/v1/chat/completions", "400", "2")) << metrics;
    EXPECT_TRUE(counted("/v1/chat/completions", "401", "1"));
    EXPECT_TRUE(counted("/api/chat/message", "422", "1"));
    EXPECT_TRUE(counted("/api/chat/message/stream", "422", "1"));
    EXPECT_EQ(metrics.find("made-up"), std::string::npos);
    EXPECT_EQ(metrics.find("chat_response_duration_seconds_count{"), std::string::npos) << "no answer was made";
}

TEST_F(SystemRoutes, TheFirstTokenOfAStreamIsTimedAsItsClientSeesIt)
{
    const auto chat = ask("POST", "/v1/chat/completions", server.key(),
                          R"({"model":"mock","stream":true,"messages":[{"role":"user","content":"hi"}]})");
    ASSERT_EQ(chat.status, 200) << chat.body;
    std::string line;
    EXPECT_TRUE(eventually([&] {
        const auto metrics = ask("GET", "/metrics", server.key()).body;
        const auto at = metrics.find("\ngen_ai_server_time_to_first_token_seconds_count{");
        line = at == std::string::npos ? "" : metrics.substr(at + 1, metrics.find('\n', at + 1) - at - 1);
        return line.ends_with(" 1");
    })) << line;
    EXPECT_NE(line.find(R"(gen_ai_request_model="mock")"), std::string::npos) << line;
}

TEST_F(SystemRoutes, TheOpenApiDocumentNamesEveryChatRoute)
{
    const auto answer = ask("GET", "/openapi.json");
    ASSERT_EQ(answer.status, 200);
    const auto document = answer.json();
    EXPECT_TRUE(document.at("openapi").get<std::string>().starts_with("3.1"));
    for (const auto* path :
         {"/v1/chat/completions", "/v1/models", "/v1/embeddings", "/api/chat/session", "/api/chat/message",
          "/api/chat/message/stream", "/api/chat/history/{session_id}", "/healthz"})
        EXPECT_TRUE(document.at("paths").contains(path)) << path;
    std::set<std::string> ids;
    for (const auto& [path, operations] : document.at("paths").items())
        for (const auto& [method, operation] : operations.items())
            EXPECT_TRUE(ids.insert(operation.at("operationId").get<std::string>()).second) << method << " " << path;
}

TEST_F(SystemRoutes, TheOpenApiCommandPrintsTheServedDocument)
{
    const auto printed = server.run({"openapi"});
    EXPECT_EQ(printed.code, 0);
    EXPECT_EQ(Json::parse(printed.out), ask("GET", "/openapi.json").json());
}

struct Refused {
    const char* name;
    const char* method;
    const char* target;
    const char* body;
    RawFields fields;
    bool with_key;
    int status;
    const char* code;   // of the OpenAI form; empty: not compared
};

TEST_F(SystemRoutes, WhatIsRefusedHasTheErrorFormOfItsRoute)
{
    const RawFields wrong_key{{"Authorization", "Bearer dk_00000000000000000000000000000000000000000000000000"}};
    const RawFields no_bearer{{"Authorization", "Basic ZHVyZTpkdXJl"}};
    const RawFields text{{"Content-Type", "text/plain"}};
    const RawFields two_types{{"Content-Type", "application/json"}, {"Content-Type", "text/plain"}};
    const RawFields encoded{{"Content-Encoding", "gzip"}};
    const RawFields encoded_twice{{"Content-Encoding", "identity"}, {"Content-Encoding", "gzip"}};
    const std::vector<Refused> cases{
        {"no key", "GET", "/v1/models", "", {}, false, 401, "invalid_api_key"},
        {"a wrong key", "GET", "/v1/models", "", wrong_key, false, 401, "invalid_api_key"},
        {"another scheme", "GET", "/v1/models", "", no_bearer, false, 401, "invalid_api_key"},
        {"no key, chat", "POST", "/v1/chat/completions", "{}", {}, false, 401, "invalid_api_key"},
        {"no key, native", "GET", "/api/chat/sessions", "", {}, false, 401, ""},
        {"a wrong key, native", "POST", "/api/chat/message", "{}", wrong_key, false, 401, ""},
        {"unknown path without a key", "GET", "/v1/nothing", "", {}, false, 401, "invalid_api_key"},
        {"unknown native path without a key", "GET", "/api/nothing", "", {}, false, 401, ""},
        {"method without a key", "DELETE", "/v1/models", "", {}, false, 401, "invalid_api_key"},
        {"two credentials", "GET", "/v1/models", "", wrong_key, true, 400, "two_credentials"},
        {"two credentials, native", "GET", "/api/chat/sessions", "", wrong_key, true, 400, ""},
        {"unknown path", "GET", "/v1/nothing", "", {}, true, 404, "unknown_url"},
        {"unknown native path", "GET", "/api/nothing", "", {}, true, 404, ""},
        {"a byte that no path has", "GET", "/v1/models/\xed\x95\x9c", "", {}, true, 400, ""},
        {"a byte that no path has, native", "GET", "/api/chat/\xed\x95\x9c", "", {}, true, 400, ""},
        {"method of /v1", "DELETE", "/v1/models", "", {}, true, 405, ""},
        {"method of /api", "PUT", "/api/chat/session", "{}", {}, true, 405, ""},
        {"type of /v1", "POST", "/v1/chat/completions", "hello", text, true, 415, ""},
        {"type of /api", "POST", "/api/chat/message", "hello", text, true, 415, ""},
        {"a second type", "POST", "/api/chat/message", "{}", two_types, true, 415, ""},
        {"encoded", "POST", "/v1/chat/completions", "{}", encoded, true, 415, ""},
        {"encoded behind a harmless field", "POST", "/api/chat/message", "{}", encoded_twice, true, 415, ""},
        {"not JSON, /v1", "POST", "/v1/chat/completions", "{\"model\":", {}, true, 400, ""},
        {"not JSON, /api", "POST", "/api/chat/message", "{\"message\":", {}, true, 400, ""},
        {"unknown model",
         "POST",
         "/v1/chat/completions",
         R"({"model":"none","messages":[{"role":"user","content":"x"}]})",
         {},
         true,
         404,
         "model_not_found"},
        {"unknown query parameter", "GET", "/api/chat/sessions?colour=red", "", {}, true, 422, ""},
    };
    for (const auto& one : cases) {
        SCOPED_TRACE(one.name);
        const auto answer = ask(one.method, one.target, one.with_key ? server.key() : "", one.body, one.fields);
        EXPECT_EQ(answer.status, one.status) << answer.body;
        EXPECT_FALSE(answer.header("x-request-id").empty());
        EXPECT_EQ(answer.header("cache-control"), "no-store");
        if (std::string_view(one.target).starts_with("/v1/")) {
            EXPECT_TRUE(answer.header("content-type").starts_with("application/json"));
            const auto error = answer.json().at("error");
            EXPECT_FALSE(error.at("message").get<std::string>().empty());
            EXPECT_TRUE(error.at("type").is_string());
            EXPECT_TRUE(error.contains("param"));
            EXPECT_TRUE(error.contains("code"));
            if (*one.code != '\0')
                EXPECT_EQ(error.at("code"), one.code);
        } else {
            EXPECT_TRUE(answer.header("content-type").starts_with("application/problem+json"));
            EXPECT_EQ(answer.json().at("status"), one.status);
            EXPECT_TRUE(answer.json().at("detail").is_string());
            EXPECT_EQ(answer.json().at("request_id"), answer.header("x-request-id"));
        }
        if (one.status == 405)
            EXPECT_FALSE(answer.header("allow").empty());
        if (one.status == 401)
            EXPECT_FALSE(answer.header("www-authenticate").empty());
    }
}

TEST_F(SystemRoutes, ABodyThatSaysItIsTooLongIsRefusedBeforeItIsRead)
{
    const std::vector<std::pair<const char*, std::size_t>> limits{{"/v1/chat/completions", (32u << 20) + 1},
                                                                  {"/api/chat/message", (1u << 20) + 1}};
    for (const auto& [target, length] : limits) {
        SCOPED_TRACE(target);
        RawClient client(server.port());
        client.send("POST " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " +
                    server.key() + "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(length) +
                    "\r\n\r\n");
        const auto answer = client.read_answer();
        EXPECT_EQ(answer.status, 413);
        EXPECT_TRUE(answer.json().contains(std::string_view(target).starts_with("/v1/") ? "error" : "detail"));
    }
}

TEST_F(SystemRoutes, AnErrorAfterAReadBodyLeavesTheConnectionOpen)
{
    RawClient client(server.port());
    client.send(raw_request("POST", "/v1/chat/completions", server.key(), "{}"));
    EXPECT_EQ(client.read_answer().status, 400);
    client.send(raw_request("GET", "/healthz"));
    EXPECT_EQ(client.read_answer().status, 200);
}

TEST_F(SystemRoutes, OptionsNamesTheMethodsOfAnAddress)
{
    const auto answer = ask("OPTIONS", "/v1/models");
    EXPECT_EQ(answer.status, 204);
    EXPECT_EQ(answer.header("allow"), "GET, HEAD, OPTIONS");
    EXPECT_EQ(answer.body, "");
}

TEST(CrossOrigin, PreflightNeedsNoKeyAndEchoesTheAskedNames)
{
    const ServerProcess server({.configuration = "[server]\ncors_origins = [\"https://chat.example\"]\n"});
    const auto answer =
        fetch(server.port(), raw_request("OPTIONS", "/v1/chat/completions", {}, {},
                                         {{"Origin", "https://chat.example"},
                                          {"Access-Control-Request-Method", "POST"},
                                          {"Access-Control-Request-Headers", "authorization,x-stainless-lang"}}));
    EXPECT_TRUE(answer.status == 204 || answer.status == 200);
    EXPECT_EQ(answer.header("access-control-allow-origin"), "https://chat.example");
    EXPECT_NE(answer.header("access-control-allow-headers").find("x-stainless-lang"), std::string::npos);
    EXPECT_NE(answer.header("access-control-allow-methods").find("POST"), std::string::npos);
    EXPECT_NE(answer.header("vary").find("Origin"), std::string::npos);
}

TEST(CrossOrigin, ErrorsCarryTheOriginAndStrangersGetNone)
{
    const ServerProcess server({.configuration = "[server]\ncors_origins = [\"https://chat.example\"]\n"});
    const auto known =
        fetch(server.port(), raw_request("GET", "/v1/models", {}, {}, {{"Origin", "https://chat.example"}}));
    EXPECT_EQ(known.status, 401);
    EXPECT_EQ(known.header("access-control-allow-origin"), "https://chat.example");
    const auto stranger =
        fetch(server.port(), raw_request("GET", "/v1/models", server.key(), {}, {{"Origin", "https://evil.example"}}));
    EXPECT_EQ(stranger.header("access-control-allow-origin"), "");
}

// Without the headers a browser shows its page a network error in place of what the server said.
TEST(CrossOrigin, SoDoErrorsOfTheHeadBeforeAnyRouteHasIt)
{
    const ServerProcess server({.configuration = "[server]\ncors_origins = [\"https://chat.example\"]\n"});
    const auto refused = [&](const std::string& fields) {
        RawClient client(server.port());
        client.send("GET /v1/models HTTP/1.1\r\nHost: localhost\r\n" + fields + "\r\n");
        return client.read_answer();
    };
    const std::string own = "Origin: https://chat.example\r\n";
    for (const auto& [fields, status] : {std::pair(own + "X A: 1\r\n", 400),
                                         std::pair(own + "X-A: " + std::string(33 * 1024, 'a') + "\r\n", 431)}) {
        const auto answer = refused(fields);
        EXPECT_EQ(answer.status, status);
        EXPECT_EQ(answer.header("access-control-allow-origin"), "https://chat.example");
        EXPECT_NE(answer.header("access-control-expose-headers").find("x-request-id"), std::string::npos);
        EXPECT_EQ(answer.header("vary"), "Origin");
    }
    const auto stranger = refused("Origin: https://evil.example\r\nX A: 1\r\n");
    EXPECT_EQ(stranger.status, 400);
    EXPECT_EQ(stranger.header("access-control-allow-origin"), "");
}

}  // namespace system_routes
}  // namespace dure::test
