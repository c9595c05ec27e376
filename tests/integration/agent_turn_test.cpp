// Turns of the agent over the wire: its strategies by name, and what a wrong one answers on each surface.
#include <gtest/gtest.h>

#include "support/raw_http.hpp"
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

}  // namespace agent_turn
}  // namespace dure::test
