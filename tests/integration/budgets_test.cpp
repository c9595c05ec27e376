// Limits on tokens and cost over the wire: refusals before any head in every form, what they tell, what is settled, what survives
// a restart, what a flow's node says, and two replicas that spend from one account.
#include <gtest/gtest.h>

#include <thread>

#include "support/raw_http.hpp"
#include "support/redis_process.hpp"
#include "support/server_on_postgres.hpp"

namespace dure::test {
namespace budgets_on_the_wire {

// Of the mock each token of an answer costs a tenth of a cent.
std::string configuration(const std::string& limits, const std::string& more = {})
{
    return "[log]\nlevel = \"warn\"\n[limits.admin]\nchat_per_minute = 100000\nrequests_per_minute = 100000\n" +
           limits +
           "\n[[model]]\nid = \"paid\"\ntargets = [\"mock/paid\"]\nmax_output = 50\nprices = {output = \"1000\"}\n" +
           more;
}

std::string chat_body(const std::string& model, int max_tokens, bool stream = false)
{
    Json body{{"model", model},
              {"stream", stream},
              {"messages", Json::array({{{"role", "user"}, {"content", "Tell me a long story about a river."}}})}};
    if (max_tokens > 0)
        body["max_tokens"] = max_tokens;
    return body.dump();
}

RawAnswer chat(const ServerProcess& server, const std::string& model = "mock", int max_tokens = 20, bool stream = false)
{
    return fetch(server.port(),
                 raw_request("POST", "/v1/chat/completions", server.key(), chat_body(model, max_tokens, stream)));
}

RawAnswer post(const ServerProcess& server, const std::string& path, const Json& body)
{
    return fetch(server.port(), raw_request("POST", path, server.key(), body.dump()));
}

std::string metrics(const ServerProcess& server)
{
    return fetch(server.port(), raw_request("GET", "/metrics", server.key())).body;
}

struct Used {
    std::int64_t tokens = 0;
    double cost = 0;
};

Used used_by_rows(const ServerProcess& server)
{
    const auto rows = fetch(server.port(), raw_request("GET", "/api/usage", server.key())).json().at("rows");
    Used used;
    for (const auto& row : rows) {
        used.tokens += row.at("prompt_tokens").get<std::int64_t>() + row.at("completion_tokens").get<std::int64_t>();
        used.cost += row.at("cost_usd").get<double>();
    }
    return used;
}

TEST(Budgets, TokensOfAMinuteAreRefusedWithWhatAClientNeedsToKnow)
{
    const ServerProcess server({.configuration = configuration("tokens_per_minute = 400")});
    const auto too_large = chat(server, "mock", 1000);
    EXPECT_EQ(too_large.status, 429) << too_large.body;
    EXPECT_EQ(too_large.header("x-should-retry"), "false");
    EXPECT_EQ(too_large.json().at("error").at("type"), "rate_limit_error");
    EXPECT_EQ(too_large.json().at("error").at("code"), "rate_limit_exceeded");
    EXPECT_EQ(too_large.header("x-ratelimit-limit-tokens"), "400");
    EXPECT_EQ(too_large.header("x-ratelimit-remaining-tokens"), "400") << "nothing was taken";

    int answered = 0;
    auto answer = chat(server, "mock", 300);
    for (; answer.status == 200 && answered < 50; answer = chat(server, "mock", 300))
        ++answered;
    EXPECT_GE(answered, 1);
    EXPECT_LT(answered, 20);
    ASSERT_EQ(answer.status, 429);
    EXPECT_EQ(answer.json().at("error").at("code"), "rate_limit_exceeded");
    const auto pause = std::atoi(answer.header("retry-after").c_str());
    EXPECT_TRUE(pause >= 1 && pause <= 60) << answer.header("retry-after");
    EXPECT_LT(std::atoi(answer.header("x-ratelimit-remaining-tokens").c_str()), 400);
    EXPECT_TRUE(answer.header("x-ratelimit-reset-tokens").ends_with("s"));
    EXPECT_FALSE(answer.header("ratelimit-limit").empty()) << "requests are counted beside";

    const auto streamed = chat(server, "mock", 390, true);
    EXPECT_EQ(streamed.status, 429) << "before the head";
    EXPECT_EQ(streamed.header("content-type"), "application/json");
    EXPECT_NE(metrics(server).find("dure_rate_limited_total{scope=\"tokens\"} 3"), std::string::npos);
    EXPECT_EQ(fetch(server.port(), raw_request("GET", "/v1/models", server.key())).status, 200);
}

TEST(Budgets, AnExhaustedDayRefusesEveryRoadToAModelBeforeItsHead)
{
    const ServerProcess server({.configuration = configuration("tokens_per_day = 70")});
    while (chat(server, "mock", 0).status == 200)  // until what is left holds no prompt
        ;
    struct Road {
        std::string path;
        Json body;
    };
    const auto hello = Json::array({{{"role", "user"}, {"content", "hello"}}});
    const std::vector<Road> roads = {
        {"/v1/chat/completions", {{"model", "mock"}, {"messages", hello}}},
        {"/v1/chat/completions", {{"model", "mock"}, {"messages", hello}, {"stream", true}}},
        {"/v1/chat/completions", {{"model", "coe-agent-v1"}, {"messages", hello}}},
        {"/v1/chat/completions", {{"model", "coe-agent-v1"}, {"messages", hello}, {"stream", true}}},
        {"/api/chat/message", {{"message", "hello"}}},
        {"/api/chat/message/stream", {{"message", "hello"}}},
        {"/api/chat/message/stream", {{"message", "hello"}, {"model", "mock"}}}};
    for (const auto& [path, body] : roads) {
        const auto refused = post(server, path, body);
        EXPECT_EQ(refused.status, 429) << path << " " << body << " " << refused.body;
        const auto said = refused.json();
        EXPECT_EQ(said.contains("error") ? said.at("error").at("code") : said.at("code"), "budget_exceeded");
        EXPECT_EQ(refused.header("x-should-retry"), "false");
        EXPECT_GT(std::atoi(refused.header("retry-after").c_str()), 0);
        EXPECT_EQ(refused.header("x-ratelimit-limit-tokens"), "70");
        EXPECT_LT(std::atoi(refused.header("x-ratelimit-remaining-tokens").c_str()), 40);
    }
}

TEST(Budgets, MoneyIsSpentToItsLimitAndNotGivenBackByARestart)
{
    ServerProcess server({.configuration = configuration("cost_per_day = \"0.20\"")});
    auto answer = chat(server, "paid", 40);
    int answered = 0;
    for (; answer.status == 200; answer = chat(server, "paid", 40))
        ++answered;
    EXPECT_GE(answered, 1);
    ASSERT_EQ(answer.status, 429) << answer.body;
    EXPECT_EQ(answer.json().at("error").at("code"), "budget_exceeded");
    EXPECT_EQ(chat(server, "mock", 40).status, 200) << "what costs nothing goes on";
    EXPECT_NE(metrics(server).find("dure_rate_limited_total{scope=\"cost\"} 1"), std::string::npos);
    EXPECT_EQ(server.terminate(), 0);
    server.start();
    EXPECT_EQ(chat(server, "paid", 40).status, 429) << "the rows of the day are remembered";
    const auto used = used_by_rows(server);
    EXPECT_LE(used.cost, 0.20);
    EXPECT_GT(used.cost, 0.15);
}

TEST(Budgets, ManyAtOnceNeverPassALimitTogether)
{
    const ServerProcess server({.configuration = configuration("tokens_per_day = 3000\nstreams = 1000")});
    std::vector<std::thread> callers;
    for (int i = 0; i < 8; ++i)
        callers.emplace_back([&server, i] {
            for (int n = 0; n < 30; ++n)
                (void)chat(server, "mock", 60 + n, i % 2 == 0);
        });
    for (auto& caller : callers)
        caller.join();
    EXPECT_TRUE(eventually([&] { return used_by_rows(server).tokens > 2500; }));
    EXPECT_LE(used_by_rows(server).tokens, 3000);
}

TEST(Budgets, AClientThatLeavesGivesBackWhatItDidNotUse)
{
    const ServerProcess server(
        {.configuration = configuration("tokens_per_day = 1000", "[models]\nmock_delay = \"50ms\"\n")});
    {
        RawClient leaving(server.port());
        leaving.send(raw_request("POST", "/v1/chat/completions", server.key(), chat_body("mock", 900, true)));
        leaving.read_until("data: ");
        EXPECT_EQ(chat(server, "mock", 500).status, 429) << "it is reserved";
        leaving.leave();
    }
    EXPECT_TRUE(eventually([&] { return chat(server, "mock", 500).status == 200; }));
}

TEST(Budgets, ANodeOfAFlowFailsWithAClearErrorAndItsOwnerIsCharged)
{
    const ServerProcess server({.configuration = configuration("tokens_per_day = 40")});
    auto flow = Json::parse(R"({"name":"Story","nodes":[
        {"id":"start","type":"start","position":{"x":0,"y":0},"data":{"config":{}}},
        {"id":"tell","type":"llm","position":{"x":1,"y":0},"data":{"config":{"model":"mock","prompt":"{{start.message}}"}}},
        {"id":"out","type":"reply","position":{"x":2,"y":0},"data":{"config":{"text":"{{nodes.tell.text}}"}}}],
        "edges":[{"source":"start","target":"tell"},{"source":"tell","target":"out"}]})");
    const auto made = post(server, "/api/agent-builder/agentflows", flow);
    ASSERT_EQ(made.status, 201) << made.body;
    const auto run = [&] {
        return post(server,
                    "/api/agent-builder/flows/" + made.json().at("id").get<std::string>() + "/execute?wait=true",
                    {{"message", "Tell me a long story about a river."}})
            .json();
    };
    Json execution;
    EXPECT_TRUE(eventually([&] { return (execution = run()).at("status") == "failed"; }));
    EXPECT_TRUE(eventually([&] { return used_by_rows(server).tokens > 0; })) << "usage rows are written behind";
    EXPECT_NE(execution.dump().find("budget_exceeded"), std::string::npos) << execution;
    EXPECT_NE(execution.dump().find("40 tokens a day"), std::string::npos) << execution;
}

