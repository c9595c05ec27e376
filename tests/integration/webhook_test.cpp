// The webhook of an execution over the wire (graph-semantics X5), on both databases: posted when it has ended or waits, once
// by several replicas, again behind a receiver that was down or a server that was killed, and only where the policy allows.
#include <gtest/gtest.h>

#include <set>

#include "support/raw_http.hpp"
#include "support/scripted_upstream.hpp"
#include "support/server_on_postgres.hpp"

namespace dure::test {
namespace webhooks {

using namespace std::chrono_literals;

constexpr std::string_view flow_document =
    R"({"name":"asks","nodes":[{"id":"start","type":"start","position":{"x":0,"y":0},"data":{"config":{}}},)"
    R"({"id":"ask","type":"human_input","position":{"x":1,"y":0},"data":{"config":{"prompt":"?"}}},)"
    R"({"id":"out","type":"reply","position":{"x":2,"y":0},"data":{"config":{"text":"{{start.message}}"}}}],)"
    R"("edges":[{"id":"1","source":"start","target":"ask"},{"id":"2","source":"ask","sourceHandle":"approve","target":"out"}]})";
constexpr std::string_view plain_document =
    R"({"name":"says","nodes":[{"id":"start","type":"start","position":{"x":0,"y":0},"data":{"config":{}}},)"
    R"({"id":"out","type":"reply","position":{"x":2,"y":0},"data":{"config":{"text":"{{start.message}}"}}}],)"
    R"("edges":[{"id":"1","source":"start","target":"out"}]})";

Script answers(int status)
{
    return {send(http_answer(status, "text/plain", "noted"))};
}

class Webhooks : public testing::TestWithParam<std::string> {
protected:
    Webhooks() : database(GetParam() == "postgres" ? fresh_schema() : ""), server(options()), key(server.key())
    {
        receiver.handle([](const auto&) { return answers(204); });
    }

    ServerProcess::Options options() const
    {
        const auto configuration = "[log]\nlevel = \"info\"\n[egress]\nallow = [\"127.0.0.1:" +
                                   std::to_string(receiver.port()) + "\"]\n";
        if (!database.empty())
            return on_postgres(database, configuration);
        return {.configuration = configuration, .environment = {}, .arguments = {}};
    }
    RawAnswer ask(std::string_view method, const std::string& target, const Json& body = Json()) const
    {
        return fetch(server.port(), raw_request(method, target, key, body.is_null() ? "" : body.dump()));
    }
    std::string flow(std::string_view document) const
    {
        const auto made = ask("POST", "/api/agent-builder/agentflows", Json::parse(document));
        EXPECT_EQ(made.status, 201) << made.body;
        return made.json().value("id", "");
    }
    RawAnswer execute(const std::string& flow_id, const std::string& webhook) const
    {
        return ask("POST", "/api/agent-builder/flows/" + flow_id + "/execute", {{"message", "hi"}, {"webhook", webhook}});
    }
    std::string started(const std::string& flow_id) const
    {
        const auto begun = execute(flow_id, receiver.base() + "/hook?token=never-to-be-seen");
        EXPECT_EQ(begun.status, 202) << begun.body;
        EXPECT_EQ(begun.body.find("never-to-be-seen"), std::string::npos);
        return begun.json().value("id", "");
    }
    bool receives(int requests, std::chrono::milliseconds longest = 20s) const
    {
        return receiver.wait_until([&] { return receiver.request_count() >= requests; }, longest);
    }
    Json shown(const std::string& id) const
    {
        auto execution = ask("GET", "/api/executions/" + id).json();
        execution.erase("steps");
        return execution;
    }

