// What a stop meets that is not at its best: a database that is away, a client that waits, signals that come meanwhile.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "support/openai_script.hpp"
#include "support/raw_http.hpp"
#include "support/scripted_upstream.hpp"
#include "support/server_on_postgres.hpp"

namespace dure::test {
namespace stop_of_the_server {

using namespace std::chrono_literals;

// A flow whose node waits for the far side, which never answers.
class Waiting {
public:
    std::string configuration() const
    {
        return "[server]\nshutdown_deadline = \"2s\"\n[egress]\nallow = [\"127.0.0.1:" +
               std::to_string(far_side_.port()) + "\"]\n";
    }
    std::string flow_on(const ServerProcess& server)
    {
        const auto node = [](const char* id, const char* type, Json config) {
            return Json{{"id", id}, {"type", type}, {"data", {{"config", std::move(config)}}}};
        };
        const Json flow{{"name", "waits"},
                        {"nodes",
                         {node("start", "start", Json::object()),
                          node("ask", "http", {{"method", "GET"}, {"url", far_side_.base()}}),
                          node("out", "reply", {{"text", "{{nodes.ask.body.did}}"}})}},
                        {"edges", {{{"source", "start"}, {"target", "ask"}}, {{"source", "ask"}, {"target", "out"}}}}};
        const auto made =
            fetch(server.port(), raw_request("POST", "/api/agent-builder/agentflows", server.key(), flow.dump()));
        EXPECT_EQ(made.status, 201) << made.body;
        far_side_.handle([](const auto&) { return Script{await_peer_close(60s)}; });
        return "/api/agent-builder/flows/" + made.json().value("id", "") + "/execute";
    }
    bool is_asked()
    {
        return far_side_.wait_until([&] { return far_side_.request_count() > 0; });
    }

private:
    ScriptedUpstream far_side_;
};

// The time beside the deadline, for what the database is asked for when it is over: a statement that was sent to a frozen server is
// given up after 6 s, what it cannot be sent at all after 1.2 s.
constexpr auto slack = 9s;

class StopWithoutDatabase : public testing::TestWithParam<bool> {};

TEST_P(StopWithoutDatabase, EndsWithinItsDeadline)
{
    const bool freezes = GetParam();
    PostgresProcess database;
    Waiting waiting;
    ScriptedUpstream model;
    model.handle([](const auto&) {
        auto script = completion_script("fine");
        script.insert(script.begin(), await_word());
        return script;
    });
    ServerProcess server(on_postgres(
        database.url(), waiting.configuration() + "[[providers]]\nname = \"up\"\nbase_url = \"" + model.base() +
                            "/v1\"\n[[model]]\nid = \"scripted\"\ntargets = [\"up/scripted\"]\n"));
    RawClient client(server.port());
    client.send(raw_request("POST", "/v1/chat/completions", server.key(),
                            R"({"model":"scripted","messages":[{"role":"user","content":"x"}]})"));
    ASSERT_TRUE(model.wait_until([&] { return model.request_count() == 1; }));
    const auto begun = fetch(server.port(), raw_request("POST", waiting.flow_on(server), server.key(), "{}"));
    ASSERT_EQ(begun.status, 202) << begun.body;
    ASSERT_TRUE(waiting.is_asked());
    if (freezes)
        database.freeze();
    else
        database.stop();
    // What is billed and cannot be written any more.
    model.go_on();
    EXPECT_EQ(client.read_answer().status, 200);
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(server.terminate(), 0) << server.err();
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 2s + slack) << server.err();
    EXPECT_NE(server.err().find("usage rows dropped\",\"rows\":1"), std::string::npos) << server.err();
    if (freezes)
        database.thaw();
    else
        database.start();
    server.start();
    const auto goes_on = [&] {
        const auto shown =
            fetch(server.port(), raw_request("GET", "/api/executions/" + begun.json().value("id", ""), server.key()));
        return shown.status == 200 && shown.json().at("status") == "running";
    };
    EXPECT_TRUE(eventually(goes_on, 30s));
}

INSTANTIATE_TEST_SUITE_P(Database, StopWithoutDatabase, testing::Bool(),
                         [](const auto& freezes) { return freezes.param ? "Frozen" : "Stopped"; });

TEST(Stop, WhoWaitsForAnExecutionIsToldWhereItGoesOn)
{
    Waiting waiting;
    ServerProcess server({.configuration = waiting.configuration()});
    RawClient client(server.port());
    client.send(raw_request("POST", waiting.flow_on(server) + "?wait=true", server.key(), "{}"));
    ASSERT_TRUE(waiting.is_asked());
    server.send_signal(SIGTERM);
    const auto told = client.read_answer();
    EXPECT_EQ(told.status, 503) << told.body;
    EXPECT_EQ(told.json().value("code", ""), "server_shutdown");
    EXPECT_FALSE(told.header("retry-after").empty());
    const auto place = told.header("location");
    EXPECT_TRUE(place.starts_with("/api/executions/")) << place;
    EXPECT_NE(told.json().value("detail", "").find(place), std::string::npos) << told.body;
    EXPECT_EQ(server.wait(), 0) << server.err();
    server.start();
    EXPECT_EQ(fetch(server.port(), raw_request("GET", place, server.key())).status, 200);
}

TEST(Stop, AReloadThatIsAskedForMeanwhileCutsNothing)
{
    ServerProcess server({.configuration = "[models]\nmock_delay = \"300ms\"\n"});
    RawClient client(server.port());
    client.send(raw_request("POST", "/v1/chat/completions", server.key(),
                            R"({"model":"mock","stream":true,"messages":[{"role":"user","content":"a b c"}]})"));
    client.read_until("content");
    server.send_signal(SIGTERM);
    ASSERT_TRUE(eventually([&] { return server.err().find("refusing new work") != std::string::npos; }));
    server.send_signal(SIGHUP);
    EXPECT_TRUE(client.read_answer().body.ends_with("data: [DONE]\n\n"));
    EXPECT_EQ(server.wait(), 0) << server.err();
}

TEST(FileLimit, IsToldAsAFullDiskAndOverWhenItIsLifted)
{
    ServerProcess server({.configuration = "[limits.admin]\nrequests_per_minute = 1000000\n"});
    const auto saved = [&] {
        return fetch(server.port(), raw_request("POST", "/api/chat/session", server.key(), R"({"title":"x"})")).status;
    };
    ASSERT_EQ(saved(), 201);
    rlimit before{};
    ASSERT_EQ(::prlimit(server.pid(), RLIMIT_FSIZE, nullptr, &before), 0);
    const rlimit small{4096, before.rlim_max};
    ASSERT_EQ(::prlimit(server.pid(), RLIMIT_FSIZE, &small, nullptr), 0);
    const auto refused = saved();
    EXPECT_EQ(fetch(server.port(), raw_request("GET", "/healthz")).status, 200);
    ASSERT_EQ(::prlimit(server.pid(), RLIMIT_FSIZE, &before, nullptr), 0);
    EXPECT_EQ(refused, 507);
    EXPECT_TRUE(eventually([&] { return saved() == 201; }));
    EXPECT_EQ(server.terminate(), 0) << server.err();
}

}  // namespace stop_of_the_server
}  // namespace dure::test
