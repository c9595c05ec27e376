// The client's own tools: their calls end the answer, in a form the client can read, by choice or by demand.
#include "agents/fixture.hpp"

namespace dure::agents {
namespace {

using namespace test;

class ClientToolsTest : public AgentTest {};

TEST_F(ClientToolsTest, CallsOfClientToolsEndTheAnswer)
{
    request.client_tools = {client_tool("lookup"), client_tool("save")};
    upstream.enqueue(turn({}, {{"k1", "lookup", R"({"q":"a"})"}, {"k2", "save", ""}}));
    ASSERT_TRUE(ask("find a").has_value());
    EXPECT_EQ(tools_offered(0), (Names{"calculator", "lookup", "save"}));
    EXPECT_EQ(record.completion.finish_reason, "tool_calls");
    ASSERT_EQ(sink.shown.tool_calls.size(), 2u);
    EXPECT_EQ(sink.shown.tool_calls[0].id, "k1");
    EXPECT_EQ(sink.shown.tool_calls[0].name, "lookup");
    EXPECT_EQ(sink.shown.tool_calls[0].arguments, R"({"q":"a"})");
    EXPECT_EQ(sink.shown.tool_calls[1].arguments, "{}");
    EXPECT_TRUE(record.tools_used.empty());
    EXPECT_EQ(upstream.request_count(), 1);
}

TEST_F(ClientToolsTest, OneCallOfAClientToolWhereItWantsOneAtATime)
{
    request.client_tools = {client_tool("lookup"), client_tool("save")};
    request.extra = OrderedJson{{"parallel_tool_calls", false}};
    upstream.enqueue(turn({}, {{"k1", "lookup", "{}"}, {"k2", "save", "{}"}}));   // a model that does not obey
    ASSERT_TRUE(ask("find a").has_value());
    EXPECT_EQ(sent(0)["parallel_tool_calls"], false);
    ASSERT_EQ(sink.shown.tool_calls.size(), 1u);
    EXPECT_EQ(sink.shown.tool_calls[0].id, "k1");
    EXPECT_EQ(record.completion.tool_calls.size(), 1u);

    request.client_tools.clear();
    request.use_tools = false;
    upstream.enqueue(turn({"a"}));
    ASSERT_TRUE(ask("x").has_value());
    EXPECT_FALSE(sent(1).contains("parallel_tool_calls")) << "providers refuse it where there are no tools";
}

TEST_F(ClientToolsTest, MixedCallsRunTheServersAndReturnTheClients)
{
    request.client_tools = {client_tool("lookup")};
    upstream.enqueue(turn({}, {{"c1", "calculator", R"({"expression":"1+1"})"}, {"k1", "lookup", "{}"}}));
    ASSERT_TRUE(ask("both").has_value());
    ASSERT_EQ(sink.shown.tool_calls.size(), 1u);
    EXPECT_EQ(sink.shown.tool_calls[0].name, "lookup");
    EXPECT_NE(sink.shown.reasoning.find("\"result\":2"), std::string::npos);
    EXPECT_EQ(record.completion.finish_reason, "tool_calls");
    EXPECT_EQ(record.path, (Names{"tool_selector", "router", "executor", "summarizer"}));
}

// The client sends them back with its results; who signed them refuses the next turn without them (llm-upstreams §5).
TEST_F(ClientToolsTest, SignedThoughtsOfACallGoToTheClient)
{
    const Json thought = {{"type", "reasoning.text"}, {"text", "hm"}, {"signature", "sig"}, {"index", 0}};
    request.client_tools = {client_tool("lookup")};
    upstream.enqueue(dure::test::stream_script(
        {dure::test::role_chunk(), dure::test::delta_chunk({{"reasoning_details", Json::array({thought})}}),
         dure::test::tool_chunk(dure::test::tool_call_json(0, "k1", "lookup", "{}")),
         dure::test::finish_chunk("tool_calls"), dure::test::usage_chunk()}));
    ASSERT_TRUE(ask("find a").has_value());
    EXPECT_EQ(Json(record.completion.reasoning_details), Json::array({thought}));
    upstream.enqueue(turn({"plain"}));
    record = {};
    ASSERT_TRUE(ask("hello").has_value());
    EXPECT_TRUE(record.completion.reasoning_details.is_null());
}

TEST_F(ClientToolsTest, ArgumentsForTheClientAreOneJsonObject)
{
    request.client_tools = {client_tool("lookup")};
    const std::pair<const char*, Json> readable[] = {{"{'q': 'x',}", Json{{"q", "x"}}}, {"null", Json::object()}};
    for (const auto& [said, meant] : readable) {
        sink.shown = model::Completion();
        upstream.enqueue(turn({}, {{"k1", "lookup", said}}));
        ASSERT_TRUE(ask("x").has_value()) << said;
        ASSERT_EQ(sink.shown.tool_calls.size(), 1u) << said;
        EXPECT_EQ(Json::parse(sink.shown.tool_calls[0].arguments), meant) << said;
    }
    sink.shown = model::Completion();
    const auto before = upstream.request_count();
    upstream.enqueue(turn({}, {{"k1", "lookup", "[1]"}}));
    upstream.enqueue(turn({}, {{"k2", "lookup", R"({"q":"y"})"}}));
    ASSERT_TRUE(ask("x").has_value());
    ASSERT_EQ(sink.shown.tool_calls.size(), 1u);
    EXPECT_EQ(sink.shown.tool_calls[0].arguments, R"({"q":"y"})");
    const auto told = sent(before + 1)["messages"].back();
    EXPECT_EQ(told["role"], "tool");
    EXPECT_NE(told["content"].get<std::string>().find("one JSON object"), std::string::npos);
}

TEST_F(ClientToolsTest, AToolThatNobodyOfferedIsNotAskedForAgain)
{
    request.use_tools = false;
    upstream.enqueue(turn({}, {{"k1", "lookup", "{}"}}));
    const auto failed = ask("x");
    ASSERT_FALSE(failed.has_value());
    EXPECT_NE(failed.error().message().find("none was offered"), std::string::npos);
    EXPECT_EQ(upstream.request_count(), 1);
}

TEST_F(ClientToolsTest, AClientToolWinsOverAServerToolOfItsName)
{
    request.client_tools = {client_tool("calculator")};
    upstream.enqueue(turn({}, {{"k1", "calculator", "{}"}}));
    ASSERT_TRUE(ask("1+1").has_value());
    EXPECT_EQ(tools_offered(0), (Names{"calculator"}));
    EXPECT_EQ(sent(0)["tools"][0]["function"]["description"], "A tool of the client");
    EXPECT_EQ(sink.shown.tool_calls.size(), 1u);
    EXPECT_TRUE(record.tools_used.empty());
}

TEST_F(ClientToolsTest, ToolChoiceOfTheClientIsHonoured)
{
    request.client_tools = {client_tool("lookup")};
    request.tool_choice = "none";
    upstream.enqueue(turn({"a"}));
    ASSERT_TRUE(ask("x").has_value());
    EXPECT_EQ(tools_offered(0), (Names{"calculator"}));

    request.tool_choice = "required";
    upstream.enqueue(turn({}, {{"k1", "lookup", "{}"}}));
    ASSERT_TRUE(run().has_value());
    EXPECT_EQ(tools_offered(1), (Names{"lookup"}));
    EXPECT_EQ(sent(1)["tool_choice"], "required");
}

// openai-clients §5: tool_choice is never an error for the agent, which has tools of its own.
TEST_F(ClientToolsTest, AChoiceAmongNoToolsLeavesTheAgentToItsOwn)
{
    for (const auto* choice : {R"("required")", R"({"type":"function","function":{"name":"ghost"}})"}) {
        request.tool_choice = OrderedJson::parse(choice);
        upstream.enqueue(turn({"a"}));
        const auto asked = upstream.request_count();
        const auto answered = ask("x");
        ASSERT_TRUE(answered.has_value()) << choice << ": " << answered.error().message();
        EXPECT_EQ(tools_offered(asked), (Names{"calculator"})) << choice;
        EXPECT_FALSE(sent(asked).contains("tool_choice")) << choice;
    }
}

}  // namespace
}  // namespace dure::agents
