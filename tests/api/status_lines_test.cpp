// The progress lines over an answer in Open WebUI: one a step, and one at rest before the answer goes on or ends.
#include <gtest/gtest.h>

#include "api/chat/status_lines.hpp"

namespace dure::api {
namespace status_lines {

using Lines = std::vector<std::string>;

model::Progress node(std::string_view name, std::string_view description, bool done = false)
{
    return {std::string(name), {}, std::string(description), done};
}

model::Progress tool(std::string_view name, std::string_view description, bool done = false)
{
    return {"executor", std::string(name), std::string(description), done};
}

std::string shown(const Status& status)
{
    return status.description + (status.done ? " (done)" : "") + (status.hidden ? " (hidden)" : "");
}

Lines told(StatusLines& lines, const std::vector<model::Progress>& steps)
{
    Lines all;
    for (const auto& step : steps)
        if (const auto status = lines.step(step))
            all.push_back(shown(*status));
    return all;
}

TEST(StatusLines, AStepIsOneLineAndWhatRestsNamesTheTools)
{
    auto lines = StatusLines::of_agent();
    EXPECT_FALSE(lines.open());
    EXPECT_EQ(told(lines, {node("tool_selector", "도구 고르는 중"), node("tool_selector", "도구 고르는 중", true),
                           node("router", "다음 단계 결정 중"), node("router", "다음 단계 결정 중", true),
                           node("executor", "도구 실행 중"), tool("calculator", "calculator 실행 중"),
                           tool("calculator", "calculator 완료", true), node("executor", "도구 실행 중", true),
                           node("summarizer", "답변 작성 중")}),
              (Lines{"도구 고르는 중", "다음 단계 결정 중", "도구 실행 중", "calculator 실행 중", "답변 작성 중"}));
    EXPECT_TRUE(lines.open());
    EXPECT_EQ(shown(lines.close()), "calculator 사용 (done)");
    EXPECT_FALSE(lines.open());
    EXPECT_EQ(told(lines, {node("summarizer", "답변 작성 중", true)}), Lines{});
    EXPECT_FALSE(lines.open());
}

TEST(StatusLines, ThoughtAloneLeavesNothingToSee)
{
    auto lines = StatusLines::of_agent();
    EXPECT_EQ(told(lines, {node("router", "Deciding the next step")}), Lines{"Deciding the next step"});
    EXPECT_EQ(shown(lines.close()), "Deciding the next step (done) (hidden)");
}

// The model answered where it should have decided: the node that writes has nothing left to write.
TEST(StatusLines, NothingComesOverAnAnswerThatIsWritten)
{
    auto lines = StatusLines::of_agent();
    told(lines, {node("router", "다음 단계 결정 중")});
    lines.close();
    EXPECT_EQ(told(lines, {node("router", "다음 단계 결정 중", true), node("summarizer", "답변 작성 중"),
                           node("summarizer", "답변 작성 중", true)}),
              Lines{});
    EXPECT_FALSE(lines.open());
}

TEST(StatusLines, ToolsBehindWordsAreToldAndTheLastLineNamesAll)
{
    auto lines = StatusLines::of_agent();
    told(lines, {node("router", "Deciding the next step"), tool("calculator", "calculator is running")});
    EXPECT_EQ(shown(lines.close()), "Used calculator (done)");
    EXPECT_EQ(told(lines, {node("executor", "Running tools"), tool("clock", "clock is running"),
                           tool("calculator", "calculator is running"), node("router", "Deciding the next step")}),
              (Lines{"clock is running", "calculator is running", "Deciding the next step"}));
    EXPECT_TRUE(lines.open());
    EXPECT_EQ(shown(lines.close()), "Used calculator, clock (done)");
}

TEST(StatusLines, OneToolCalledThriceAtOnceIsOneLine)
{
    auto lines = StatusLines::of_agent();
    const auto call = tool("clock", "clock is running");
    EXPECT_EQ(told(lines, {call, call, call}), Lines{"clock is running"});
    EXPECT_EQ(shown(lines.close()), "Used clock (done)");
}

TEST(StatusLines, TheNodesOfAFlowAreWhatItDid)
{
    for (const bool korean : {false, true}) {
        auto lines = StatusLines::of_flow(korean);
        EXPECT_EQ(told(lines, {node("a", "묻기"), node("a", "묻기", true), node("b", "Search")}),
                  (Lines{"묻기", "Search"}));
        EXPECT_EQ(shown(lines.close()), korean ? "묻기, Search 실행 (done)" : "Ran 묻기, Search (done)");
        EXPECT_EQ(told(lines, {node("c", "답"), node("a", "묻기")}), (Lines{"답", "묻기"}));
        EXPECT_EQ(shown(lines.close()), korean ? "묻기, Search, 답 실행 (done)" : "Ran 묻기, Search, 답 (done)");
    }
}

TEST(StatusLines, AListThatIsTooLongToReadIsCounted)
{
    auto agent = StatusLines::of_agent();
    auto flow = StatusLines::of_flow(true);
    told(agent, {node("router", "Deciding the next step")});
    for (int i = 10; i < 60; ++i) {
        const auto name = "tool_of_some_name_" + std::to_string(i);   // 20 bytes
        told(agent, {tool(name, name + " is running")});
        told(flow, {node(name, name)});
    }
    const std::string five =
        "tool_of_some_name_10, tool_of_some_name_11, tool_of_some_name_12, tool_of_some_name_13, tool_of_some_name_14";
    EXPECT_EQ(agent.close().description, "Used " + five + " and 45 more");
    EXPECT_EQ(flow.close().description, five + " 외 45개 실행");
}

TEST(StatusLines, ALongNameIsCutBetweenCharactersAndAnEmptyOneIsLeftOut)
{
    std::string name;
    for (int i = 0; i < 1000; ++i)
        name += "가";
    auto lines = StatusLines::of_flow(false);
    told(lines, {node("a", name), node("b", "")});
    std::string twenty;
    for (int i = 0; i < 20; ++i)
        twenty += "가";
    EXPECT_EQ(lines.close().description, "Ran " + twenty + "…");
}

}  // namespace status_lines
}  // namespace dure::api
