// agent, tool and supervisor: tools in the owner's name, approvals, and what a crash does not repeat.
#include "nodes/fixture.hpp"

namespace dure::nodes {
namespace {

using namespace test;
using testing::HasSubstr;

class AgentNode : public NodeTest {
protected:
    CountingTool& weather()
    {
        return add_tool("weather", [](const Json& arguments) -> Result<Json> {
            return Json{{"city", arguments.at("city")}, {"rain", true}};
        });
    }
    CountingTool& mail()
    {
        return add_tool("mail", [](const Json&) -> Result<Json> { return Json("sent"); }, true);
    }
};

TEST_F(AgentNode, CallsToolsUntilItHasAnAnswer)
{
    auto& tool = weather();
    upstream.enqueue(turn("Let me look. ", {{"c1", "weather", R"({"city":"서울"})"}}));
    upstream.enqueue(turn("It rains."));
    node("agent", {{"instructions", "You know the weather."}, {"prompt", "Rain in Seoul?"}, {"tools", {"weather"}}});
    const auto output = go();
    ASSERT_TRUE(output) << output.error().message();
    EXPECT_EQ((*output)["text"], "It rains.");
    EXPECT_EQ((*output)["json"], nullptr);
    ASSERT_EQ((*output)["steps"].size(), 1);
    EXPECT_EQ((*output)["steps"][0]["name"], "weather");
    EXPECT_EQ((*output)["steps"][0]["arguments"], Json::parse(R"({"city":"서울"})"));
    EXPECT_EQ((*output)["steps"][0]["success"], true);
    EXPECT_EQ((*output)["usage"]["input_tokens"], 14);
    EXPECT_EQ((*output)["usage"]["model_calls"], 2);
    EXPECT_EQ(usage.size(), 2);
    EXPECT_THAT(events.text(), HasSubstr("It rains."));
    EXPECT_FALSE(events.customs.empty());
    EXPECT_EQ(tool.users, std::vector<std::string>{"owner-1"});
    ASSERT_EQ(audited.size(), 1);
    EXPECT_EQ(audited[0].name, "weather");
    EXPECT_TRUE(audited[0].success);
    EXPECT_FALSE(audited[0].approved);
    EXPECT_EQ(system_of(0), "You know the weather.");
    EXPECT_EQ(sent(0)["tools"].size(), 1);
    EXPECT_EQ(sent(1)["messages"].back()["role"], "tool");
}

TEST_F(AgentNode, AModelWithoutToolsDecidesByJson)
{
    auto& tool = weather();
    upstream.enqueue(
        completion_script(R"({"action":"execute_tool","selected_tool":"weather","arguments":{"city":"Busan"}})"));
    upstream.enqueue(completion_script(R"({"action":"direct_response"})"));
    upstream.enqueue(turn("Sunny."));
    node("agent", {{"model", "plain"}, {"prompt", "Rain?"}, {"tools", {{{"name", "weather"}}}}});
    const auto output = go();
    ASSERT_TRUE(output) << output.error().message();
    EXPECT_EQ((*output)["text"], "Sunny.");
    EXPECT_EQ(tool.calls.size(), 1);
    EXPECT_EQ((*output)["usage"]["model_calls"], 3);
}

TEST_F(AgentNode, FinishedCallsAreNotDoneAgainAfterACrash)
{
    auto& tool = weather();
    upstream.enqueue(turn("", {{"c1", "weather", R"({"city":"a"})"}, {"c2", "weather", R"({"city":"b"})"}}));
    upstream.enqueue({dure::test::await_peer_close()});
    node("agent", {{"prompt", "Rain?"}, {"tools", {"weather"}}});
    go_until([&] { return upstream.request_count() == 2; });
    ASSERT_EQ(tool.calls.size(), 2);
    upstream.enqueue(turn("Both."));
    const auto output = go(graph::RunInput::nothing());
    ASSERT_TRUE(output) << output.error().message();
    EXPECT_EQ((*output)["text"], "Both.");
    EXPECT_EQ(tool.calls.size(), 2);
    EXPECT_EQ(audited.size(), 2);
    EXPECT_EQ(upstream.request_count(), 3);
    EXPECT_EQ((*output)["steps"].size(), 2);
    EXPECT_EQ((*output)["usage"]["model_calls"], 2);
    EXPECT_EQ((*output)["usage"]["input_tokens"], 14);
    EXPECT_NE(tool.keys[0], tool.keys[1]);
}

TEST_F(AgentNode, AsksAPersonBeforeAToolThatNeedsIt)
{
    auto& tool = weather();
    upstream.enqueue(turn("", {{"c1", "weather", R"({"city":"서울"})"}}));
    node("agent", {{"prompt", "Rain?"}, {"tools", {"weather", "calculator"}}, {"require_approval", {"weather"}}});
    (void)go();
    ASSERT_EQ(result.status, graph::RunStatus::interrupted);
    EXPECT_TRUE(tool.calls.empty());
    const auto& asked = result.interrupts.at(0).value;
    EXPECT_EQ(asked["tool"], "weather");
    EXPECT_EQ(asked["arguments"], Json::parse(R"({"city":"서울"})"));
    EXPECT_EQ(asked["actions"][0]["id"], "approve");
    upstream.enqueue(turn("Yes."));
    const auto output = answer({{"action", "approve"}});
    ASSERT_TRUE(output) << output.error().message();
    EXPECT_EQ((*output)["text"], "Yes.");
    EXPECT_EQ(tool.calls.size(), 1);
    EXPECT_EQ(upstream.request_count(), 2);
    EXPECT_TRUE(audited.at(0).approved);
}

// What the author fixed takes the place of what the model wrote: a person has to see it.
TEST_F(AgentNode, APersonIsAskedForTheArgumentsThatRun)
{
    auto& tool = mail();
    upstream.enqueue(turn("", {{"c1", "mail", R"({"city":"harmless"})"}}));
    node("agent", {{"prompt", "Write"}}, nullptr,
         {{"tools", {{{"id", "t"}, {"config", {{"tool", "mail"}, {"arguments", {{"city", "fixed"}}}}}}}}});
    (void)go();
    ASSERT_EQ(result.status, graph::RunStatus::interrupted);
    EXPECT_EQ(result.interrupts.at(0).value["arguments"], Json::parse(R"({"city":"fixed"})"));
    upstream.enqueue(turn("Sent."));
    const auto output = answer("approve");
    ASSERT_TRUE(output) << output.error().message();
    ASSERT_EQ(tool.calls.size(), 1);
    EXPECT_EQ(Json(tool.calls[0]), Json::parse(R"({"city":"fixed"})"));
}

TEST_F(AgentNode, ARefusedToolIsToldToTheModelAndNotRun)
{
    auto& tool = mail();
    upstream.enqueue(turn("", {{"c1", "mail", R"({"city":"x"})"}}));
    node("agent", {{"prompt", "Write"}, {"tools", {"mail"}}});
    (void)go();
    ASSERT_EQ(result.status, graph::RunStatus::interrupted) << "tools that act always need approval";
    upstream.enqueue(turn("Not sent."));
    const auto output = answer({{"action", "reject"}, {"feedback", "not today"}});
    ASSERT_TRUE(output) << output.error().message();
    EXPECT_TRUE(tool.calls.empty());
    EXPECT_THAT(sent(1)["messages"].back()["content"].get<std::string>(), HasSubstr("not today"));
    EXPECT_EQ((*output)["steps"][0]["success"], false);
}

TEST_F(AgentNode, AnApprovedToolThatActsRuns)
{
    auto& tool = mail();
    upstream.enqueue(turn("", {{"c1", "mail", R"({"city":"x"})"}}));
    upstream.enqueue(turn("Sent."));
    node("agent", {{"prompt", "Write"}, {"tools", {"mail"}}});
    (void)go();
    const auto output = answer("approve");
    ASSERT_TRUE(output) << output.error().message();
    EXPECT_EQ(tool.calls.size(), 1);
    EXPECT_EQ((*output)["steps"][0]["success"], true);
}

TEST_F(AgentNode, EachModelCallIsWithinTheBudgetOfTheRun)
{
    auto& tool = weather();
    CountedCalls calls(1);
    budget = &calls;
    upstream.enqueue(turn("", {{"c1", "weather", R"({"city":"a"})"}}));
    node("agent", {{"prompt", "Rain?"}, {"tools", {"weather"}}});
    const auto output = go();
    ASSERT_FALSE(output);
    EXPECT_EQ(output.error().reason(), "LIMIT_EXCEEDED");
    EXPECT_EQ(upstream.request_count(), 1);
    EXPECT_EQ(tool.calls.size(), 1);
    EXPECT_EQ(calls.tokens, 7);
}

TEST_F(AgentNode, ACallWhoseAnswerIsKeptIsCountedOnce)
{
    weather();
    CountedCalls calls(10), of_the_next_process(10);
    budget = &calls;
    upstream.enqueue(turn("", {{"c1", "weather", R"({"city":"a"})"}}));
    upstream.enqueue(dure::test::error_script(500, "away", "server_error"));
    node("agent", {{"prompt", "Rain?"}, {"tools", {"weather"}}});
    ASSERT_FALSE(go());
    EXPECT_EQ(calls.calls, 2);
    upstream.enqueue(dure::test::error_script(500, "away", "server_error"));
    ASSERT_FALSE(go(graph::RunInput::nothing()));
    EXPECT_EQ(calls.calls, 3) << "the kept one again";
    budget = &of_the_next_process;
    upstream.enqueue(turn("Rain."));
    ASSERT_TRUE(go(graph::RunInput::nothing()));
    EXPECT_EQ(of_the_next_process.calls, 2);
}

TEST_F(AgentNode, AttachedToolsKeepTheArgumentsThatWereDrawn)
{
    auto& tool = weather();
    upstream.enqueue(turn("", {{"c1", "weather", R"({"city":"elsewhere","days":2})"}}));
    upstream.enqueue(turn("ok"));
    node("agent", {{"prompt", "Rain?"}}, nullptr,
         Json::parse(R"({"tools":[{"id":"t","label":"W","config":{"tool":"weather","arguments":{"city":"서울"}}}]})"));
    const auto output = go();
    ASSERT_TRUE(output) << output.error().message();
    EXPECT_EQ(tool.calls.at(0), Json::parse(R"({"city":"서울","days":2})"));
    const auto offered = sent(0)["tools"][0]["function"]["parameters"];
    EXPECT_FALSE(offered["properties"].contains("city"));
    EXPECT_EQ(offered["required"], Json::array());
}

TEST_F(AgentNode, ADemandedFormIsCorrectedWithoutFurtherTools)
{
    weather();
    upstream.enqueue(whole_turn("", {{"c1", "weather", R"({"city":"a"})"}}));
    upstream.enqueue(whole_turn("It rains."));
    upstream.enqueue(whole_turn(R"({"rain":true})"));
    node("agent", {{"prompt", "Rain?"},
                   {"tools", {"weather"}},
                   {"output_schema",
                    Json::parse(R"({"type":"object","properties":{"rain":{"type":"boolean"}},"required":["rain"]})")}});
    const auto output = go();
    ASSERT_TRUE(output) << output.error().message();
    EXPECT_EQ((*output)["json"], Json::parse(R"({"rain":true})"));
    EXPECT_TRUE(events.chunks.empty());
    EXPECT_EQ(sent(2)["tool_choice"], "none");
}

TEST_F(AgentNode, IsRefusedRatherThanRunWithFewerTools)
{
    struct Case {
        Json config;
        bool may_execute;
        Errc code;
    };
    int number = 0;
    for (const auto& one : {Case{{{"tools", {"nobody"}}}, true, Errc::not_found},
                            Case{{{"tools", {"calculator"}}}, false, Errc::permission_denied},
                            Case{{{"tools", {7}}}, true, Errc::invalid_argument},
                            Case{{{"require_approval", {"calculator"}}}, true, Errc::invalid_argument},
                            Case{{{"strategy", "planner"}}, true, Errc::invalid_argument}}) {
        options.thread = "thread-" + std::to_string(number++);
        rights.may_execute = one.may_execute;
        auto config = one.config;
        config["prompt"] = "x";
        node("agent", config);
        const auto output = go();
        ASSERT_FALSE(output) << config;
        EXPECT_EQ(output.error().code(), one.code) << output.error().message();
    }
    EXPECT_EQ(upstream.request_count(), 0);
}

class ToolNode : public NodeTest {};

TEST_F(ToolNode, RunsTheDrawnCallForTheOwner)
{
    auto& tool = add_tool("mail", [](const Json&) -> Result<Json> { return Json{{"id", 7}}; }, true);
    node("tool", {{"tool", "mail"}, {"arguments", {{"city", "서울"}}}});
    const auto output = go();
    ASSERT_TRUE(output) << output.error().message();
    EXPECT_EQ((*output)["result"], Json::parse(R"({"id":7})"));
    EXPECT_EQ(tool.users, std::vector<std::string>{"owner-1"});
    EXPECT_THAT(tool.keys.at(0), testing::EndsWith("/tool"));
    ASSERT_EQ(audited.size(), 1);
    EXPECT_TRUE(audited[0].approved);
}

TEST_F(ToolNode, AFailedToolRunsAgainInARetryWithTheSameKey)
{
    bool broken = true;
    auto& tool = add_tool("weather", [&broken](const Json&) -> Result<Json> {
        if (broken)
            return Error(Errc::unavailable, "The weather is away.");
        return Json("rain");
    });
    node("tool", {{"tool", "weather"}, {"arguments", {{"city", "a"}}}});
    const auto failed = go();
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code(), Errc::unavailable);
    EXPECT_EQ(failed.error().message(), "The weather is away.");
    broken = false;
    const auto output = go(graph::RunInput::nothing());
    ASSERT_TRUE(output) << output.error().message();
    ASSERT_EQ(tool.keys.size(), 2);
    EXPECT_EQ(tool.keys[0], tool.keys[1]);
    EXPECT_EQ(audited.size(), 2);
}

TEST_F(ToolNode, NamesWhatIsWrongWithTheCall)
{
    struct Case {
        Json config;
        bool may_execute;
        Errc code;
        std::string told;
    };
    add_tool("weather", [](const Json&) -> Result<Json> { return Json(1); });
    int number = 0;
    for (const auto& one :
         {Case{{{"tool", "nobody"}}, true, Errc::not_found, "nobody"},
          Case{{{"tool", "weather"}, {"arguments", {{"city", 5}}}}, true, Errc::invalid_argument, "city"},
          Case{{{"tool", "weather"}}, true, Errc::invalid_argument, "city"},
          Case{{{"tool", ""}}, true, Errc::invalid_argument, "'tool' is missing"},
          Case{{{"tool", "weather"}, {"arguments", {{"city", "a"}}}},
               false,
               Errc::permission_denied,
               "may not use tools"}}) {
        options.thread = "thread-" + std::to_string(number++);
        rights.may_execute = one.may_execute;
        node("tool", one.config);
        const auto output = go();
        ASSERT_FALSE(output) << one.config;
        EXPECT_EQ(output.error().code(), one.code);
        EXPECT_THAT(output.error().message(), HasSubstr(one.told));
    }
}

TEST_F(ToolNode, RunsOnlyWithTheRightsTheRunBeganWith)
{
    add_tool("weather", [](const Json&) -> Result<Json> { return Json(1); });
    rights.permissions = {"tools:execute", "tools:manage"};
    struct Case {
        std::optional<flows::Rights> began_with;
        bool runs;
    };
    int number = 0;
    for (const auto& [began_with, runs] :
         {Case{std::nullopt, true}, Case{flows::Rights{{"tools:execute"}}, true},
          Case{flows::Rights{{"flows:execute"}}, false}, Case{flows::Rights{}, false}}) {
        options.thread = "thread-" + std::to_string(number++);
        facts.rights = began_with;
        node("tool", {{"tool", "weather"}, {"arguments", {{"city", "a"}}}});
        const auto output = go();
        EXPECT_EQ(static_cast<bool>(output), runs) << number;
        if (!output) {
            EXPECT_EQ(output.error().reason(), "tools_not_permitted");
        }
        node("agent", {{"tools", {"weather"}}, {"prompt", "x"}});
        options.thread += "-agent";
        if (!runs) {
            EXPECT_EQ(go().error().reason(), "tools_not_permitted") << number;
        }
    }
    EXPECT_EQ(upstream.request_count(), 0);
}

class SupervisorNode : public AgentNode {
protected:
    Json workers = Json::parse(R"({"workers":[
        {"id":"researcher","label":"Researcher","config":{"instructions":"Looks things up","tools":["weather"]}},
        {"id":"critic","label":"Critic","config":{"system":"Finds mistakes"}}]})");
};

