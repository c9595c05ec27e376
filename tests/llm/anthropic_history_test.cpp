// What a conversation brings along when it goes to Anthropic: calls and thinking of other providers, broken arguments, and what a
// model that thinks cannot be asked for.
#include <gtest/gtest.h>

#include "llm/anthropic/request.hpp"

namespace dure::llm::anthropic {

namespace {

Result<TranslatedRequest> translated(const std::string& request, bool of_agent = false, bool older = false)
{
    RequestOptions options;
    options.model = "claude";
    options.of_agent = of_agent;
    options.sampling = older;
    return translate_request(OrderedJson::parse(request), options);
}

Json plain(const OrderedJson& document)
{
    return Json::parse(document.dump());
}

TEST(AnthropicHistory, ArgumentsTheModelBrokeAreTheAgentsToTellIt)
{
    for (const auto* arguments : {R"({\"expression\":)", "[1]", "x"}) {
        const auto history =
            R"({"messages":[{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f",
            "arguments":")" +
            std::string(arguments) + R"("}}]},{"role":"tool","tool_call_id":"a","content":"Error: no JSON"}]})";
        const auto refused = translated(history);
        ASSERT_FALSE(refused) << arguments;
        EXPECT_EQ(refused.error().param(), "messages[0].tool_calls[0].function.arguments");
        const auto made = translated(history, true);
        ASSERT_TRUE(made) << made.error().message();
        EXPECT_EQ(plain(made->body["messages"][0]["content"][0]),
                  Json::parse(R"({"type":"tool_use","id":"a","name":"f","input":{}})"));
    }
}

TEST(AnthropicHistory, ThinkingOfOtherProvidersStaysBehind)
{
    const auto made = translated(R"({"messages":[{"role":"assistant","content":"x","reasoning_details":[
        {"type":"reasoning.text","text":"mine","signature":"s","format":"anthropic-claude-v1"},
        {"type":"reasoning.encrypted","data":"d"},
        {"type":"reasoning.text","text":"t","signature":"s","format":"google-gemini-v1"},
        {"type":"reasoning.encrypted","data":"e","format":"openai-responses-v1"}]}]})");
    ASSERT_TRUE(made);
    EXPECT_EQ(plain(made->body["messages"][0]["content"]),
              Json::parse(R"([{"type":"thinking","thinking":"mine","signature":"s"},
                              {"type":"redacted_thinking","data":"d"},{"type":"text","text":"x"}])"));
}

TEST(AnthropicHistory, ARefusalIsATurn)
{
    const auto made = translated(R"({"messages":[{"role":"user","content":"a"},
        {"role":"assistant","content":null,"refusal":"I cannot."},{"role":"user","content":"b"}]})");
    ASSERT_TRUE(made);
    ASSERT_EQ(made->body["messages"].size(), 3u);
    EXPECT_EQ(plain(made->body["messages"][1]["content"]), Json::parse(R"([{"type":"text","text":"I cannot."}])"));
}

TEST(AnthropicHistory, AnImageThatHoldsItsDataInAnotherFormIsRefused)
{
    const auto refused = translated(R"({"messages":[{"role":"user","content":[
        {"type":"image_url","image_url":{"url":"data:image/svg+xml,%3Csvg/%3E"}}]}]})");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().param(), "messages[0].content[0].image_url");
}

TEST(AnthropicHistory, IdsOfOtherProvidersGetAFormThatIsTakenThere)
{
    const auto made = translated(R"({"messages":[{"role":"assistant","tool_calls":[
        {"id":"functions.f:0","function":{"name":"f","arguments":"{}"}},{"id":"call:1/한 x","function":{"name":"f","arguments":"{}"}},
        {"id":"toolu_A-1","function":{"name":"f","arguments":"{}"}}]},
        {"role":"tool","tool_call_id":"call:1/한 x","content":"1"},{"role":"tool","tool_call_id":"functions.f:0","content":"0"},
        {"role":"tool","tool_call_id":"toolu_A-1","content":"2"}]})");
    ASSERT_TRUE(made);
    const auto calls = plain(made->body["messages"][0]["content"]),
               results = plain(made->body["messages"][1]["content"]);
    EXPECT_EQ(calls[0]["id"], results[1]["tool_use_id"]);
    EXPECT_EQ(calls[1]["id"], results[0]["tool_use_id"]);
    EXPECT_NE(calls[0]["id"], calls[1]["id"]);
    EXPECT_EQ(calls[2]["id"], "toolu_A-1");
    for (const auto& call : calls)
        EXPECT_EQ(call["id"].get<std::string>().find_first_not_of(
                      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"),
                  std::string::npos)
            << call;
}

TEST(AnthropicHistory, WhoThinksCannotBeForcedToCall)
{
    const std::string tools =
        R"("tools":[{"type":"function","function":{"name":"f"}}],"reasoning_effort":"high","messages":[],)";
    for (const std::string choice : {R"("required")", R"({"type":"function","function":{"name":"f"}})"}) {
        const auto request = "{" + tools + R"("max_tokens":9000,"tool_choice":)" + choice + "}";
        const auto newer = translated(request), older = translated(request, false, true);
        ASSERT_TRUE(newer && older);
        for (const auto* made : {&newer, &older})
            EXPECT_FALSE((*made)->body.contains("thinking")) << (*made)->body;
        EXPECT_EQ(newer->body["output_config"]["effort"], "high");
        EXPECT_EQ(older->dropped, std::vector<std::string>{"reasoning_effort"});
    }
    const auto free = translated("{" + tools + R"("max_tokens":9000,"tool_choice":"auto"})", false, true);
    EXPECT_TRUE(free->body.contains("thinking"));
}

TEST(AnthropicHistory, ThinkingLeavesRoomForTheAnswer)
{
    const std::pair<int, int> budgets[] = {{40000, 8192}, {4000, 2000}, {2000, 1024}, {1025, 1024}, {1024, 0}};
    for (const auto& [most, budget] : budgets) {
        const auto made = translated(
            R"({"messages":[],"reasoning_effort":"medium","max_tokens":)" + std::to_string(most) + "}", false, true);
        ASSERT_TRUE(made);
        const auto thinking = made->body.value("thinking", OrderedJson::object());
        EXPECT_EQ(thinking.value("budget_tokens", 0), budget) << most;
    }
}

}  // namespace

}  // namespace dure::llm::anthropic