    ScriptedUpstream receiver;
    const std::string database;
    ServerProcess server;
    const std::string key;
};

TEST_P(Webhooks, AnExecutionIsPostedWhenItWaitsAndWhenItHasEnded)
{
    const auto id = started(flow(flow_document));
    ASSERT_TRUE(receives(1));
    const auto waiting = receiver.requests().at(0);
    EXPECT_EQ(waiting.method, "POST");
    EXPECT_EQ(waiting.target, "/hook?token=never-to-be-seen");
    EXPECT_EQ(waiting.header("content-type"), "application/json");
    EXPECT_EQ(waiting.header("authorization"), "");
    EXPECT_EQ(Json::parse(waiting.body), shown(id));
    EXPECT_EQ(Json::parse(waiting.body).at("status"), "waiting");
    EXPECT_EQ(ask("POST", "/api/executions/" + id + "/resume", {{"action", "approve"}}).status, 202);
    ASSERT_TRUE(receives(2));
    const auto ended = receiver.requests().at(1);
    EXPECT_EQ(Json::parse(ended.body), shown(id));
    EXPECT_EQ(Json::parse(ended.body).at("status"), "succeeded");
    EXPECT_FALSE(ended.header("idempotency-key").empty());
    EXPECT_NE(ended.header("idempotency-key"), waiting.header("idempotency-key"));
    // The address stays between its owner and the receiver.
    EXPECT_EQ(ask("GET", "/api/executions/" + id).body.find("never-to-be-seen"), std::string::npos);
    EXPECT_EQ(ask("GET", "/api/events/aggregate/" + id).body.find("never-to-be-seen"), std::string::npos);
    EXPECT_EQ(server.terminate(), 0);
    EXPECT_EQ(read_file(server.folder() / "err.txt").find("never-to-be-seen"), std::string::npos);
}

TEST_P(Webhooks, AnAddressThatMayNotBePostedToIsRefusedByName)
{
    const auto id = flow(plain_document);
    for (const auto* address :
         {"http://10.0.0.1/", "http://169.254.169.254/latest", "https://[::1]/", "http://127.0.0.1:1/", "ftp://example.com/",
          "https://user:word@example.com/", "https://example.com:8443/", "example.com/hook", "http://0x7f.1/"}) {
        const auto refused = execute(id, address);
        EXPECT_EQ(refused.status, 422) << address << refused.body;
        ASSERT_FALSE(refused.json().at("errors").empty()) << refused.body;
        EXPECT_EQ(refused.json().at("errors").at(0).at("loc"), Json({"body", "webhook"})) << address;
    }
    EXPECT_EQ(ask("POST", "/api/agent-builder/flows/" + id + "/execute", {{"webhook", 7}}).status, 422);
    EXPECT_EQ(ask("GET", "/api/executions").json().at("total"), 0);
}

// Its name leads to an address that is not allowed, which only the posting can know.
TEST_P(Webhooks, ANameOfAPrivateAddressIsRefusedWhenItIsPostedAndTold)
{
    const auto begun = execute(flow(plain_document), "http://localhost/hook");
    ASSERT_EQ(begun.status, 202) << begun.body;
    const auto id = begun.json().value("id", "");
    Json told;
    ASSERT_TRUE(eventually([&] {
        const auto events = ask("GET", "/api/events/aggregate/" + id).json();
        told = events.at("events").back();
        return told.at("event_type") == "ExecutionWebhookFailed";
    })) << told;
    EXPECT_NE(told.at("metadata").at("cause").get<std::string>().find("not allowed"), std::string::npos) << told;
    auto replayed = ask("GET", "/api/events/replay/" + id + "?aggregate_type=Execution").json().at("state");
    EXPECT_EQ(replayed, ask("GET", "/api/executions/" + id).json());
}

TEST_P(Webhooks, ARedirectIsNoReceiptAndIsNotFollowed)
{
    receiver.enqueue({send(http_answer(302, "text/plain", "", {{"Location", receiver.base() + "/other"}}))});
    started(flow(plain_document));
    ASSERT_TRUE(receives(2));
    EXPECT_EQ(receiver.requests().at(1).target, "/hook?token=never-to-be-seen");
    EXPECT_EQ(receiver.requests().at(1).method, "POST");
}

TEST_P(Webhooks, AServerThatIsKilledBetweenTheEndAndTheReceiptPostsItInItsNextLife)
{
    receiver.enqueue(answers(503));
    const auto id = started(flow(plain_document));
    ASSERT_TRUE(receives(1));
    server.kill();
    server.start();
    ASSERT_TRUE(receives(2, 40s));
    const auto requests = receiver.requests();
    EXPECT_EQ(requests[0].header("idempotency-key"), requests[1].header("idempotency-key"));
    EXPECT_EQ(requests[0].body, requests[1].body);
    EXPECT_EQ(Json::parse(requests[1].body).at("id"), id);
    EXPECT_EQ(Json::parse(requests[1].body).at("status"), "succeeded");
}

TEST_P(Webhooks, AForkHasAnAddressOfItsOwnOrNone)
{
    const auto id = started(flow(plain_document));
    ASSERT_TRUE(receives(1));
    const auto path = "/api/executions/" + id + "/fork";
    EXPECT_EQ(ask("POST", path, {{"step", "out"}, {"webhook", "http://10.0.0.1/"}}).status, 422);
    const auto silent = ask("POST", path, {{"step", "out"}});
    ASSERT_EQ(silent.status, 202) << silent.body;
    const auto silent_id = silent.json().value("id", "");
    ASSERT_TRUE(eventually([&] { return shown(silent_id).at("status") == "succeeded"; }));
    const auto told = ask("POST", path, {{"step", "out"}, {"webhook", receiver.base() + "/fork"}});
    ASSERT_EQ(told.status, 202) << told.body;
    ASSERT_TRUE(receives(2));
    EXPECT_EQ(receiver.requests().at(1).target, "/fork");
    EXPECT_EQ(Json::parse(receiver.requests().at(1).body).at("forked_from"), id);
}

INSTANTIATE_TEST_SUITE_P(Databases, Webhooks, testing::Values("sqlite", "postgres"),
                         [](const auto& info) { return info.param; });

TEST(WebhooksOfReplicas, EachEndIsPostedOnce)
{
    ScriptedUpstream receiver;
    receiver.handle([](const auto&) { return answers(200); });
    const auto options = on_postgres(fresh_schema(), "[log]\nlevel = \"warn\"\n[egress]\nallow = [\"127.0.0.1:" +
                                                         std::to_string(receiver.port()) + "\"]\n");
    ServerProcess a(options);
    ServerProcess b(options);
    const auto ask = [&](const ServerProcess& server, const std::string& target, const std::string& body) {
        return fetch(server.port(), raw_request("POST", target, a.key(), body));
    };
    const auto flow_id = ask(a, "/api/agent-builder/agentflows", std::string(plain_document)).json().value("id", "");
    std::set<std::string> begun;
    for (int i = 0; i < 30; ++i) {
        const auto answer = ask(i % 2 == 0 ? a : b, "/api/agent-builder/flows/" + flow_id + "/execute",
                                Json{{"webhook", receiver.base() + "/hook"}}.dump());
        ASSERT_EQ(answer.status, 202) << answer.body;
        begun.insert(answer.json().value("id", ""));
    }
    std::set<std::string> told;
    ASSERT_TRUE(receiver.wait_until([&] {
        for (const auto& request : receiver.requests())
            told.insert(Json::parse(request.body).at("id").get<std::string>());
        return told == begun;
    }, 20s));
    EXPECT_EQ(a.terminate(), 0);
    EXPECT_EQ(b.terminate(), 0);
    EXPECT_EQ(receiver.request_count(), 30);
}

}  // namespace webhooks
}  // namespace dure::test
