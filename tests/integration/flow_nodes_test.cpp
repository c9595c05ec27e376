// Nodes that ask the world, over the wire on both databases: an agent's tool runs in its owner's name, is audited and charged, and
// waits for a person where the flow says so.
#include <gtest/gtest.h>

#include "integration/events_on_the_wire.hpp"

namespace dure::test {
namespace flow_nodes {

class FlowNodesOnTheWire : public EventsOnTheWire {
protected:
    RawAnswer send(const std::string& method, const std::string& path, const Json& body = Json()) const
    {
        return fetch(server.port(), raw_request(method, path, admin.token, body.is_null() ? "" : body.dump()));
    }
    // start → agent with the calculator → reply
    std::string flow_with_agent(const Json& more = Json::object()) const
    {
        auto agent = Json{{"model", "mock"}, {"prompt", "{{start.message}}"}, {"tools", {"calculator"}}};
        agent.update(more);
        auto flow = Json::parse(R"({"name":"Sums","nodes":[
            {"id":"start","type":"start","position":{"x":0,"y":0},"data":{"config":{}}},
            {"id":"sum","type":"agent","position":{"x":1,"y":0},"data":{"config":{}}},
            {"id":"out","type":"reply","position":{"x":2,"y":0},"data":{"config":{"text":"{{nodes.sum.text}}"}}}],
            "edges":[{"source":"start","target":"sum"},{"source":"sum","target":"out"}]})");
        flow["nodes"][1]["data"]["config"] = agent;
        const auto made = send("POST", "/api/agent-builder/agentflows", flow);
        EXPECT_EQ(made.status, 201) << made.body;
        return made.json().value("id", "");
    }
    Json executed(const std::string& flow) const
    {
        const auto answer = send("POST", "/api/agent-builder/flows/" + flow + "/execute?wait=true&timeout=20",
                                 {{"message", "What is 12*12?"}});
        EXPECT_EQ(answer.status, 200) << answer.body;
        return answer.json();
    }
    Json ended(const std::string& id) const
    {
        Json last;
        EXPECT_TRUE(eventually([&] {
            last = send("GET", "/api/executions/" + id).json();
            return last.value("status", "") == "succeeded" || last.value("status", "") == "failed";
        })) << last;
        return last;
    }
    static Json step_of(const Json& execution, const std::string& node)
    {
        Json found;
        for (const auto& step : execution.at("steps"))
            if (step.at("node_id") == node)
                found = step;
        return found;
    }
};

TEST_P(FlowNodesOnTheWire, AnAgentsCallsAreChargedToTheOwnerAndItsToolsAudited)
{
    const auto execution = executed(flow_with_agent());
    ASSERT_EQ(execution.at("status"), "succeeded") << execution;
    EXPECT_NE(execution.at("output").at("text").get<std::string>().find("144"), std::string::npos) << execution;
    const auto output = step_of(execution, "sum").at("output");
    ASSERT_EQ(output.at("steps").size(), 1U) << output;
    EXPECT_EQ(output.at("steps").at(0).at("name"), "calculator");
    const auto calls = output.at("usage").at("model_calls");
    Json rows;
    EXPECT_TRUE(eventually([&] {  // usage rows are written behind
        rows = send("GET", "/api/usage?group_by=model").json().at("rows");
        return !rows.empty() && rows.at(0).at("requests") == calls;
    })) << rows;
    EXPECT_EQ(rows.at(0).at("prompt_tokens"), output.at("usage").at("input_tokens"));
    EXPECT_EQ(rows.at(0).at("completion_tokens"), output.at("usage").at("output_tokens"));
    const auto events = send("GET", "/api/events/audit?event_type=ToolExecuted").json().at("events");
    ASSERT_EQ(events.size(), 1U) << events;
    EXPECT_EQ(events.at(0).at("data").at("name"), "calculator");
    EXPECT_EQ(events.at(0).at("metadata").at("request_id"), execution.at("id"));
    EXPECT_EQ(events.at(0).at("metadata").at("user_id"), admin.id);
}

TEST_P(FlowNodesOnTheWire, AToolWaitsForAPersonAndRunsOnce)
{
    const auto flow = flow_with_agent({{"require_approval", {"calculator"}}});
    for (const bool approved : {true, false}) {
        const auto waiting = executed(flow);
        ASSERT_EQ(waiting.at("status"), "waiting") << waiting;
        const auto id = waiting.at("id").get<std::string>();
        EXPECT_EQ(send("POST", "/api/executions/" + id + "/resume", {{"action", "perhaps"}}).status, 422);
        const auto resumed =
            send("POST", "/api/executions/" + id + "/resume", {{"action", approved ? "approve" : "reject"}});
        ASSERT_EQ(resumed.status, 202) << resumed.body;
        const auto done = ended(id);
        ASSERT_EQ(done.at("status"), "succeeded") << done;
        const auto steps = step_of(done, "sum").at("output").at("steps");
        ASSERT_FALSE(steps.empty());
        EXPECT_EQ(steps.at(0).at("success"), approved) << steps;
        // The refused one leaves no run.
        EXPECT_EQ(send("GET", "/api/events/audit?event_type=ToolExecuted").json().at("events").size(), 1U);
    }
}

// Whoever reads the question in a chat decides by what the tool is to be called with.
TEST_P(FlowNodesOnTheWire, TheQuestionInAChatShowsTheArguments)
{
    const auto flow = flow_with_agent({{"require_approval", {"calculator"}}});
    const auto published = send("POST", "/api/agent-builder/flows/" + flow + "/publish");
    ASSERT_EQ(published.status, 200) << published.body;
    const Json question{{"model", published.json().at("model")},
                        {"messages", Json::array({Json{{"role", "user"}, {"content", "What is 12*12?"}}})}};
    const auto answer = send("POST", "/v1/chat/completions", question);
    ASSERT_EQ(answer.status, 200) << answer.body;
    const auto text = answer.json().at("choices").at(0).at("message").at("content").get<std::string>();
    EXPECT_TRUE(text.starts_with("sum: calculator\n\n    {\"")) << text;
    EXPECT_NE(text.find("12*12"), std::string::npos) << text;
}

INSTANTIATE_TEST_SUITE_P(Drivers, FlowNodesOnTheWire, testing::Values("sqlite", "postgres"),
                         [](const auto& info) { return info.param; });

}  // namespace flow_nodes
}  // namespace dure::test