TEST_F(SupervisorNode, LeadsTheAttachedAgents)
{
    auto& tool = weather();
    upstream.enqueue(completion_script(R"({"next":"researcher","instruction":"look"})"));
    upstream.enqueue(whole_turn("", {{"c1", "weather", R"({"city":"서울"})"}}));
    upstream.enqueue(whole_turn("it rains"));
    upstream.enqueue(completion_script(R"({"next":"critic","instruction":"check"})"));
    upstream.enqueue(completion_script("right"));
    upstream.enqueue(completion_script(R"({"next":"FINISH"})"));
    upstream.enqueue(turn("It rains."));
    node("supervisor", {{"system", "Be careful."}, {"finish_when", "both agree"}, {"prompt", "Rain?"}}, nullptr,
         workers);
    const auto output = go();
    ASSERT_TRUE(output) << output.error().message();
    EXPECT_EQ((*output)["text"], "It rains.");
    EXPECT_EQ((*output)["route"], Json::array({"researcher", "critic"}));
    EXPECT_EQ((*output)["results"],
              Json::parse(R"([{"worker":"researcher","text":"it rains"},{"worker":"critic","text":"right"}])"));
    EXPECT_EQ((*output)["usage"]["model_calls"], 7);
    EXPECT_EQ(usage.size(), 7);
    EXPECT_EQ(events.text(), "It rains.");
    EXPECT_EQ(tool.calls.size(), 1);
    EXPECT_EQ(audited.size(), 1);
    EXPECT_THAT(system_of(0), HasSubstr("both agree"));
    EXPECT_THAT(system_of(0), HasSubstr("Researcher. Looks things up"));
}

