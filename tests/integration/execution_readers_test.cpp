// Readers of an execution's log who lose their connection every few dozen milliseconds, wherever they are in a frame, and come back
// behind the last whole event they saw, now to one replica, now to the other, by SSE and by WebSocket, while it runs, waits and
// after its end: each sees every event once, in order.
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "support/raw_http.hpp"
#include "support/redis_process.hpp"
#include "support/server_on_postgres.hpp"

namespace dure::test {
namespace execution_readers {

using namespace std::chrono_literals;

// Two answers of a model, token by token, with a question to a person between them.
constexpr std::string_view flow_document =
    R"({"name":"talks","nodes":[{"id":"start","type":"start","position":{"x":0,"y":0},"data":{"config":{}}},)"
    R"({"id":"a","type":"llm","position":{"x":1,"y":0},"data":{"config":{"model":"mock","prompt":"{{start.message}}"}}},)"
    R"({"id":"ask","type":"human_input","position":{"x":2,"y":0},"data":{"config":{"prompt":"?"}}},)"
    R"({"id":"b","type":"llm","position":{"x":3,"y":0},"data":{"config":{"model":"mock","prompt":"{{start.message}}"}}},)"
    R"({"id":"out","type":"reply","position":{"x":4,"y":0},"data":{"config":{"text":"{{nodes.b.text}}"}}}],)"
    R"("edges":[{"id":"1","source":"start","target":"a"},{"id":"2","source":"a","target":"ask"},)"
    R"({"id":"3","source":"ask","sourceHandle":"approve","target":"b"},{"id":"4","source":"b","target":"out"}]})";
constexpr std::string_view configuration = "[log]\nlevel = \"warn\"\n[models]\nmock_delay = \"20ms\"\n"
                                           "[limits.admin]\nrequests_per_minute = 1000000\nstreams = 1000\n"
                                           "[limits.developer]\nrequests_per_minute = 1000000\nstreams = 1000\n";

struct Event {
    std::int64_t seq = 0;
    std::string mode;
    Json data;
    bool operator==(const Event&) const = default;
};
void PrintTo(const Event& event, std::ostream* out)
{
    *out << event.seq << " " << event.mode << " " << event.data;
}

struct Seen {
    std::vector<Event> events;
    bool ended = false;  // the end of the execution was told
};

bool tells_the_end(const Json& end)
{
    return end.at("status") != "waiting";
}

// Of a chunked answer that may be cut anywhere, what its whole chunks hold.
std::string whole_chunks(const std::string& answer)
{
    std::string body;
    auto at = answer.find("\r\n\r\n");
    for (at = at == std::string::npos ? answer.size() : at + 4; at < answer.size();) {
        const auto line = answer.find("\r\n", at);
        if (line == std::string::npos)
            break;
        const auto size = std::strtoul(answer.c_str() + at, nullptr, 16);
        if (line + 2 + size + 2 > answer.size())
            break;
        body.append(answer, line + 2, size);
        at = line + 2 + size + 2;
    }
    return body;
}

void take_sse(const std::string& body, Seen& seen)
{
    Event event;
    for (std::size_t at = 0; at < body.size();) {
        const auto end = body.find('\n', at);
        if (end == std::string::npos)
            return;
        const auto line = body.substr(at, end - at);
        at = end + 1;
        if (line.starts_with("event: "))
            event.mode = line.substr(7);
        else if (line.starts_with("id: "))
            event.seq = std::stoll(line.substr(4));
        else if (line.starts_with("data: "))
            event.data = Json::parse(line.substr(6));
        else if (line.empty() && event.mode == "end")
            seen.ended = tells_the_end(event.data);
        else if (line.empty() && event.seq > 0)
            seen.events.push_back(std::exchange(event, {}));
        if (line.empty())
            event = {};
    }
}

void take_frames(const std::string& answer, Seen& seen)
{
    const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(answer[i])); };
    auto at = answer.find("\r\n\r\n");
    for (at = at == std::string::npos ? answer.size() : at + 4; at + 2 <= answer.size();) {
        std::size_t size = byte(at + 1), head = 2;
        if (size >= 126) {
            head = size == 126 ? 4 : 10;
            if (at + head > answer.size())
                return;
            size = 0;
            for (std::size_t i = 2; i < head; ++i)
                size = size << 8 | byte(at + i);
        }
        if (at + head + size > answer.size())
            return;
        if ((byte(at) & 0x0f) == 1) {
            const auto frame = Json::parse(answer.substr(at + head, size));
            const auto& data = frame.at("data");
            if (data.at("event") == "end")
                seen.ended = tells_the_end(data.at("data"));
            else
                seen.events.push_back(
                    {frame.at("seq").get<std::int64_t>(), data.at("event").get<std::string>(), data.at("data")});
        }
        at += head + size;
    }
}

