// Teams against scripted models: each pattern, each decision strategy, their bounds and failures.
#include "dure/agents/orchestration.hpp"

#include <set>

#include "agents/fixture.hpp"

namespace dure::agents {
namespace {

using namespace test;
using dure::test::completion_script;

// A whole answer (not streamed) that calls tools.
Script calling_script(const std::vector<Turn>& calls)
{
    auto body = Json::parse(dure::test::completion_body(""));
    auto& choice = body["choices"][0];
    choice["finish_reason"] = "tool_calls";
    choice["message"]["tool_calls"] = Json::array();
    for (const auto& call : calls)
        choice["message"]["tool_calls"].push_back({{"id", call.id},
                                                   {"type", "function"},
                                                   {"function", {{"name", call.tool}, {"arguments", call.arguments}}}});
    return {dure::test::send(dure::test::http_answer(200, "application/json", body.dump()))};
}

class TeamTest : public AgentTest {
protected:
    TeamTest()
    {
        for (const auto* name : {"번역가", "researcher", "critic"}) {
            Worker worker;
            worker.name = name;
            worker.model = "native";
            team.workers.push_back(worker);
        }
        team.workers[0].description = "문서를 번역한다";
        team.workers[1].description = "Searches weather reports";
        team.workers[2].description = "Finds mistakes";
        team.supervisor.model = "native";
    }

    Result<void> work_on(const std::string& task)
    {
        agents();   // starts gateway and registry
        const Orchestrator orchestrator(gateway(), registry(), logger, settings.agent);
        const llm::CallContext context("req-1", "user-1", Deadline::after(std::chrono::seconds(20)));
        TeamRun run(context, caller, sink, record);
        return boost::asio::co_spawn(cores.at(0), orchestrator.run(team, task, run), boost::asio::use_future).get();
    }
    // What the model read last in its n-th call.
    std::string read_in(std::size_t call) const { return sent(call)["messages"].back()["content"].get<std::string>(); }
    // Answers by the worker whose system prompt it is, so that workers that run side by side may come in any order.
    void answer_by_worker(const std::map<std::string, std::string>& answers)
    {
        upstream.handle([answers](const auto& request) {
            const auto system = Json::parse(request.body)["messages"][0]["content"].template get<std::string>();
            for (const auto& [mark, text] : answers)
                if (system.find(mark) != std::string::npos)
                    return text == "fail" ? dure::test::error_script(400, "broken", "invalid_request_error")
                           : mark == "Write the final answer" ? turn({text})
                                                              : completion_script(text);
            return dure::test::error_script(400, "nobody", "invalid_request_error");
        });
    }

