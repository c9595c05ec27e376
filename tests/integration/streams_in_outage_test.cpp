// Streams that are open while PostgreSQL goes and comes back: they go on to their end (threat-model §9).
#include <gtest/gtest.h>

#include "support/openai_script.hpp"
#include "support/raw_http.hpp"
#include "support/scripted_upstream.hpp"
#include "support/server_on_postgres.hpp"

namespace dure::test {
namespace streams_in_outage {

using namespace std::chrono_literals;

// A connection whose answer does not end before the test wants it to.
class Stream {
public:
    Stream(const ServerProcess& server, const std::string& target, std::string more = {}) : client_(server.port())
    {
        client_.send("GET " + target + " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + server.key() +
                     "\r\n" + more + "\r\n");
    }
    bool shows(std::string_view text)
    {
        return eventually([&] {
            seen_ += client_.read_for(50ms);
            return seen_.find(text) != std::string::npos;
        });
    }
    // The server speaks on, with nothing to tell.
    bool is_kept_alive(int times)
    {
        for (; times > 0; --times) {
            seen_.clear();
            if (!shows(": keep-alive\n"))
                return false;
        }
        return true;
    }
    const std::string& seen() const { return seen_; }

private:
    RawClient client_;
    std::string seen_;
};

TEST(StreamsInOutage, GoOnBehindIt)
{
    PostgresProcess database;
    ScriptedUpstream far_side;
    far_side.handle([](const auto&) {
        return Script{await_word(), send(http_answer(200, "application/json", R"({"did":"it"})"))};
    });
    ServerProcess server(on_postgres(database.url(), "[server.limits]\nsse_heartbeat = \"200ms\"\n[egress]\nallow = "
                                                     "[\"127.0.0.1:" +
                                                         std::to_string(far_side.port()) + "\"]\n"));
    const auto node = [](const char* id, const char* type, Json config) {
        return Json{{"id", id}, {"type", type}, {"data", {{"config", std::move(config)}}}};
    };
    const Json flow{
        {"name", "waits"},
        {"nodes",
         {node("start", "start", Json::object()), node("ask", "http", {{"method", "GET"}, {"url", far_side.base()}}),
          node("out", "reply", {{"text", "{{nodes.ask.body.did}}"}})}},
        {"edges", {{{"source", "start"}, {"target", "ask"}}, {{"source", "ask"}, {"target", "out"}}}}};
    const auto made =
        fetch(server.port(), raw_request("POST", "/api/agent-builder/agentflows", server.key(), flow.dump()));
    ASSERT_EQ(made.status, 201) << made.body;
    const auto begun =
        fetch(server.port(),
              raw_request("POST", "/api/agent-builder/flows/" + made.json().at("id").get<std::string>() + "/execute",
                          server.key(), "{}"));
    ASSERT_EQ(begun.status, 202) << begun.body;
    const auto id = begun.json().at("id").get<std::string>();
    Stream log(server, "/api/executions/" + id + "/stream");
    Stream events(server, "/api/events/stream?aggregate_id=" + id);
    Stream socket(server, "/ws/executions/" + id,
                  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
    ASSERT_TRUE(far_side.wait_until([&] { return far_side.request_count() == 1; }));
    ASSERT_TRUE(log.shows("event: status")) << log.seen();
    ASSERT_TRUE(events.shows("text/event-stream")) << events.seen();
    ASSERT_TRUE(socket.shows("101 ")) << socket.seen();
    database.stop();
    EXPECT_EQ(fetch(server.port(), raw_request("GET", "/readyz")).status, 503);
    // Every look into the database fails several times over.
    EXPECT_TRUE(log.is_kept_alive(8)) << log.seen();
    EXPECT_TRUE(events.is_kept_alive(3)) << events.seen();
    far_side.go_on();
    database.start();
    EXPECT_TRUE(log.shows("event: end") && log.shows("\"succeeded\"")) << log.seen();
    EXPECT_TRUE(socket.shows(R"("event":"end")")) << socket.seen();
    EXPECT_TRUE(events.shows("ExecutionCompleted")) << events.seen();
}

}  // namespace streams_in_outage
}  // namespace dure::test
