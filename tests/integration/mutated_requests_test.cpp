// Good requests of many kinds with some of their bytes changed, against the real server: whatever they have become, it answers or
// closes, never with an error of its own, and goes on for others.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "support/mutate.hpp"
#include "support/raw_http.hpp"
#include "support/server_process.hpp"

namespace dure::test {
namespace {

// Each with its body or another part apart: changed alone, what stands around it stays right, and it is read further.
struct Good {
    std::string request;
    std::string part;
};

std::vector<Good> good_requests(const std::string& key)
{
    const auto whole = [](std::string request) { return Good{std::move(request), {}}; };
    const auto posted = [&](std::string_view target, const std::string& body, const RawFields& fields = {}) {
        return Good{raw_request("POST", target, key, body, fields), body};
    };
    const auto asked = [&](const std::string& target) { return Good{raw_request("GET", target, key), target.substr(1)}; };
    const std::string question = R"({"role":"user","content":[{"type":"text","text":"12 * 7을 계산해 줘 😀"}]})";
    return {
        posted("/v1/chat/completions",
               R"({"model":"coe-agent-v1","stream":true,"temperature":0.5,"messages":[)" + question + "]}"),
        posted("/v1/chat/completions",
               R"({"model":"mock","max_tokens":9,"stop":["a"],"tools":[],"messages":[)" + question + "]}",
               {{"X-OpenWebUI-Chat-Id", "c1"}, {"X-OpenWebUI-User-Message-Id", "m1"}}),
        posted("/v1/embeddings", R"({"model":"mock","input":["a","나"],"encoding_format":"base64"})"),
        posted("/api/chat/session", R"({"title":"제목","model":"mock"})"),
        posted("/api/tools/calculator/execute", R"json({"arguments":{"expression":"12 * (3 + 4)"}})json"),
        posted("/api/agent-builder/agentflows",
               R"({"name":"f","flow_data":{"nodes":[{"id":"a","type":"start","data":{}}],"edges":[]}})"),
        asked("/api/chat/sessions?limit=5&cursor=abc"),
        asked("/v1/models"),
        asked("/openapi.json"),
        whole("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + key +
              "\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
              "5;a=b\r\n{\"mod\r\n1d\r\nel\":\"mock\",\"messages\":[{}]}  \r\n0\r\n\r\n"),
        whole("GET /api/events/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
              "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"),
    };
}

std::string nearly(const Good& good, bool part_only, std::mt19937& random)
{
    if (!part_only || good.part.empty())
        return mutated(good.request, random);
    auto changed = mutated(good.part, random);
    auto request = good.request;
    request.replace(request.rfind(good.part), good.part.size(), changed);
    const auto told = "Content-Length: " + std::to_string(good.part.size()) + "\r\n";
    if (const auto at = request.find(told); at != std::string::npos)
        request.replace(at, told.size(), "Content-Length: " + std::to_string(changed.size()) + "\r\n");
    return request;
}

// Everything that comes until the server closes; empty: it closed without a word.
std::string said_to(std::uint16_t port, const std::string& request)
{
    RawClient client(port);
    try {
        client.send(request);
    } catch (const std::exception&) {   // it has closed before all was sent
    }
    client.end_sending();
    return client.read_for(std::chrono::seconds(10));
}

TEST(MutatedRequests, AreAnsweredOrClosedAndNeverAnErrorOfTheServer)
{
    const ServerProcess server;
    const auto good = good_requests(server.key());
    std::mt19937 random(20261122);
    std::map<int, int> seen;
    for (int i = 0; i < 4000; ++i) {
        const auto request = nearly(good[static_cast<std::size_t>(i) % good.size()], i % 2 == 0, random);
        const auto said = said_to(server.port(), request);
        const int status = said.starts_with("HTTP/1.1 ") ? std::atoi(said.c_str() + 9) : 0;
        ++seen[status];
        // Not built, and another version of HTTP: both are what was asked for.
        ASSERT_TRUE(status < 500 || status == 501 || status == 505) << i << ":\n" << request << "\n--- got\n" << said;
    }
    EXPECT_GT(seen[200], 50);
    EXPECT_GT(seen[400], 300);
    EXPECT_EQ(fetch(server.port(), raw_request("GET", "/readyz")).status, 200);
    EXPECT_EQ(fetch(server.port(), raw_request("GET", "/v1/models", server.key())).status, 200);
    EXPECT_EQ(server.err().find("\"level\":\"error\""), std::string::npos) << server.err();
}

}  // namespace
}  // namespace dure::test