    Team team;
};

TEST_F(TeamTest, SequentialHandsEachTheLastText)
{
    for (const auto* text : {"first", "second", "third"})
        upstream.enqueue(completion_script(text));
    ASSERT_TRUE(work_on("Write about rain").has_value());
    EXPECT_EQ(record.path, (Names{"번역가", "researcher", "critic", "finish"}));
    EXPECT_EQ(sink.shown.text, "third");
    EXPECT_EQ(record.completion.text, "third");
    EXPECT_NE(read_in(1).find("first"), std::string::npos);
    EXPECT_EQ(read_in(2).find("first"), std::string::npos);
    EXPECT_NE(read_in(2).find("second"), std::string::npos);
    EXPECT_EQ(record.completion.usage.total(), 36);
    Names told;
    for (const auto& step : sink.steps)
        if (!step.done)
            told.push_back(step.node);
    EXPECT_EQ(told, record.path);
}

TEST_F(TeamTest, AFailureEndsASequentialRun)
{
    upstream.handle([](const auto&) { return dure::test::error_script(400, "broken", "invalid_request_error"); });
    EXPECT_TRUE(work_on("x").has_error());
    EXPECT_EQ(record.path, (Names{"번역가"}));
    EXPECT_EQ(sink.shown.text, "");
}

TEST_F(TeamTest, ParallelMergesByTheSupervisorsModel)
{
    team.pattern = Pattern::parallel;
    answer_by_worker({{"\"번역가\"", "one"},
                      {"\"researcher\"", "two"},
                      {"\"critic\"", "fail"},
                      {"Write the final answer", "merged"}});
    ASSERT_TRUE(work_on("Do it").has_value());
    EXPECT_EQ(sink.shown.text, "merged");
    ASSERT_EQ(upstream.request_count(), 4);
    const auto read = read_in(3);
    for (const auto* part : {"### 번역가\none", "### researcher\ntwo", "### critic\n(failed) "})
        EXPECT_NE(read.find(part), std::string::npos) << part << "\n" << read;
    EXPECT_EQ(record.path.back(), "finish");
}

TEST_F(TeamTest, WithoutASupervisorParallelResultsAreJoined)
{
    team.pattern = Pattern::parallel;
    team.supervisor.enabled = false;
    answer_by_worker({{"\"번역가\"", "하나"}, {"\"researcher\"", "two"}, {"\"critic\"", "three"}});
    ASSERT_TRUE(work_on("Do it").has_value());
    EXPECT_EQ(sink.shown.text, "## 번역가\n하나\n\n## researcher\ntwo\n\n## critic\nthree");
    EXPECT_EQ(upstream.request_count(), 3);
}

TEST_F(TeamTest, WhenEveryWorkerFailsSoDoesTheRun)
{
    team.pattern = Pattern::parallel;
    upstream.handle([](const auto&) { return dure::test::error_script(400, "broken", "invalid_request_error"); });
    const auto result = work_on("x");
    ASSERT_TRUE(result.has_error());
    EXPECT_EQ(result.error().code(), Errc::upstream_failed);
    EXPECT_EQ(upstream.request_count(), 3);
}

TEST_F(TeamTest, ASupervisorPicksWorkersUntilItFinishes)
{
    team.pattern = Pattern::hierarchical;
    upstream.enqueue(completion_script(R"({"next":"researcher","instruction":"look it up","reasoning":"r"})"));
    upstream.enqueue(completion_script("it rains"));
    upstream.enqueue(completion_script("```json\n{'next': 'Critic', 'instruction': 'check',}\n```"));
    upstream.enqueue(completion_script("it is right"));
    upstream.enqueue(completion_script(R"({"next":"FINISH"})"));
    upstream.enqueue(turn({"It ", "rains."}));
    ASSERT_TRUE(work_on("Does it rain?").has_value());
    EXPECT_EQ(record.path, (Names{"supervisor", "researcher", "supervisor", "critic", "supervisor", "finish"}));
    EXPECT_EQ(sink.shown.text, "It rains.");
    EXPECT_NE(read_in(1).find("look it up"), std::string::npos);
    EXPECT_NE(read_in(2).find("it rains"), std::string::npos);
}

TEST_F(TeamTest, AnUnusableSupervisorIsCorrectedOnceThenTheRuleDecides)
{
    team.pattern = Pattern::hierarchical;
    team.supervisor.max_iterations = 1;
    upstream.enqueue(completion_script("hm"));
    upstream.enqueue(completion_script(R"({"next":"FINISH"})"));  // before anybody has worked
    upstream.enqueue(completion_script("sunny"));
    ASSERT_TRUE(work_on("weather reports please").has_value());
    EXPECT_EQ(record.path, (Names{"supervisor", "researcher", "supervisor", "finish"}));
    EXPECT_EQ(sink.shown.text, "sunny");
    EXPECT_NE(read_in(1).find("no JSON object"), std::string::npos);
}

TEST_F(TeamTest, TheRoundsOfASupervisorAreBound)
{
    team.pattern = Pattern::hierarchical;
    team.supervisor.max_iterations = 3;
    upstream.handle([](const auto& request) {
        const auto system = Json::parse(request.body)["messages"][0]["content"].template get<std::string>();
        const bool leads = system.find("\"next\"") != std::string::npos;
        const bool merges = system.find("Write the final answer") != std::string::npos;
        return merges ? turn({"end"})
                      : completion_script(leads ? R"({"next":"critic","instruction":"again"})" : "more");
    });
    ASSERT_TRUE(work_on("x").has_value());
    EXPECT_EQ(upstream.request_count(), 7);  // three decisions, three workers, the merge
    EXPECT_EQ(sink.shown.text, "end");
}

TEST_F(TeamTest, RulesChooseKoreanWorkersByTheirDescription)
{
    team.pattern = Pattern::hierarchical;
    team.supervisor.decision_strategy = DecisionStrategy::rule_based;
    upstream.enqueue(completion_script("translated"));
    ASSERT_TRUE(work_on("이 문서를 번역해 줘").has_value());
    EXPECT_EQ(record.path, (Names{"supervisor", "번역가", "supervisor", "finish"}));
    EXPECT_EQ(sink.shown.text, "translated");
    EXPECT_EQ(upstream.request_count(), 1);
}

TEST_F(TeamTest, RoundRobinLetsEveryWorkerWorkOnce)
{
    team.pattern = Pattern::hierarchical;
    team.supervisor.decision_strategy = DecisionStrategy::round_robin;
    answer_by_worker(
        {{"\"번역가\"", "a"}, {"\"researcher\"", "b"}, {"\"critic\"", "c"}, {"Write the final answer", "all"}});
    ASSERT_TRUE(work_on("x").has_value());
    EXPECT_EQ(record.path, (Names{"supervisor", "번역가", "supervisor", "researcher", "supervisor", "critic",
                                  "supervisor", "finish"}));
    EXPECT_EQ(sink.shown.text, "all");
}

TEST_F(TeamTest, AnAdaptiveSupervisorRunsStepsAtOnceThenInTurnAndPlansAgain)
{
    team.pattern = Pattern::adaptive;
    int plans = 0;
    upstream.handle([&plans](const auto& request) {
        const auto system = Json::parse(request.body)["messages"][0]["content"].template get<std::string>();
        if (system.find("Write the final answer") != std::string::npos)
            return turn({"done"});
        if (system.find("\"steps\"") == std::string::npos)
            return completion_script("part");
        ++plans;
        return completion_script(
            plans == 1
                ? R"({"mode":"parallel","steps":[{"worker":"researcher","instruction":"a"},{"worker":"critic","instruction":"b"}]})"
            : plans == 2
                ? R"({"mode":"sequential","steps":[{"worker":"critic","instruction":"c"},{"worker":"번역가","instruction":"d"}]})"
                : R"({"mode":"sequential","steps":[]})");
    });
    ASSERT_TRUE(work_on("x").has_value());
    EXPECT_EQ(plans, 3);
    ASSERT_EQ(record.path.size(), 8u);
    EXPECT_EQ(Names(record.path.begin() + 3, record.path.end()),
              (Names{"supervisor", "critic", "번역가", "supervisor", "finish"}));
    EXPECT_EQ(sink.shown.text, "done");
}

TEST_F(TeamTest, WorkersCallTheirToolsAtOnce)
{
    team.workers.resize(1);
    team.workers[0].tools = {"calculator"};
    upstream.enqueue(calling_script(
        {{"c1", "calculator", R"({"expression":"1+1"})"}, {"c2", "calculator", R"({"expression":"2+2"})"}}));
    upstream.enqueue(completion_script("2 and 4"));
    ASSERT_TRUE(work_on("compute").has_value());
    EXPECT_EQ(sink.shown.text, "2 and 4");
    EXPECT_EQ(record.tools_used.size(), 2u);
    const auto messages = sent(1)["messages"];
    EXPECT_EQ(messages[3]["tool_call_id"], "c1");
    EXPECT_EQ(messages[4]["tool_call_id"], "c2");
}

TEST_F(TeamTest, AWorkerWithoutNativeToolsDecidesByJson)
{
    team.workers.resize(1);
    team.workers[0].model = "plain";
    team.workers[0].tools = {"calculator"};
    upstream.enqueue(completion_script(
        "{'action': 'execute_tool', 'selected_tool': 'calculator', 'arguments': {'expression': '6*7'}}"));
    upstream.enqueue(completion_script(R"({"action":"END"})"));
    upstream.enqueue(completion_script("42"));
    ASSERT_TRUE(work_on("6*7?").has_value());
    EXPECT_EQ(sink.shown.text, "42");
    EXPECT_TRUE(record.tools_used.at(0).success);
}

TEST_F(TeamTest, AMissingToolOrModelIsAnErrorNotAWorkerWithoutIt)
{
    team.workers.resize(1);
    team.workers[0].tools = {"ghost"};
    auto result = work_on("x");
    ASSERT_TRUE(result.has_error());
    EXPECT_EQ(result.error().code(), Errc::not_found);
    team.workers[0].tools.clear();
    team.workers[0].model = "ghost";
    result = work_on("x");
    ASSERT_TRUE(result.has_error());
    EXPECT_EQ(result.error().reason(), "model_not_found");
    EXPECT_EQ(upstream.request_count(), 0);
}

// A tool with a permission of its own.
class GuardedTool final : public tools::Tool {
public:
    const model::ToolDefinition& definition() const override { return definition_; }
    std::string source() const override { return "test"; }
    std::string permission() const override { return "tools:manage"; }
    Task<Result<Json>> execute(const Json&, const tools::Caller&, Deadline) override { co_return Json("report"); }

private:
    model::ToolDefinition definition_{"report", "Reads the report", Json{{"type", "object"}}};
};

TEST_F(TeamTest, AWorkerIsNotOfferedAToolThatTheCallerMayNotUse)
{
    agents();
    registry().add(std::make_unique<GuardedTool>());
    team.workers.resize(1);
    team.workers[0].tools = {"report"};
    const auto refused = work_on("x");
    ASSERT_TRUE(refused.has_error());
    EXPECT_EQ(refused.error().code(), Errc::permission_denied);
    EXPECT_EQ(upstream.request_count(), 0);
    caller.permissions = {"tools:manage"};
    upstream.enqueue(completion_script("read"));
    upstream.enqueue(turn({"read"}));
    EXPECT_TRUE(work_on("x").has_value());
    EXPECT_EQ(tools_offered(0), Names{"report"});
}

TEST_F(TeamTest, WrongTeamsAreRefusedByField)
{
    struct Case {
        std::function<void(Team&)> change;
        const char* param;
    };
    const Case cases[] = {
        {[](Team& t) { t.workers.clear(); }, "workers"},
        {[](Team& t) { t.workers.resize(33); }, "workers"},
        {[](Team& t) { t.workers[1].name.clear(); }, "workers[1].name"},
        {[](Team& t) { t.workers[1].name = t.workers[0].name; }, "workers[1].name"},
        {[](Team& t) { t.workers[2].name = "supervisor"; }, "workers[2].name"},
        {[](Team& t) { t.workers[2].name = std::string(65, 'a'); }, "workers[2].name"},
        {[](Team& t) { t.supervisor.max_iterations = 0; }, "supervisor.max_iterations"},
        {[](Team& t) { t.supervisor.max_iterations = 101; }, "supervisor.max_iterations"},
    };
    const auto right = team;
    for (const auto& one : cases) {
        team = right;
        one.change(team);
        const auto result = work_on("x");
        ASSERT_TRUE(result.has_error()) << one.param;
        EXPECT_EQ(result.error().param(), one.param);
    }
}

TEST(TeamNames, AreThoseOfTheFlowFormat)
{
    EXPECT_EQ(pattern_named("adaptive"), Pattern::adaptive);
    EXPECT_EQ(pattern_named("Adaptive"), std::nullopt);
    EXPECT_EQ(decision_strategy_named("round_robin"), DecisionStrategy::round_robin);
    EXPECT_EQ(decision_strategy_named(""), std::nullopt);
}

TEST_F(TeamTest, CallsOfDifferentWorkersHaveDifferentIdempotencyKeys)
{
    auto note = std::make_unique<KeyedTool>("note");
    const auto& keys = note->keys;
    agents();
    registry().add(std::move(note));
    team.pattern = Pattern::sequential;
    for (auto& worker : team.workers) {
        worker.tools = {"note"};
        upstream.enqueue(calling_script({{"call_0", "note", "{}"}}));
        upstream.enqueue(completion_script("noted"));
    }
    ASSERT_TRUE(work_on("note it").has_value());
    EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), team.workers.size());
}

}  // namespace
}  // namespace dure::agents