TEST_F(SupervisorNode, FinishedCallsOfTheTeamAreNotDoneAgainAfterACrash)
{
    auto& tool = weather();
    upstream.enqueue(completion_script(R"({"next":"researcher","instruction":"look"})"));
    upstream.enqueue(whole_turn("", {{"c1", "weather", R"({"city":"서울"})"}}));
    upstream.enqueue({dure::test::await_peer_close()});
    node("supervisor", {{"prompt", "Rain?"}, {"max_iterations", 1}}, nullptr, workers);
    go_until([&] { return upstream.request_count() == 3; });
    upstream.enqueue(whole_turn("it rains"));
    const auto output = go(graph::RunInput::nothing());
    ASSERT_TRUE(output) << output.error().message();
    EXPECT_EQ((*output)["text"], "it rains");
    EXPECT_EQ(tool.calls.size(), 1);
    EXPECT_EQ(upstream.request_count(), 4);
}

TEST_F(SupervisorNode, AWorkersToolWaitsForAPerson)
{
    auto& tool = weather();
    workers["workers"][0]["config"]["require_approval"] = {"weather"};
    upstream.enqueue(whole_turn("", {{"c1", "weather", R"({"city":"서울"})"}}));
    node("supervisor", {{"prompt", "Rain?"}, {"decision_strategy", "round_robin"}, {"stream", false}}, nullptr,
         workers);
    (void)go();
    ASSERT_EQ(result.status, graph::RunStatus::interrupted);
    EXPECT_EQ(result.interrupts.at(0).value["tool"], "weather");
    EXPECT_TRUE(tool.calls.empty());
    upstream.enqueue(whole_turn("it rains"));
    upstream.enqueue(completion_script("right"));
    upstream.enqueue(turn("Rain."));
    const auto output = answer(true);
    ASSERT_TRUE(output) << output.error().message();
    EXPECT_EQ((*output)["text"], "Rain.");
    EXPECT_EQ(tool.calls.size(), 1);
    EXPECT_TRUE(events.chunks.empty());
}

TEST_F(SupervisorNode, NamesWhatItCannotDo)
{
    struct Case {
        Json config, attached;
        std::string told;
    };
    weather();
    auto parallel = workers;
    parallel["workers"][0]["config"]["require_approval"] = {"weather"};
    auto formed = workers;
    formed["workers"][1]["config"]["output_schema"] = {{"type", "object"}};
    int number = 0;
    for (const auto& one : {Case{Json::object(), nullptr, "attach agents"},
                            Case{{{"decision_strategy", "coin"}}, workers, "'decision_strategy'"},
                            Case{{{"orchestration_type", "parallel"}}, parallel, "one after another"},
                            Case{{{"max_iterations", 0}}, workers, "'max_iterations'"},
                            Case{Json::object(), formed, "'output_schema' is not available for workers"}}) {
        options.thread = "thread-" + std::to_string(number++);
        auto config = one.config;
        config["prompt"] = "x";
        node("supervisor", config, nullptr, one.attached);
        const auto output = go();
        ASSERT_FALSE(output) << config;
        EXPECT_EQ(output.error().code(), Errc::invalid_argument);
        EXPECT_THAT(output.error().message(), HasSubstr(one.told));
    }
}

}  // namespace
}  // namespace dure::nodes