TEST(Budgets, TwoReplicasSpendFromOneAccount)
{
    const RedisProcess redis;
    const auto database = fresh_schema();
    const auto options = on_postgres(database, configuration("tokens_per_day = 3000\ncost_per_day = \"0.50\"",
                                                             "[redis]\nurl = \"" + redis.url() + "\"\n"));
    const ServerProcess a(options);
    const ServerProcess b(options);
    std::vector<std::thread> callers;
    for (int i = 0; i < 6; ++i)
        callers.emplace_back([&, i] {
            for (int n = 0; n < 25; ++n) {
                const auto& replica = (i + n) % 2 == 0 ? a : b;
                (void)fetch(replica.port(), raw_request("POST", "/v1/chat/completions", a.key(),
                                                        chat_body(n % 3 == 0 ? "paid" : "mock", 50, i % 2 == 0)));
            }
        });
    for (auto& caller : callers)
        caller.join();
    Used used;
    EXPECT_TRUE(eventually([&] { return (used = used_by_rows(a)).tokens > 2500 || used.cost > 0.4; }));
    EXPECT_LE(used.tokens, 3000);
    EXPECT_LE(used.cost, 0.5);
    const auto refused = chat(b, "mock", 2900);
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(refused.json().at("error").at("code"), "budget_exceeded");
    EXPECT_EQ(refused.header("x-ratelimit-limit-tokens"), "3000");
}

}  // namespace budgets_on_the_wire
}  // namespace dure::test
