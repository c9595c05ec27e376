// Turns of the agent over the wire: its strategies by name, and what a wrong one answers on each surface.
#include <gtest/gtest.h>

#include "support/openai_script.hpp"
#include "support/raw_http.hpp"
#include "support/scripted_upstream.hpp"
#include "support/server_process.hpp"

namespace dure::test {
namespace agent_turn {

using namespace std::chrono_literals;

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

RawAnswer ask_about_an_image(const ServerProcess& server, bool stream, const RawFields& fields = {})
{
    const auto body = Json::parse(R"({"model":"coe-agent-v1","messages":[
        {"role":"user","content":[{"type":"text","text":"What is this?"},
                                  {"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}]},
        {"role":"assistant","content":"A cat."},{"role":"user","content":"Which one?"}],"stream":)" +
                                  std::string(stream ? "true}" : "false}"));
    return fetch(server.port(), raw_request("POST", "/v1/chat/completions", server.key(), body.dump(), fields));
}

TEST_F(AgentsModel, IsShownNoImageUnlessItReadsThem)
{
    const RawFields in_background{{"X-OpenWebUI-Chat-Id", "c1"}, {"X-OpenWebUI-Task", "title_generation"}};
    for (const auto& [stream, fields] : {std::pair(false, RawFields()), {true, RawFields()}, {false, in_background}}) {
        const auto refused = ask_about_an_image(server, stream, fields);
        ASSERT_EQ(refused.status, 400) << refused.body;
        EXPECT_EQ(refused.json()["error"]["code"], "images_not_supported");
        EXPECT_EQ(refused.json()["error"]["param"], "messages");
        EXPECT_EQ(refused.json()["error"]["message"], "The agent's model 'scripted' does not read images.");
    }
    EXPECT_EQ(upstream.request_count(), 0);

    reconfigure(true);
    ASSERT_EQ(fetch(server.port(), raw_request("POST", "/api/models/reload", server.key())).status, 200);
    upstream.handle([](const RecordedRequest&) { return text_stream_script("A tabby.", 0ms); });
    EXPECT_EQ(ask_about_an_image(server, false).status, 200);
    EXPECT_EQ(ask_about_an_image(server, false, in_background).status, 200);
    ASSERT_EQ(upstream.request_count(), 2);
    for (const auto& request : upstream.requests())
        EXPECT_NE(request.body.find("data:image/png;base64,AA=="), std::string::npos) << request.body;
}

}  // namespace agent_turn
}  // namespace dure::test
