// Limits on tokens and cost of one API key over the wire: what a key is told, that its owner's other keys go on, and that a
// restart and a rotation give nothing back or away.
#include <gtest/gtest.h>

#include "support/raw_http.hpp"
#include "support/server_process.hpp"

namespace dure::test {
namespace key_budgets {

class KeyBudgets : public ::testing::Test {
protected:
    // Of the mock each token of an answer costs a tenth of a cent.
    static std::string configuration()
    {
        return "[limits.admin]\nchat_per_minute = 100000\nrequests_per_minute = 100000\n[[model]]\nid = \"paid\"\n"
               "targets = [\"mock/paid\"]\nmax_output = 50\nprices = {output = \"1000\"}\n";
    }
    std::string token() const
    {
        const auto answer = fetch(
            server.port(), raw_request("POST", "/auth/jwt/login", {},
                                       "username=admin%40localhost&password=" + server.value_of("admin password:"),
                                       {{"Content-Type", "application/x-www-form-urlencoded"}}));
        return answer.json().at("access_token").get<std::string>();
    }
    RawAnswer make_key(Json fields) const
    {
        fields["name"] = "limited";
        return fetch(server.port(), raw_request("POST", "/api/keys", token(), fields.dump()));
    }
    RawAnswer chat(const std::string& key, int max_tokens, const std::string& model = "mock", bool stream = false) const
    {
        const Json body{{"model", model},
                        {"stream", stream},
                        {"max_tokens", max_tokens},
                        {"messages", Json::array({{{"role", "user"}, {"content", "Tell me of a river."}}})}};
        return fetch(server.port(), raw_request("POST", "/v1/chat/completions", key, body.dump()));
    }
    int answers_until_refused(const std::string& key, const std::string& model = "mock") const
    {
        int answered = 0;
        while (answered < 200 && chat(key, 20, model).status == 200)
            ++answered;
        return answered;
    }

    ServerProcess server{{.configuration = configuration()}};
};

TEST_F(KeyBudgets, AKeyIsRefusedBeyondItsOwnTokensAndItsOwnerGoesOn)
{
    const auto made = make_key({{"tokens_per_day", 200}});
    ASSERT_EQ(made.status, 201) << made.body;
    EXPECT_EQ(made.json().at("tokens_per_day"), 200);
    EXPECT_TRUE(made.json().at("cost_per_day_usd").is_null());
    const auto key = made.json().at("key").get<std::string>();
    const auto answered = answers_until_refused(key);
    EXPECT_GE(answered, 1);
    EXPECT_LE(answered, 20);
    for (const bool stream : {false, true}) {
        const auto refused = chat(key, 150, "mock", stream);
        EXPECT_EQ(refused.status, 429) << refused.body;
        EXPECT_EQ(refused.json().at("error").at("code"), "budget_exceeded");
        EXPECT_EQ(refused.json().at("error").at("type"), "rate_limit_error");
        EXPECT_FALSE(refused.header("retry-after").empty());
        EXPECT_EQ(refused.header("x-ratelimit-limit-tokens"), "200");
    }
    EXPECT_EQ(chat(server.key(), 150).status, 200) << "another key of the same owner";
    const auto listed = fetch(server.port(), raw_request("GET", "/api/keys", token())).json().at("keys");
    EXPECT_NE(listed.dump().find("\"tokens_per_day\":200"), std::string::npos) << listed;
}

TEST_F(KeyBudgets, MoneyOfAKeyStaysSpentAfterARestart)
{
    const auto made = make_key({{"cost_per_day_usd", 0.05}});
    ASSERT_EQ(made.status, 201) << made.body;
    const auto key = made.json().at("key").get<std::string>();
    EXPECT_GE(answers_until_refused(key, "paid"), 1);
    EXPECT_EQ(chat(key, 20, "mock").status, 200) << "what costs nothing is not refused";
    ASSERT_EQ(server.terminate(), 0);
    server.start();
    const auto refused = chat(key, 50, "paid");
    EXPECT_EQ(refused.status, 429) << refused.body;
    EXPECT_EQ(refused.json().at("error").at("code"), "budget_exceeded");
}

TEST_F(KeyBudgets, AFlowThatAKeyRunsIsChargedToTheKey)
{
    const auto made = make_key({{"tokens_per_day", 60}}).json();
    const auto key = made.at("key").get<std::string>();
    const auto flow = R"({"name":"Story","nodes":[
        {"id":"start","type":"start","position":{"x":0,"y":0},"data":{"config":{}}},
        {"id":"tell","type":"llm","position":{"x":1,"y":0},"data":{"config":{"model":"mock","prompt":"{{start.message}}"}}},
        {"id":"out","type":"reply","position":{"x":2,"y":0},"data":{"config":{"text":"{{nodes.tell.text}}"}}}],
        "edges":[{"source":"start","target":"tell"},{"source":"tell","target":"out"}]})";
    const auto saved = fetch(server.port(), raw_request("POST", "/api/agent-builder/agentflows", server.key(), flow));
    ASSERT_EQ(saved.status, 201) << saved.body;
    const auto path =
        "/api/agent-builder/flows/" + saved.json().at("id").get<std::string>() + "/execute?wait=true";
    const auto run = [&](const std::string& with) {
        return fetch(server.port(), raw_request("POST", path, with, R"({"message":"Tell me a long story of a river."})")).json();
    };
    Json execution;
    EXPECT_TRUE(eventually([&] { return (execution = run(key)).at("status") == "failed"; }));
    EXPECT_NE(execution.dump().find("budget_exceeded"), std::string::npos) << execution;
    EXPECT_EQ(chat(key, 50).status, 429) << "the same account";
    const auto of_owner = run(server.key());
    EXPECT_EQ(of_owner.at("status"), "succeeded") << "its owner goes on";
    const auto forked = fetch(server.port(), raw_request("POST", "/api/executions/" + of_owner.at("id").get<std::string>() + "/fork",
                                                         key, R"({"step":"tell"})"));
    ASSERT_EQ(forked.status, 202) << forked.body;
    const auto fork = "/api/executions/" + forked.json().at("id").get<std::string>();
    EXPECT_TRUE(eventually([&] {
        return fetch(server.port(), raw_request("GET", fork, key)).json().at("status") == "failed";
    })) << "a fork is charged to the key that makes it";
    EXPECT_EQ(fetch(server.port(), raw_request("POST", fork + "/retry", server.key())).status, 202);
    EXPECT_TRUE(eventually([&] {
        return fetch(server.port(), raw_request("GET", fork, key)).json().at("status") == "succeeded";
    })) << "and its retry to the key that makes that one";
    EXPECT_TRUE(eventually([&] {  // written behind
        const auto rows = fetch(server.port(), raw_request("GET", "/api/usage?group_by=key", token())).json().at("rows");
        for (const auto& row : rows)
            if (row.at("key_id") == made.at("id"))
                return row.at("completion_tokens") > 0;
        return false;
    }));
}

