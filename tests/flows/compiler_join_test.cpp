// join: how many of its branches it waits for and hands on (§3); and what a question is asked with.
#include "flows/compiler_fixture.hpp"

namespace dure::flows {
namespace compiler_test {

using graph::RunStatus;

class Joins : public CompilerTest {};

TEST_F(Joins, AJoinForTheFirstGoesOnBeforeTheOthersAndOnce)
{
    compile(drawn_flow({{"start", "start"},
                        {"fast", "template", {{"text", "fast"}}},
                        {"s1", "template", {{"text", "x"}}},
                        {"s2", "template", {{"text", "slow"}}},
                        {"j", "join", {{"wait", "first"}, {"merge", "list"}}},
                        {"say", "reply", {{"text", "{{input | json}}"}}}},
                       {"start>fast", "start>s1", "s1>s2", "fast>j", "s2>j", "j>say"}));
    run();
    ASSERT_EQ(result_.status, RunStatus::success) << failure();
    EXPECT_EQ(output().at("text"), R"(["fast"])");
    const auto order = sink_.order();
    EXPECT_EQ(std::count(order.begin(), order.end(), "say"), 1);
    EXPECT_EQ(std::count(order.begin(), order.end(), "s2"), 1);
}

// §3: of three that come at once, as many as it asks for.
TEST_F(Joins, AJoinHandsOnAsManyAsItWaitsFor)
{
    for (const auto& [config, value] :
         std::vector<std::pair<Json, Json>>{{{{"wait", "first"}, {"merge", "text"}}, "A"},
                                            {{{"wait", "n"}, {"n", 2}, {"merge", "list"}}, Json{"A", "B"}},
                                            {{{"wait", "all"}, {"merge", "list"}}, Json{"A", "B", "C"}}}) {
        compile(drawn_flow({{"start", "start"},
                            {"a", "template", {{"text", "A"}}},
                            {"b", "template", {{"text", "B"}}},
                            {"c", "template", {{"text", "C"}}},
                            {"j", "join", config},
                            {"end", "end", {{"outputs", {{"v", "{{nodes.j.value}}"}}}}}},
                           {"start>a", "start>b", "start>c", "a>j", "b>j", "c>j", "j>end"}));
        run();
        ASSERT_EQ(result_.status, RunStatus::success) << failure();
        EXPECT_EQ(output().at("outputs").at("v"), value) << config;
    }
}

TEST_F(Joins, WhatAPersonIsAskedIsAText)
{
    compile(drawn_flow({{"start", "start"},
                        {"each", "iteration", {{"items", Json::array({7})}, {"output", "{{nodes.ok.action}}"}}},
                        {"ok", "human_input", {{"prompt", "{{item}}"}}, {{"parent", "each"}}}},
                       {"start>each"}));
    run();
    ASSERT_EQ(result_.status, RunStatus::interrupted) << failure();
    EXPECT_EQ(result_.interrupts.at(0).value.at("prompt"), "7");
}

}  // namespace compiler_test
}  // namespace dure::flows
