// The strategy "planner": it plans, works, revises and answers, within its bound.
#include "agents/fixture.hpp"

namespace dure::agents {
namespace {

using namespace test;
using dure::test::completion_script;

class PlannerTest : public AgentTest {
protected:
    PlannerTest() { request.strategy = "planner"; }
    std::string read_in(std::size_t call) const { return sent(call)["messages"].back()["content"].get<std::string>(); }
};

TEST_F(PlannerTest, PlansWorksRevisesAndAnswers)
{
    request.messages.push_back(message(model::Role::system, "Earlier: the user likes metric units."));
    upstream.enqueue(completion_script("```json\n{'steps': ['첫 단계', 'second step'],}\n```"));
    upstream.enqueue(completion_script("the first result"));
    upstream.enqueue(completion_script(R"({"steps":["another step"]})"));
    upstream.enqueue(completion_script("the other result"));
    upstream.enqueue(completion_script(R"({"steps":[]})"));
    upstream.enqueue(turn({"final ", "answer"}));
    ASSERT_TRUE(ask("비교해 줘").has_value());
    EXPECT_EQ(record.path, (Names{"tool_selector", "planner", "step", "planner", "step", "planner", "answer"}));
    EXPECT_EQ(sink.shown.text, "final answer");
    EXPECT_EQ(record.completion.usage.total(), 72);
    for (const std::size_t call : {0, 1, 5})  // the memory of the conversation reaches planning, working and answering
        EXPECT_NE(sent(call)["messages"][0]["content"].get<std::string>().find("metric units"), std::string::npos)
            << call;
    EXPECT_NE(read_in(1).find("첫 단계"), std::string::npos);
    EXPECT_NE(read_in(2).find("the first result"), std::string::npos);
    EXPECT_NE(read_in(3).find("another step"), std::string::npos);
    EXPECT_NE(read_in(5).find("the other result"), std::string::npos);
    EXPECT_EQ(sent(5)["messages"].back()["role"], "user");
    EXPECT_TRUE(tools_offered(5).empty());
}

TEST_F(PlannerTest, AnEmptyPlanIsAnsweredAtOnce)
{
    upstream.enqueue(completion_script(R"({"steps":[],"reasoning":"easy"})"));
    upstream.enqueue(turn({"hi"}));
    ASSERT_TRUE(ask("hello").has_value());
    EXPECT_EQ(record.path, (Names{"tool_selector", "planner", "answer"}));
    EXPECT_EQ(sink.shown.text, "hi");
    EXPECT_EQ(sent(1)["messages"].back()["content"], "hello");
}

TEST_F(PlannerTest, AnUnusablePlanIsCorrectedOnce)
{
    upstream.enqueue(completion_script("I would look it up."));
    upstream.enqueue(completion_script(R"({"steps":["look it up"]})"));
    upstream.enqueue(completion_script("found"));
    upstream.enqueue(completion_script(R"({"steps":[]})"));
    upstream.enqueue(turn({"answer"}));
    ASSERT_TRUE(ask("x").has_value());
    EXPECT_NE(read_in(1).find("\"steps\""), std::string::npos);
    EXPECT_EQ(sink.shown.text, "answer");
}

TEST_F(PlannerTest, AModelThatCannotPlanTakesTheQuestionAsItsOneStep)
{
    request.model = "plain";
    for (const auto* prose : {"I would compute it.", R"({"steps":[7]})"})
        upstream.enqueue(completion_script(prose));
    upstream.enqueue(completion_script(
        R"({"action":"execute_tool","selected_tool":"calculator","arguments":{"expression":"6*7"}})"));
    upstream.enqueue(completion_script(R"({"action":"END"})"));
    upstream.enqueue(completion_script("It is 42."));
    for (const auto* prose : {"Nothing is left.", "Really."})
        upstream.enqueue(completion_script(prose));
    upstream.enqueue(turn({"42"}));
    ASSERT_TRUE(ask("6*7").has_value());
    ASSERT_EQ(record.tools_used.size(), 1u);
    EXPECT_EQ(record.tools_used[0].result, R"json({"expression":"6*7","result":42})json");
    EXPECT_EQ(sink.shown.text, "42");
}

TEST_F(PlannerTest, AStepUsesToolsAndAFailedStepIsKnownToThePlanner)
{
    request.model = "plain";
    upstream.enqueue(completion_script(R"({"steps":["compute"]})"));
    upstream.enqueue(completion_script(
        R"({"action":"execute_tool","selected_tool":"calculator","arguments":{"expression":"6*7"}})"));
    upstream.enqueue(completion_script(R"({"action":"END"})"));
    upstream.enqueue(dure::test::error_script(400, "broken", "invalid_request_error"));
    upstream.enqueue(completion_script(R"({"steps":[]})"));
    upstream.enqueue(turn({"could not"}));
    ASSERT_TRUE(ask("6*7").has_value());
    EXPECT_EQ(record.tools_used.at(0).result, R"json({"expression":"6*7","result":42})json");
    EXPECT_NE(read_in(4).find("(failed)"), std::string::npos);
    EXPECT_EQ(sink.shown.text, "could not");
}

// Ids of calls begin anew in each step; a server that has done the key's work does not do it again.
TEST_F(PlannerTest, CallsOfDifferentStepsHaveDifferentIdempotencyKeys)
{
    request.model = "plain";
    auto note = std::make_unique<KeyedTool>("note");
    const auto& keys = note->keys;
    agents();
    registry().add(std::move(note));
    for (const auto* plan : {R"({"steps":["note a"]})", R"({"steps":["note b"]})"}) {
        upstream.enqueue(completion_script(plan));
        upstream.enqueue(completion_script(R"({"action":"execute_tool","selected_tool":"note","arguments":{"x":1}})"));
        upstream.enqueue(completion_script(R"({"action":"END"})"));
        upstream.enqueue(completion_script("noted"));
    }
    upstream.enqueue(completion_script(R"({"steps":[]})"));
    upstream.enqueue(turn({"done"}));
    ASSERT_TRUE(ask("note it twice").has_value());
    ASSERT_EQ(keys.size(), 2u);
    EXPECT_NE(keys[0], keys[1]);
}

TEST_F(PlannerTest, StepsAreBound)
{
    settings.agent.max_iterations = 2;
    for (int i = 0; i < 2; ++i) {
        upstream.enqueue(completion_script(R"({"steps":["more","and more"]})"));
        upstream.enqueue(completion_script("result"));
    }
    upstream.enqueue(turn({"enough"}));
    ASSERT_TRUE(ask("x").has_value());
    EXPECT_EQ(upstream.request_count(), 5);
    EXPECT_EQ(sink.shown.text, "enough");
}

}  // namespace
}  // namespace dure::agents
