// Rate limits over the wire: what answers tell, refusals in both forms, what is counted and what is not, streams.
#include <gtest/gtest.h>

#include "support/raw_http.hpp"
#include "support/redis_process.hpp"
#include "support/server_process.hpp"

namespace dure::test {
namespace rate_limits {

constexpr const char* tight = R"([log]
level = "warn"
[limits.admin]
chat_per_minute = 3
requests_per_minute = 8
streams = 1
[limits.anonymous]
requests_per_minute = 5
)";

std::string question(bool stream = false)
{
    return Json({{"model", "mock"},
                 {"stream", stream},
                 {"messages", Json::array({{{"role", "user"}, {"content", "Tell me a long story about a river."}}})}})
        .dump();
}

RawAnswer chat(const ServerProcess& server)
{
    return fetch(server.port(), raw_request("POST", "/v1/chat/completions", server.key(), question()));
}

RawAnswer get(const ServerProcess& server, std::string_view target, bool with_key, const RawFields& fields = {})
{
    return fetch(server.port(), raw_request("GET", target, with_key ? server.key() : "", {}, fields));
}

TEST(RateLimits, AFrameOfAWebSocketIsCountedAsARequest)
{
    const ServerProcess server({.configuration = tight});
    const auto post = [&](const std::string& path, const std::string& body) {
        return fetch(server.port(), raw_request("POST", path, server.key(), body)).json();
    };
    const auto flow = post("/api/agent-builder/agentflows",
                           R"({"name":"asks","nodes":[{"id":"start","type":"start"},{"id":"ask","type":"human_input",)"
                           R"("data":{"config":{"prompt":"go?"}}}],"edges":[{"source":"start","target":"ask"}]})");
    const auto execution =
        post("/api/agent-builder/flows/" + flow.at("id").get<std::string>() + "/execute?wait=true", "{}");
    ASSERT_EQ(execution.at("status"), "waiting") << execution;
    RawClient socket(server.port());
    socket.send(raw_request("GET", "/ws/executions/" + execution.at("id").get<std::string>(), server.key(), {},
                            {{"Connection", "Upgrade"},
                             {"Upgrade", "websocket"},
                             {"Sec-WebSocket-Version", "13"},
                             {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}}));
    socket.read_until("101 Switching");
    const std::string answer = R"({"type":"resume","node_id":"nobody"})";
    std::string frames;
    for (int i = 0; i < 8; ++i)
        frames += std::string{static_cast<char>(0x81), static_cast<char>(0x80 | answer.size())} + std::string(4, '\0') +
                  answer;
    socket.send(frames);
    const auto seen = socket.read_until("rate_limit_exceeded");
    EXPECT_NE(seen.find("not_waiting"), std::string::npos) << "the first are obeyed: " << seen;
}

TEST(RateLimits, AnswersTellWhatIsLeftAndRefusalsWhenToComeBack)
{
    const ServerProcess server({.configuration = tight});
    for (int left = 2; left >= 0; --left) {
        const auto answer = chat(server);
        EXPECT_EQ(answer.status, 200) << answer.body;
        EXPECT_EQ(answer.header("ratelimit-limit"), "3");
        EXPECT_EQ(answer.header("ratelimit-remaining"), std::to_string(left));
        EXPECT_GT(std::atoi(answer.header("ratelimit-reset").c_str()), 0);
    }
    const auto refused = chat(server);
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(refused.header("ratelimit-remaining"), "0");
    const auto pause = std::atoi(refused.header("retry-after").c_str());
    EXPECT_TRUE(pause >= 1 && pause <= 20) << refused.header("retry-after");
    EXPECT_EQ(refused.json().at("error").at("code"), "rate_limit_exceeded");
    EXPECT_EQ(refused.json().at("error").at("type"), "rate_limit_error");

    const auto native =
        fetch(server.port(), raw_request("POST", "/api/chat/message", server.key(), R"({"message":"hi"})"));
    EXPECT_EQ(native.status, 429) << "another route, the same bucket: " << native.body;
    EXPECT_EQ(native.header("content-type"), "application/problem+json");
    EXPECT_EQ(native.json().at("code"), "rate_limit_exceeded");
    EXPECT_FALSE(native.header("retry-after").empty());

    EXPECT_EQ(get(server, "/v1/models", true).status, 200) << "asking no model is still allowed";
    const auto metrics = get(server, "/metrics", true);
    EXPECT_NE(metrics.body.find("\ndure_rate_limited_total{scope=\"requests\"} 2\n"), std::string::npos);
}

TEST(RateLimits, ARefusalDoesNotWaitForTheBody)
{
    const ServerProcess server({.configuration = tight});
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(chat(server).status, 200);
    RawClient client(server.port());
    auto head = raw_request("POST", "/v1/chat/completions", server.key(), question());
    client.send(head.substr(0, head.find("\r\n\r\n") + 4));   // the body never comes
    EXPECT_EQ(client.read_answer().status, 429);
}

TEST(RateLimits, EveryRequestOfACallerCounts)
{
    const ServerProcess server({.configuration = tight});
    int allowed = 0;
    for (int i = 0; i < 12; ++i)   // allowed, not there, and not taken alike
        allowed += get(server,
                       i % 3 == 0   ? "/v1/models"
                       : i % 3 == 1 ? "/v1/models/none"
                                    : "/api/chat/sessions",
                       true)
                       .status != 429;
    EXPECT_EQ(allowed, 8);
    EXPECT_EQ(get(server, "/v1/models", false).status, 401) << "a caller without a key is told so";
}

TEST(RateLimits, OpenRoutesAreLimitedByAddressHoweverItIsSpelled)
{
    const ServerProcess server({.configuration = tight});
    int allowed = 0;
    for (int i = 0; i < 9; ++i)
        allowed += get(server, i % 2 == 0 ? "/openapi.json" : "/openapi%2ejson", false,
                       {{"X-Forwarded-For", "192.0.2." + std::to_string(i)}, {"X-Real-IP", "192.0.2.1"}})
                       .status == 200;
    EXPECT_EQ(allowed, 5);
    const auto refused = get(server, "/", false);
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(refused.json().at("code"), "rate_limit_exceeded");
    for (int i = 0; i < 50; ++i) {
        const auto health = get(server, "/healthz", false);
        EXPECT_EQ(health.status, 200);
        EXPECT_EQ(health.header("ratelimit-limit"), "");
    }
    EXPECT_EQ(get(server, "/readyz", false).status, 200);
}

TEST(RateLimits, AStreamHoldsItsPlaceUntilItEndsOrItsReaderLeaves)
{
    const ServerProcess server({.configuration = "[log]\nlevel = \"warn\"\n[limits.admin]\nstreams = 1\n"
                                                 "[models]\nmock_delay = \"20ms\"\n"});
    const auto request = raw_request("POST", "/v1/chat/completions", server.key(), question(true));
    RawClient reading(server.port());
    reading.send(request);
    reading.read_until("data: ");
    const auto refused = fetch(server.port(), request);
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(refused.header("retry-after"), "1");
    EXPECT_EQ(refused.json().at("error").at("code"), "rate_limit_exceeded");
    EXPECT_EQ(chat(server).status, 200) << "what is no stream needs no place";
    EXPECT_NE(get(server, "/metrics", true).body.find("\ndure_rate_limited_total{scope=\"streams\"} 1\n"),
              std::string::npos);
    reading.leave();
    EXPECT_TRUE(eventually([&] { return fetch(server.port(), request).status == 200; }));   // and read to its end
    EXPECT_EQ(fetch(server.port(), request).status, 200);
}

TEST(RateLimits, HoldAcrossReplicasThatShareARedis)
{
    const RedisProcess redis;
    const auto configuration = tight + std::string("[redis]\nurl = \"") + redis.url() + "\"\n";
    const ServerProcess a({.configuration = configuration});
    const ServerProcess b({.configuration = configuration});
    int allowed = 0;
    for (int i = 0; i < 10; ++i)
        allowed += get(i % 2 == 0 ? a : b, "/", false).status == 200;
    EXPECT_EQ(allowed, 5);
}

}  // namespace rate_limits
}  // namespace dure::test