TEST_F(KeyBudgets, ARotatedKeyKeepsItsLimits)
{
    const auto made = make_key({{"tokens_per_minute", 500}, {"tokens_per_day", 900}, {"cost_per_day_usd", 1.5}}).json();
    const auto rotated =
        fetch(server.port(), raw_request("POST", "/api/keys/" + made.at("id").get<std::string>() + "/rotate", token()));
    ASSERT_EQ(rotated.status, 201) << rotated.body;
    for (const auto* limit : {"tokens_per_minute", "tokens_per_day", "cost_per_day_usd"})
        EXPECT_EQ(rotated.json().at(limit), made.at(limit)) << limit;
}

TEST_F(KeyBudgets, LimitsThatMakeNoSenseAreRefusedByName)
{
    for (const auto& [field, value] : {std::pair<const char*, Json>{"tokens_per_minute", 0},
                                       {"tokens_per_minute", "many"},
                                       {"tokens_per_day", -1},
                                       {"tokens_per_day", 1.5},
                                       {"cost_per_day_usd", 0},
                                       {"cost_per_day_usd", "2.50"},
                                       {"cost_per_day", 1}}) {
        const auto refused = make_key({{field, value}});
        EXPECT_EQ(refused.status, 422) << field << " " << value << " " << refused.body;
        EXPECT_NE(refused.body.find(field), std::string::npos) << refused.body;
    }
}

TEST_F(KeyBudgets, AKeyThatNamesModelsWhichAreNotThereIsToldSo)
{
    const auto made = make_key({{"models", {"mock", "gpt-5o", "local", "coe-agent-v1", "flow:mine"}}});
    ASSERT_EQ(made.status, 201) << made.body;
    EXPECT_EQ(made.json().at("unknown_models"), Json::array({"gpt-5o"}));
    EXPECT_FALSE(make_key({{"models", {"mock"}}}).json().contains("unknown_models"));
}

}  // namespace key_budgets
}  // namespace dure::test
