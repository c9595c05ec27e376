// Executions of two replicas on one PostgreSQL and one Redis: what one began the other shows, streams and ends.
#include <gtest/gtest.h>
#include <signal.h>

#include "support/raw_http.hpp"
#include "support/redis_process.hpp"
#include "support/server_on_postgres.hpp"

namespace dure::test {
namespace execution_replicas {

using namespace std::chrono_literals;

constexpr std::string_view flow_document =
    R"({"name":"two","nodes":[{"id":"start","type":"start","position":{"x":0,"y":0},"data":{"config":{}}},)"
    R"({"id":"a","type":"template","position":{"x":1,"y":0},"data":{"config":{"text":"{{start.message}}"}}},)"
    R"({"id":"ask","type":"human_input","position":{"x":2,"y":0},"data":{"config":{"prompt":"?"}}},)"
    R"({"id":"out","type":"reply","position":{"x":3,"y":0},"data":{"config":{"text":"{{nodes.a.text}}"}}}],)"
    R"("edges":[{"id":"1","source":"start","target":"a"},{"id":"2","source":"a","target":"ask"},)"
    R"({"id":"3","source":"ask","sourceHandle":"approve","target":"out"}]})";

class ExecutionReplicas : public testing::Test {
protected:
    ExecutionReplicas() : key(a.key())
    {
        const auto made = ask(a, "POST", "/api/agent-builder/agentflows", std::string(flow_document));
        EXPECT_EQ(made.status, 201) << made.body;
        flow = made.json().value("id", "");
    }

    static ServerProcess::Options options(const std::string& database, const RedisProcess& redis)
    {
        return on_postgres(database, "[log]\nlevel = \"warn\"\n[redis]\nurl = \"" + redis.url() +
                                         "\"\n[executions]\nlease = \"3s\"\n");
    }
    RawAnswer ask(const ServerProcess& server, std::string_view method, std::string_view target,
                  const std::string& body = "") const
    {
        return fetch(server.port(), raw_request(method, target, key, body));
    }
    std::vector<std::string> start(const ServerProcess& server, int how_many) const
    {
        std::vector<std::string> ids;
        for (int i = 0; i < how_many; ++i) {
            const auto begun = ask(server, "POST", "/api/agent-builder/flows/" + flow + "/execute",
                                   R"({"message":")" + std::to_string(i) + R"("})");
            EXPECT_EQ(begun.status, 202) << begun.body;
            ids.push_back(begun.json().value("id", ""));
        }
        return ids;
    }
    bool reaches(const ServerProcess& server, const std::string& id, const std::string& status) const
    {
        return eventually(
            [&] { return ask(server, "GET", "/api/executions/" + id).json().value("status", "") == status; }, 20s);
    }
    // Every node that came to an end is told once, whoever ran it.
    void check(const ServerProcess& server, const std::string& id) const
    {
        const auto shown = ask(server, "GET", "/api/executions/" + id).json();
        EXPECT_EQ(shown.at("steps").size(), 4u) << shown;
        const auto replayed = ask(server, "GET", "/api/events/replay/" + id + "?aggregate_type=Execution").json();
        EXPECT_EQ(replayed.at("state"), shown);
    }
    void approve(const ServerProcess& server, const std::string& id) const
    {
        const auto path = "/api/executions/" + id + "/resume";
        EXPECT_EQ(ask(server, "POST", path, R"({"action":"approve"})").status, 202);
    }

    const std::string database = fresh_schema();
    RedisProcess redis;
    ServerProcess a{options(database, redis)};
    ServerProcess b{options(database, redis)};
    const std::string key;
    std::string flow;
};

TEST_F(ExecutionReplicas, OneEndsWhatTheKilledOneHadAcknowledged)
{
    const auto ids = start(a, 40);
    a.kill();
    for (const auto& id : ids) {
        ASSERT_TRUE(reaches(b, id, "waiting")) << ask(b, "GET", "/api/executions/" + id).body;
        approve(b, id);
    }
    for (const auto& id : ids) {
        ASSERT_TRUE(reaches(b, id, "succeeded"));
        check(b, id);
    }
}

TEST_F(ExecutionReplicas, AStoppedOneIsOvertakenAndChangesNothingWhenItWakes)
{
    const auto ids = start(a, 40);
    ASSERT_EQ(::kill(a.pid(), SIGSTOP), 0);
    for (const auto& id : ids)
        ASSERT_TRUE(reaches(b, id, "waiting")) << ask(b, "GET", "/api/executions/" + id).body;
    ASSERT_EQ(::kill(a.pid(), SIGCONT), 0);
    for (const auto& id : ids)
        approve(a, id);
    for (const auto& id : ids) {
        ASSERT_TRUE(reaches(a, id, "succeeded"));
        check(b, id);
    }
}

TEST_F(ExecutionReplicas, TheLogOfOneIsReadOnTheOtherAndATicketIsGoodThere)
{
    const auto id = start(a, 1).front();
    ASSERT_TRUE(reaches(b, id, "waiting"));
    const auto ticket = ask(a, "POST", "/ws/ticket").json().value("ticket", "");
    RawClient socket(b.port());
    socket.send("GET /ws/executions/" + id + "?ticket=" + ticket +
                " HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    socket.read_until(R"("seq":1,)");
    approve(a, id);
    EXPECT_NE(socket.read_until(R"("event":"end"},"seq")").find(R"("status":"succeeded")"), std::string::npos);
    EXPECT_EQ(ask(a, "GET", "/api/executions/" + id + "/stream").body,
              ask(b, "GET", "/api/executions/" + id + "/stream").body);
}

}  // namespace execution_replicas
}  // namespace dure::test
