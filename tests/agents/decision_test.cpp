// The router's answers as models really write them: what is mended, what is understood, what is sent back.
#include <gtest/gtest.h>

#include "agents/decision.hpp"
#include "dure/agents/lenient_json.hpp"

namespace dure::agents {
namespace {

const std::vector<std::string> offered{"calculator", "weather", "web_search"};

TEST(Decision, IsReadOutOfMalformedAnswers)
{
    struct Case {
        const char* text;
        const char* action;
        const char* tool;
        const char* arguments;
    };
    const Case cases[] = {
        {R"({"action":"execute_tool","selected_tool":"weather","arguments":{"city":"서울"},"reasoning":"r"})",
         "execute_tool", "weather", R"({"city":"서울"})"},
        {"```json\n{\"action\": \"direct_response\", \"selected_tool\": null}\n```", "direct_response", "", ""},
        {"생각해 보니 도구가 필요합니다.\n{\"action\":\"execute_tool\",\"selected_tool\":\"calculator\"}\n이상입니다.",
         "execute_tool", "calculator", ""},
        {"Set {x} first. {\"action\":\"END\",\"selected_tool\":null} Done {y}.", "END", "", ""},
        {R"({"action":"execute_tool","selected_tool":"weather",})", "execute_tool", "weather", ""},
        {R"({"action":"execute_tool","selected_tool":"weather","arguments":{"days":[1,2,],},})", "execute_tool",
         "weather", R"({"days":[1,2]})"},
        {"{'action': 'execute_tool', 'selected_tool': 'calculator', 'arguments': {'expression': '2+2'}}",
         "execute_tool", "calculator", R"({"expression":"2+2"})"},
        {"{'action': 'direct_response', 'selected_tool': None, 'reasoning': 'it\\'s the user\\'s own name'}",
         "direct_response", "", ""},
        {"{'action': 'direct_response', 'reasoning': 'the user's name'}", "direct_response", "", ""},
        {"{action: execute_tool, selected_tool: calculator, arguments: {expression: \"1+1\"}}", "execute_tool",
         "calculator", R"({"expression":"1+1"})"},
        {"{“action”: “need_more_info”, “selected_tool”: null, “reasoning”: “어느 도시인지 모릅니다”}", "need_more_info",
         "", ""},
        {"{\"action\":\"execute_tool\", // the tool\n \"selected_tool\":\"weather\" /* best */}", "execute_tool",
         "weather", ""},
        {R"({"action":"execute_tool","selected_tool":"calculator","arguments":{"expression":"1+1")", "execute_tool",
         "calculator", R"({"expression":"1+1"})"},
        {"{\"action\":\"direct_response\",\"selected_tool\":null,\"reasoning\":\"two\nlines\"}", "direct_response", "",
         ""},
        {R"({"action":"Execute-Tool","selected_tool":"functions.web_search"})", "execute_tool", "web_search", ""},
        {R"({"action":"calculator","arguments":{"expression":"3*3"}})", "execute_tool", "calculator",
         R"({"expression":"3*3"})"},
        {R"({"selected_tool":"weather"})", "execute_tool", "weather", ""},
        {R"({"action":"execute_tool","selected_tool":{"name":"weather","arguments":{"city":"부산"}}})", "execute_tool",
         "weather", R"({"city":"부산"})"},
        {R"({"action":"execute_tool","selected_tool":"weather","arguments":"{\"city\":\"부산\"}"})", "execute_tool",
         "weather", R"({"city":"부산"})"},
        {R"({"action":"execute_tool","selected_tool":"Web Search"})", "execute_tool", "web_search", ""},
        {R"({"action":"execute_tool","selected_tool":"calcualtor"})", "execute_tool", "calculator", ""},
        {R"({"action":"execute_tool","selected_tool":"wether"})", "execute_tool", "weather", ""},
        {R"({"action":"end"})", "END", "", ""},
        {R"(<think>{"days":1} would do</think>{"action":"execute_tool","selected_tool":"weather"})", "execute_tool",
         "weather", ""},
        {R"(It fits {"name":"weather"}: {"action":"execute_tool","selected_tool":"weather","arguments":{"city":"부산"},})",
         "execute_tool", "weather", R"({"city":"부산"})"},
        // The arguments need no mending, what is around them does.
        {"{\"action\":\"execute_tool\", // go\n\"selected_tool\":\"weather\",\"arguments\":{\"city\":\"부산\"}}",
         "execute_tool", "weather", R"({"city":"부산"})"},
        {R"({"action":"execute_tool","selected_tool":"weather","arguments":{"city":"부산"})", "execute_tool", "weather",
         R"({"city":"부산"})"},
        {R"({"decision":{"action":"direct_response","selected_tool":null}})", "direct_response", "", ""},
        {R"({"action":"weather","action_input":{"city":"부산"}})", "execute_tool", "weather", R"({"city":"부산"})"},
        {R"({"tool":"weather","arguments":{"action":"now"}})", "execute_tool", "weather", R"({"action":"now"})"},
    };
    for (const auto& one : cases) {
        const auto read = read_decision(one.text, offered);
        const auto* decision = std::get_if<Decision>(&read);
        ASSERT_TRUE(decision) << one.text << "\n" << std::get<Misunderstood>(read).problem;
        EXPECT_EQ(decision->action, one.action) << one.text;
        EXPECT_EQ(decision->tool, one.tool) << one.text;
        EXPECT_EQ(decision->arguments, one.arguments) << one.text;
    }
}

TEST(Decision, WhatIsInDoubtIsSentBackWithTheReason)
{
    struct Case {
        const char* text;
        const char* problem;
    };
    const Case cases[] = {
        {"", "no JSON object"},
        {"I cannot decide.", "no JSON object"},
        {"{", "no JSON object"},
        {"[1,2]", "no JSON object"},
        {R"({"action":"dance"})", "\"action\" must be"},
        {R"({"action":5})", "\"action\" must be"},
        {R"({"reasoning":"hm"})", "\"action\" must be"},
        {R"({"action":"execute_tool"})", "calculator, weather, web_search"},
        {R"({"action":"execute_tool","selected_tool":"stock_prices"})", "calculator, weather, web_search"},
        {R"({"action":"execute_tool","selected_tool":7})", "calculator, weather, web_search"},
        {R"({"action":"execute_tool","selected_tool":"날씨"})", "calculator, weather, web_search"},
    };
    for (const auto& one : cases) {
        const auto read = read_decision(one.text, offered);
        const auto* problem = std::get_if<Misunderstood>(&read);
        ASSERT_TRUE(problem) << one.text;
        EXPECT_NE(problem->problem.find(one.problem), std::string::npos) << one.text << "\n" << problem->problem;
    }
}

TEST(Decision, ANameBetweenTwoToolsIsNoTool)
{
    EXPECT_EQ(nearest_tool("get_user_x", {"get_user_a", "get_user_b"}), std::nullopt);
    EXPECT_EQ(nearest_tool("get_user_a", {"get_user_a", "get_user_b"}), "get_user_a");
    EXPECT_EQ(nearest_tool("", {"a"}), std::nullopt);
    EXPECT_EQ(nearest_tool(std::string(10000, 'a'), {"a"}), std::nullopt);
}

TEST(LenientJson, HostileTextIsBounded)
{
    EXPECT_EQ(object_in(R"({'a': {"b": 1}})"), (Json{{"a", {{"b", 1}}}}));
    EXPECT_FALSE(object_in(std::string(200000, '{')));
    EXPECT_FALSE(object_in(std::string(300000, ' ') + R"({"a":1})"));
    std::string deep;
    for (int i = 0; i < 100; ++i)
        deep += "{\"a\":";
    EXPECT_FALSE(object_in(deep + "1" + std::string(100, '}')));
    EXPECT_FALSE(object_in("{\"a\":\"\xff\"}"));
    EXPECT_FALSE(object_in("{'a\\"));
}

}  // namespace
}  // namespace dure::agents
