// Turns of the agent over the wire: its strategies by name, and what a wrong one answers on each surface.
#include <gtest/gtest.h>

#include "support/raw_http.hpp"
#include "support/scripted_upstream.hpp"
#include "support/server_process.hpp"

namespace dure::test {
namespace agent_turn {

TEST(AgentTurns, EveryStrategyAnswersAndAWrongOneIsNamed)
{
    ServerProcess server;
    const auto post = [&](std::string_view target, const Json& body) {
        return fetch(server.port(), raw_request("POST", target, server.key(), body.dump()));
    };
    for (const auto* strategy : {"graph", "chat", "simple", "planner"}) {
        const auto answer = post("/api/chat/message", {{"message", "안녕하세요"}, {"strategy", strategy}});
        EXPECT_EQ(answer.status, 200) << strategy << " " << answer.body;
        EXPECT_FALSE(answer.json().value("response", "").empty()) << strategy;
    }
    for (const auto* target : {"/api/chat/message", "/api/chat/message/stream"}) {
        const auto answer = post(target, {{"message", "hi"}, {"strategy", "magic"}});
        EXPECT_EQ(answer.status, 422) << target << " " << answer.body;
        EXPECT_EQ(answer.json().at("errors").at(0).at("loc"), (Json{"body", "strategy"})) << answer.body;
    }
    const auto openai = post(
        "/v1/chat/completions",
        {{"model", "coe-agent-v1"}, {"dure_strategy", "magic"}, {"messages", {{{"role", "user"}, {"content", "hi"}}}}});
    EXPECT_EQ(openai.status, 400) << openai.body;
    EXPECT_EQ(openai.json().at("error").at("param"), "dure_strategy");
}

// An agent that thinks with the model `scripted`, which reads images or does not.
class AgentsModel : public testing::Test {
protected:
    std::string configuration(bool vision) const
    {
        return "[agent]\nmodel = \"scripted\"\n[[providers]]\nname = \"up\"\nbase_url = \"" + upstream.base() +
               "/v1\"\n[[model]]\nid = \"scripted\"\ntargets = [\"up/scripted\"]\nvision = " +
               (vision ? "true" : "false") + "\n";
    }
    void reconfigure(bool vision) const { std::ofstream(server.folder() / "dure.toml") << configuration(vision); }
    RawAnswer get(const std::string& target) const
    {
        return fetch(server.port(), raw_request("GET", target, server.key()));
    }
    // What the list and the entry by itself say of the agent.
    bool both_say(bool reads_images) const
    {
        const auto said = [](const Json& entry) { return entry["info"]["meta"]["capabilities"]["vision"]; };
        return said(get("/v1/models").json()["data"][0]) == reads_images &&
               said(get("/v1/models/coe-agent-v1").json()) == reads_images;
    }

    ScriptedUpstream upstream;
    ServerProcess server{{.configuration = configuration(false)}};
};

TEST_F(AgentsModel, SaysWhetherTheAgentReadsImagesAlsoWhenItChanges)
{
    EXPECT_TRUE(both_say(false));
    reconfigure(true);
    server.send_signal(SIGHUP);
    EXPECT_TRUE(eventually([&] { return both_say(true); }));
    reconfigure(false);
    EXPECT_EQ(fetch(server.port(), raw_request("POST", "/api/models/reload", server.key())).status, 200);
    EXPECT_TRUE(both_say(false));
}

}  // namespace agent_turn
}  // namespace dure::test
