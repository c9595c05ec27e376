// coe-agent-v1 with models that do not call tools by themselves: the router's JSON, its repair, and the prompts.
#include <filesystem>
#include <fstream>

#include "agents/fixture.hpp"
#include "agents/prompts.hpp"

namespace dure::agents {
namespace {

using namespace test;
using dure::test::completion_script;

class JsonRouterTest : public AgentTest {
protected:
    JsonRouterTest() { request.model = "plain"; }
};

TEST_F(JsonRouterTest, ADecisionRunsTheToolAndTheAnswerStreams)
{
    upstream.enqueue(completion_script(
        R"json(Sure: {"action":"execute_tool","selected_tool":"calculator","arguments":{"expression":"12*(3+4)"},"reasoning":"math"} ok)json"));
    upstream.enqueue(completion_script(R"({"action":"direct_response","selected_tool":null,"reasoning":"done"})"));
    upstream.enqueue(turn({"It is ", "84."}));
    ASSERT_TRUE(ask("What is 12*(3+4)?").has_value());
    EXPECT_EQ(record.path, (Names{"tool_selector", "router", "executor", "router", "summarizer"}));
    EXPECT_EQ(sink.shown.text, "It is 84.");
    EXPECT_EQ(record.tools_used.at(0).result, R"json({"expression":"12*(3+4)","result":84})json");
    const auto router = sent(0)["messages"][0]["content"].get<std::string>();
    for (const auto* mark : {"\"action\"", "\"selected_tool\"", "{\"name\":\"calculator\",\"description\":"})
        EXPECT_NE(router.find(mark), std::string::npos) << mark;
    EXPECT_FALSE(sent(0).contains("tools"));
    EXPECT_FALSE(sent(2).contains("tools"));
    EXPECT_EQ(record.completion.usage.total(), 36);
}

TEST_F(JsonRouterTest, MissingArgumentsAreAskedFor)
{
    upstream.enqueue(completion_script(R"({"action":"execute_tool","selected_tool":"calculator","reasoning":""})"));
    upstream.enqueue(completion_script("```json\n{\"expression\":\"1+1\"}\n```"));
    upstream.enqueue(completion_script(R"({"action":"END","selected_tool":null})"));
    upstream.enqueue(turn({"2"}));
    ASSERT_TRUE(ask("1+1?").has_value());
    EXPECT_NE(sent(1)["messages"][0]["content"].get<std::string>().find("\"expression\""), std::string::npos);
    EXPECT_TRUE(record.tools_used.at(0).success);
    EXPECT_EQ(sink.shown.text, "2");
}

TEST_F(JsonRouterTest, AnUnusableDecisionIsCorrectedOnceThenAnsweredDirectly)
{
    const char* const unusable[] = {"no idea",
                                    "{\"action\": ",
                                    R"({"action":"dance"})",
                                    R"({"action":"execute_tool","selected_tool":"ghost"})",
                                    R"(["execute_tool"])",
                                    R"({"action":5})"};
    int calls = 0;
    for (const auto* text : unusable) {
        sink.shown = model::Completion();
        record = AgentRecord();
        upstream.enqueue(completion_script(text));
        upstream.enqueue(completion_script(text));
        upstream.enqueue(turn({"answer"}));
        ASSERT_TRUE(ask("x").has_value()) << text;
        EXPECT_EQ(sink.shown.text, "answer") << text;
        EXPECT_EQ(record.path, (Names{"tool_selector", "router", "summarizer"}));
        calls += 3;
        EXPECT_EQ(upstream.request_count(), calls) << text;
    }
    EXPECT_EQ(sent(1)["messages"].back()["role"], "system");
}

TEST_F(JsonRouterTest, NeedMoreInfoAsksTheUser)
{
    upstream.enqueue(completion_script(R"({"action":"need_more_info","selected_tool":null,"reasoning":"which city?"})"));
    upstream.enqueue(turn({"Which city?"}));
    ASSERT_TRUE(ask("weather?").has_value());
    EXPECT_EQ(sink.shown.text, "Which city?");
    EXPECT_NE(sent(1)["messages"][0]["content"].get<std::string>().find("ask the user one short"), std::string::npos);
}

TEST_F(JsonRouterTest, AfterThreeQuestionsInARowItAnswers)
{
    for (const auto* asked : {"Which city?", "어느 도시인가요? ", "어느 날인가요？"}) {
        request.messages.push_back(message(model::Role::user, "weather"));
        request.messages.push_back(message(model::Role::assistant, asked));
    }
    upstream.enqueue(completion_script(R"({"action":"need_more_info","selected_tool":null})"));
    upstream.enqueue(turn({"I cannot tell."}));
    ASSERT_TRUE(ask("just the weather").has_value());
    EXPECT_EQ(sent(1)["messages"][0]["content"].get<std::string>().find("ask the user one short, concrete"), std::string::npos);

    request.messages[3] = message(model::Role::assistant, "It was an answer.");
    upstream.enqueue(completion_script(R"({"action":"need_more_info","selected_tool":null})"));
    upstream.enqueue(turn({"Which one?"}));
    ASSERT_TRUE(run().has_value());
    EXPECT_NE(sent(3)["messages"][0]["content"].get<std::string>().find("ask the user one short, concrete"), std::string::npos);
}

TEST_F(JsonRouterTest, AClientToolIsDecidedOnToo)
{
    request.client_tools = {client_tool("lookup")};
    upstream.enqueue(
        completion_script(R"({"action":"execute_tool","selected_tool":"lookup","arguments":{"q":"서울"}})"));
    ASSERT_TRUE(ask("where?").has_value());
    ASSERT_EQ(sink.shown.tool_calls.size(), 1u);
    EXPECT_EQ(sink.shown.tool_calls[0].name, "lookup");
    EXPECT_EQ(Json::parse(sink.shown.tool_calls[0].arguments), (Json{{"q", "서울"}}));
    EXPECT_EQ(record.completion.finish_reason, "tool_calls");
    EXPECT_TRUE(record.tools_used.empty());
    const auto router = sent(0)["messages"][0]["content"].get<std::string>();
    for (const auto* name : {"\"lookup\"", "\"calculator\""})
        EXPECT_NE(router.find(name), std::string::npos) << name;

    request.tool_choice = "none";
    upstream.enqueue(completion_script(R"({"action":"direct_response","selected_tool":null})"));
    upstream.enqueue(turn({"no"}));
    ASSERT_TRUE(run().has_value());
    EXPECT_EQ(sent(1)["messages"][0]["content"].get<std::string>().find("\"lookup\""), std::string::npos);
}

TEST_F(JsonRouterTest, ADemandedCallIsMadeOrTheRequestFails)
{
    request.client_tools = {client_tool("lookup"), client_tool("save")};
    request.tool_choice = OrderedJson{{"type", "function"}, {"function", {{"name", "save"}}}};
    upstream.enqueue(completion_script(R"({"q":"x"})"));   // only its arguments are left to ask for
    ASSERT_TRUE(ask("keep it").has_value());
    ASSERT_EQ(sink.shown.tool_calls.size(), 1u);
    EXPECT_EQ(sink.shown.tool_calls[0].name, "save");
    EXPECT_EQ(Json::parse(sink.shown.tool_calls[0].arguments), (Json{{"q", "x"}}));

    request.tool_choice = "required";
    for (int i = 0; i < 2; ++i)
        upstream.enqueue(completion_script(R"({"action":"direct_response","selected_tool":null})"));
    const auto refused = run();
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().reason(), "upstream_protocol_error");