class ExecutionReaders : public testing::TestWithParam<std::string> {
protected:
    ExecutionReaders()
    {
        if (GetParam() == "sqlite") {
            servers.push_back(
                std::make_unique<ServerProcess>(ServerProcess::Options{.configuration = std::string(configuration)}));
        } else {
            redis = std::make_unique<RedisProcess>();
            const auto database = fresh_schema();
            for (int i = 0; i < 2; ++i)
                servers.push_back(std::make_unique<ServerProcess>(
                    on_postgres(database, std::string(configuration) + "[redis]\nurl = \"" + redis->url() + "\"\n")));
        }
        key = servers.front()->key();
        const auto made = ask("POST", "/api/agent-builder/agentflows", std::string(flow_document));
        EXPECT_EQ(made.status, 201) << made.body;
        flow = made.json().value("id", "");
    }

    RawAnswer ask(std::string_view method, std::string_view target, const std::string& body = "") const
    {
        return fetch(servers.front()->port(), raw_request(method, target, key, body));
    }
    std::string started() const
    {
        const auto begun = ask("POST", "/api/agent-builder/flows/" + flow + "/execute",
                               R"({"message":"one two three four five six seven eight nine ten eleven twelve"})");
        EXPECT_EQ(begun.status, 202) << begun.body;
        return begun.json().value("id", "");
    }
    std::string status_of(const std::string& id) const
    {
        return ask("GET", "/api/executions/" + id).json().value("status", "");
    }

    std::string answered(std::uint16_t port, const std::string& request, std::chrono::milliseconds time) const
    {
        RawClient client(port);
        client.send(request);
        return client.read_for(time);
    }
    // One connection, left after `time`.
    void read_on(const std::string& id, bool by_socket, std::uint16_t port, std::chrono::milliseconds time,
                 Seen& seen) const
    {
        const auto last = std::to_string(seen.events.empty() ? 0 : seen.events.back().seq);
        if (!by_socket) {
            const RawFields fields = last == "0" ? RawFields() : RawFields{{"Last-Event-ID", last}};
            const auto request = raw_request("GET", "/api/executions/" + id + "/stream", key, "", fields);
            return take_sse(whole_chunks(answered(port, request, time)), seen);
        }
        const auto request = raw_request("GET", "/ws/executions/" + id + "?after=" + last, key, "",
                                         {{"Connection", "Upgrade"},
                                          {"Upgrade", "websocket"},
                                          {"Sec-WebSocket-Version", "13"},
                                          {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}});
        take_frames(answered(port, request, time), seen);
    }
    // Comes back until the end was told.
    Seen read_in_pieces(const std::string& id, unsigned seed, int& connections) const
    {
        std::minstd_rand random(seed);
        Seen seen;
        const auto end = std::chrono::steady_clock::now() + 60s;
        for (connections = 0; !seen.ended && std::chrono::steady_clock::now() < end; ++connections) {
            const auto& server = servers[random() % servers.size()];
            read_on(id, seed % 2 == 0, server->port(), std::chrono::milliseconds(random() % 100), seen);
        }
        return seen;
    }

    std::unique_ptr<RedisProcess> redis;
    std::vector<std::unique_ptr<ServerProcess>> servers;
    std::string key, flow;
};

TEST_P(ExecutionReaders, WhoComeBackAgainAndAgainSeeEachEventOnceInOrder)
{
    const auto seed = std::random_device{}() & 0xffff;
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto id = started();
    constexpr int readers = 8;
    std::vector<Seen> seen(readers);
    std::vector<int> connections(readers);
    std::atomic<bool> waits{false};
    std::vector<std::thread> threads;
    for (int i = 0; i < readers; ++i)
        threads.emplace_back([&, i] {
            if (i >= readers / 2)  // comes when it waits already
                EXPECT_TRUE(eventually([&] { return waits.load(); }));
            seen[i] = read_in_pieces(id, seed + static_cast<unsigned>(i), connections[i]);
        });
    EXPECT_TRUE(eventually([&] { return status_of(id) == "waiting"; }));
    waits = true;
    EXPECT_EQ(ask("POST", "/api/executions/" + id + "/resume", R"({"action":"approve"})").status, 202);
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(status_of(id), "succeeded");

    Seen all;  // in one go, after the end, from the other replica
    const auto whole = fetch(servers.back()->port(), raw_request("GET", "/api/executions/" + id + "/stream", key));
    take_sse(whole.body, all);
    ASSERT_GT(all.events.size(), 30u);
    for (std::size_t i = 0; i < all.events.size(); ++i)
        EXPECT_EQ(all.events[i].seq, static_cast<std::int64_t>(i) + 1);
    seen.push_back(read_in_pieces(id, seed, connections.emplace_back()));  // both ways once more, of an ended one
    seen.push_back(read_in_pieces(id, seed + 1, connections.emplace_back()));
    int most = 0;
    for (std::size_t i = 0; i < seen.size(); ++i) {
        EXPECT_TRUE(seen[i].ended) << i;
        EXPECT_EQ(seen[i].events, all.events) << i;
        most = std::max(most, connections[i]);
    }
    EXPECT_GE(most, 5) << "nobody lost a connection";
}

INSTANTIATE_TEST_SUITE_P(Databases, ExecutionReaders, testing::Values("sqlite", "postgres"),
                         [](const auto& info) { return info.param; });

}  // namespace execution_readers
}  // namespace dure::test
