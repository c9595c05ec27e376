// Flows that are drawn by their settings (§8), and settings as defaults of nodes.
#include <gmock/gmock.h>

#include "flows/compiler_fixture.hpp"

namespace dure::flows {
namespace drawn_test {

using graph::RunStatus;
using testing::ElementsAre;

using Flows = CompilerTest;

TEST_F(Flows, AChatflowOfSettingsAloneAnswersWithItsModel)
{
    compile(Json{{"format", "dure.flow"},
                 {"format_version", 1},
                 {"flow_type", "chatflow"},
                 {"name", "c"},
                 {"nodes", Json::array()},
                 {"edges", Json::array()},
                 {"chat_config",
                  {{"llm_provider", "up"},
                   {"llm_model", "m"},
                   {"system_prompt", "Be {{start.inputs.mood | default('kind')}}."},
                   {"temperature", 0.5}}},
                 {"memory_config", {{"type", "buffer"}, {"max_messages", 6}}}});
    run("hi");
    ASSERT_EQ(result_.status, RunStatus::success) << failure();
    EXPECT_EQ(output().at("text"), "llm answers");
    const auto& config = services_.calls.at(0).at("config");
    EXPECT_EQ(config.at("system"), "Be kind.");
    EXPECT_EQ(config.at("model"), "m");
    EXPECT_EQ(config.at("prompt"), "hi");
    EXPECT_EQ(config.at("memory").at("max_messages"), 6);
}

TEST_F(Flows, AgentsWithoutEdgesAreArrangedByTheOrchestration)
{
    const Json agents = Json::array({Json{"start", "start"}, Json{"one", "agent", {{"instructions", "1"}}},
                                     Json{"two", "agent", {{"instructions", "2"}}}});
    compile(drawn_flow(agents, {}, {{"orchestration_type", "sequential"}}));
    run("task");
    ASSERT_EQ(result_.status, RunStatus::success) << failure();
    EXPECT_EQ(output().at("text"), "two answers");
    EXPECT_EQ(services_.calls.at(1).at("input"), "one answers");

    compile(drawn_flow(agents, {}, {{"orchestration_type", "parallel"}}));
    run("task");
    ASSERT_EQ(result_.status, RunStatus::success) << failure();
    EXPECT_EQ(output().at("text"), "one answers\n\ntwo answers");

    services_.calls.clear();
    services_.answers["supervisor"] = [](NodeCall& call) -> Task<Result<Json>> {
        std::string names;
        for (const auto& worker : call.attached.at("workers"))
            names += worker.at("id").get<std::string>() + " ";
        co_return Json{{"text", call.config.at("orchestration_type").get<std::string>() + " of " + names}};
    };
    compile(drawn_flow(
        agents, {},
        {{"orchestration_type", "hierarchical"}, {"supervisor_config", {{"enabled", true}, {"llm_model", "boss"}}}}));
    run("task");
    ASSERT_EQ(result_.status, RunStatus::success) << failure();
    EXPECT_EQ(output().at("text"), "hierarchical of one two ");
    EXPECT_EQ(services_.calls.at(0).at("config").at("model"), "boss");
    EXPECT_EQ(services_.calls.size(), 1u);
}

Json two_agents()
{
    return Json::array({Json{"one", "agent", {{"instructions", "1"}}}, Json{"two", "agent", {{"instructions", "2"}}}});
}

TEST_F(Flows, AgentsAloneWorkOneAfterAnotherWhereNothingElseIsSaid)
{
    compile(drawn_flow(two_agents(), {}));
    run("task");
    ASSERT_EQ(result_.status, RunStatus::success) << failure();
    EXPECT_THAT(sink_.order(), ElementsAre("start", "one", "two", "reply"));
    EXPECT_EQ(output().at("text"), "two answers");
}

TEST_F(Flows, ToolsOfAgentsDoNotKeepThemFromBeingArranged)
{
    auto nodes = two_agents();
    nodes.push_back(Json{"calc", "tool", {{"tool", "calculator"}}});
    compile(drawn_flow(nodes, {"calc>two|tools"}, {{"orchestration_type", "sequential"}}));
    std::string attached;
    services_.answers["two"] = [&](NodeCall& call) -> Task<Result<Json>> {
        attached = call.attached.at("tools").at(0).at("config").at("tool").get<std::string>();
        co_return Json{{"text", "counted"}};
    };
    run("task");
    ASSERT_EQ(result_.status, RunStatus::success) << failure();
    EXPECT_EQ(output().at("text"), "counted");
    EXPECT_EQ(attached, "calculator");
}

TEST_F(Flows, DrawnEdgesWinOverTheOrchestration)
{
    auto nodes = two_agents();
    nodes.push_back(Json{"start", "start"});
    nodes.push_back(Json{"say", "reply", {{"text", "drawn"}}});
    compile(drawn_flow(nodes, {"start>say"}, {{"orchestration_type", "sequential"}}));
    run("task");
    ASSERT_EQ(result_.status, RunStatus::success) << failure();
    EXPECT_THAT(sink_.order(), ElementsAre("start", "say"));
}

TEST_F(Flows, SettingsOfAChatflowAreDefaultsOfNodesThatLeaveThemEmpty)
{
    const Json classes = Json::array({Json{{"id", "a"}, {"name", "A"}}});
    compile(drawn_flow({{"start", "start"},
                        {"ask", "llm", {{"prompt", "x"}, {"model", ""}}},
                        {"own", "llm", {{"prompt", "x"}, {"model", "mine"}, {"system", "S"}, {"temperature", 1.5}}},
                        {"theirs", "agent", {{"prompt", "x"}, {"provider", "theirs"}}},
                        {"sort", "router", {{"classes", classes}}},
                        {"take", "extract", {{"schema", Json::object()}}},
                        {"say", "reply", {{"text", "ok"}}}},
                       {"start>ask", "ask>own", "own>theirs", "theirs>sort", "sort|a>take", "take>say"},
                       {{"flow_type", "chatflow"},
                        {"chat_config",
                         {{"llm_provider", "up"},
                          {"llm_model", "m"},
                          {"system_prompt", "Be kind."},
                          {"temperature", 0.5},
                          {"streaming", false}}},
                        {"memory_config", {{"type", "buffer"}, {"max_messages", 3}}}}));
    services_.says("sort", {{"class", "a"}, {"class_name", "A"}});
    services_.says("take", {{"json", 1}});
    run("hi");
    ASSERT_EQ(result_.status, RunStatus::success) << failure();
    std::map<std::string, Json> configs;
    for (const auto& call : services_.calls)
        configs[call.at("node").get<std::string>()] = call.at("config");
    for (const auto* node : {"ask", "sort", "take"}) {
        EXPECT_EQ(configs[node].at("provider"), "up") << node;
        EXPECT_EQ(configs[node].at("model"), "m") << node;
    }
    EXPECT_EQ(configs["ask"].at("system"), "Be kind.");
    EXPECT_EQ(configs["ask"].at("memory").at("max_messages"), 3);
    EXPECT_EQ(configs["ask"].at("stream"), false);
    EXPECT_FALSE(configs["sort"].contains("system"));
    EXPECT_FALSE(configs["sort"].contains("temperature"));
    EXPECT_EQ(configs["own"].at("model"), "mine");
    EXPECT_FALSE(configs["own"].contains("provider")) << "the provider of another model";
    EXPECT_EQ(configs["own"].at("system"), "S");
    EXPECT_EQ(configs["own"].at("temperature"), 1.5);
    EXPECT_FALSE(configs["theirs"].contains("model")) << "a model of another provider";
}

TEST(Drawn, AFlowThatDrawsNothingNamesWhatIsMissing)
{
    const auto empty = read_document(R"({"flow_type":"agentflow","name":"n"})").document;
    const auto compiled =
        compile_flow(empty, [](std::string_view, std::string_view) -> const Document* { return nullptr; });
    ASSERT_FALSE(compiled);
    EXPECT_EQ(compiled.error().reason(), "start_missing");
    ASSERT_EQ(compiled.error().extra().problems.size(), 1u)
        << "a problem of the document, as everything that cannot run";
    EXPECT_EQ(compiled.error().extra().problems.front().location, std::vector<std::string>{"nodes"});
}

}  // namespace drawn_test
}  // namespace dure::flows