    request.strategy = "simple";
    const auto never = run();
    ASSERT_FALSE(never.has_value());
    EXPECT_EQ(never.error().reason(), "tools_not_supported");
    EXPECT_EQ(upstream.request_count(), 3);
}

TEST_F(JsonRouterTest, TheLoopIsBound)
{
    settings.agent.max_iterations = 2;
    for (int i = 0; i < 2; ++i)
        upstream.enqueue(completion_script(
            R"({"action":"execute_tool","selected_tool":"calculator","arguments":{"expression":"1+1"}})"));
    upstream.enqueue(turn({"2"}));
    ASSERT_TRUE(ask("x").has_value());
    EXPECT_EQ(record.tools_used.size(), 2u);
    EXPECT_EQ(upstream.request_count(), 3);
}

TEST_F(JsonRouterTest, WithoutToolsThereIsNothingToDecide)
{
    request.use_tools = false;
    upstream.enqueue(turn({"hi"}));
    ASSERT_TRUE(ask("x").has_value());
    EXPECT_EQ(upstream.request_count(), 1);
    EXPECT_EQ(record.path, (Names{"tool_selector", "router", "summarizer"}));
}

TEST(Prompts, AreThereInBothLanguagesAndAFileOverridesThem)
{
    Logger logger(Logger::Options{LogLevel::error, true, ""});
    const Prompts builtin("", logger);
    for (const auto language : {Language::english, Language::korean})
        for (const auto* name : {"agent", "router", "arguments", "clarify"})
            EXPECT_FALSE(builtin.get(language, name).empty()) << name;
    EXPECT_THROW(builtin.get(Language::english, "ghost"), InvariantBroken);

    const auto folder = std::filesystem::temp_directory_path() / ("dure-prompts-" + new_id());
    std::filesystem::create_directories(folder / "ko");
    std::ofstream(folder / "ko" / "agent.md") << "새 지시";
    std::ofstream(folder / "ko" / "router.md") << "\xff broken";
    const Prompts own(folder.string(), logger);
    EXPECT_EQ(own.get(Language::korean, "agent"), "새 지시");
    EXPECT_EQ(own.get(Language::korean, "router"), builtin.get(Language::korean, "router"));
    EXPECT_EQ(own.get(Language::english, "agent"), builtin.get(Language::english, "agent"));
    std::filesystem::remove_all(folder);
}

TEST(Prompts, LanguageFollowsTheTextUnlessConfigured)
{
    struct Case {
        const char* configured;
        const char* text;
        Language expected;
    };
    const Case cases[] = {{"auto", "안녕", Language::korean},       {"auto", "hello", Language::english},
                          {"auto", "hello 세계", Language::korean}, {"auto", "ㅋㅋ", Language::korean},
                          {"auto", "日本語", Language::english},     {"auto", "", Language::english},
                          {"ko", "hello", Language::korean},        {"en", "안녕", Language::english}};
    for (const auto& one : cases)
        EXPECT_EQ(language_of(one.configured, one.text), one.expected) << one.configured << " " << one.text;
}

TEST(Prompts, FillReplacesKnownMarksInOnePass)
{
    EXPECT_EQ(fill("a {{x}} b {{y}} {{z}} {{", {{"x", "{{y}}"}, {"y", "2"}}), "a {{y}} b 2 {{z}} {{");
    EXPECT_EQ(fill("", {}), "");
}

}  // namespace
}  // namespace dure::agents
