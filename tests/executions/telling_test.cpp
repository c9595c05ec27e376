// What is told of the steps of a compiled flow: one for each node that ended, as it ended.
#include <gmock/gmock.h>

#include "executions/telling.hpp"
#include "flows/compiler_fixture.hpp"

namespace dure::executions {
namespace telling_test {

using testing::ElementsAre;
using testing::ElementsAreArray;

// Readers of an execution see what it gives for the events of the graph.
class ToldSteps final : public graph::EventSink {
public:
    ToldSteps(const flows::CompiledFlow& flow, const Clock& clock) : telling(flow, clock) {}
    graph::Modes modes() const override { return graph::Mode::tasks; }
    bool subgraphs() const override { return true; }
    Task<Result<void>> event(const graph::Event& event) override
    {
        const auto told = telling.tell(event);
        for (const auto& step : told ? told->data.value("steps", Json::array()) : Json::array())
            steps.push_back(step);
        co_return Result<void>();
    }

    Telling telling;
    std::vector<Json> steps;
};

class TellingTest : public flows::CompilerTest {
protected:
    // "node status[ code]" of each step, in the order they were told.
    std::vector<std::string> steps_of(const Json& nodes, const std::vector<std::string>& edges)
    {
        compile(drawn_flow(nodes, edges));
        told_.emplace(*flow_, clock_);
        run_.services = &services_;
        run_.clock = &clock_;
        graph::RunOptions options;
        options.context = &run_;
        options.events = &*told_;
        options.checkpointer = checkpointer_.get();
        options.thread = "t";
        options.recursion_limit = 30;
        result_ = {};
        const graph::RunInput input(flows::flow_input(run_.facts));
        test::run([&]() -> Task<void> { co_await flow_->graph.run(input, options, result_); });
        std::vector<std::string> lines;
        for (const auto& step : told_->steps)
            lines.push_back(step.at("node_id").get<std::string>() + " " + step.at("status").get<std::string>() +
                            (step.at("error").is_null() ? "" : " " + step.at("error").at("code").get<std::string>()));
        return lines;
    }

    std::optional<ToldSteps> told_;
};

Json iteration(const Json& config, const Json& policy = Json::object())
{
    Json all{{"items", Json::array({1, 2})}, {"output", "{{nodes.t.json.gone}}"}};
    all.update(config);
    return Json::array({"each", "iteration", all, {{"policy", policy}}});
}

const Json never{{"all", Json::array({Json{{"left", 1}, {"op", "eq"}, {"right", 2}}})}};
const Json body_node = Json::array({"t", "template", {{"text", "{}"}, {"as", "json"}}, {{"parent", "each"}}});

TEST_F(TellingTest, AnItemWhoseOutputFailsAndMayIsNoFailedStepOfItsIteration)
{
    for (const char* on_item_error : {"skip", "null"}) {
        const auto each = iteration({{"on_item_error", on_item_error}});
        EXPECT_THAT(steps_of({{"start", "start"}, each, body_node}, {"start>each"}),
                    ElementsAre("start succeeded", "t succeeded", "t succeeded", "each succeeded"))
            << on_item_error;
        ASSERT_EQ(result_.status, graph::RunStatus::success) << failure();
        const auto output = told_->steps.back().at("output");
        EXPECT_EQ(output.at("errors").at(1).at("code"), "expression_unresolved") << output;
        EXPECT_EQ(told_->telling.failed_node(), "") << "or a later failure of the run would be blamed on it";
        EXPECT_TRUE(told_->telling.cause().is_null());
    }
}

TEST_F(TellingTest, AnItemWhoseOutputFailsIsOneFailedStepOfItsIterationWhereItMayNot)
{
    EXPECT_THAT(steps_of({{"start", "start"}, iteration(Json::object()), body_node}, {"start>each"}),
                ElementsAre("start succeeded", "t succeeded", "each failed expression_unresolved"));
    EXPECT_EQ(result_.status, graph::RunStatus::error);
    EXPECT_EQ(told_->telling.failed_node(), "each");
    EXPECT_EQ(told_->telling.cause().at("code"), "expression_unresolved");
    const auto goes_on = iteration(Json::object(), {{"on_error", "continue"}});
    EXPECT_THAT(steps_of({{"start", "start"}, goes_on, body_node}, {"start>each"}),
                ElementsAre("start succeeded", "t succeeded", "each failed expression_unresolved"));
    EXPECT_EQ(result_.status, graph::RunStatus::success) << failure();
}

TEST_F(TellingTest, TriesOfARoundAreOneStepOfItsContainer)
{
    const Json policy{{"retry", {{"max_attempts", 3}, {"backoff_ms", 1}, {"jitter", false}, {"on", {"any"}}}}};
    EXPECT_THAT(steps_of({{"start", "start"}, iteration(Json::object(), policy), body_node}, {"start>each"}),
                ElementsAre("start succeeded", "t succeeded", "each failed expression_unresolved"));
}

// What fails between its rounds is nobody else's failure either.
TEST_F(TellingTest, AContainerThatFailsBetweenItsRoundsIsToldWithTheReason)
{
    const auto exhausted = [](const Json& more) {
        return Json::array({"each", "loop", {{"max_rounds", 2}, {"on_exhausted", "fail"}, {"until", never}}, more});
    };
    const auto rounds = {"start succeeded", "t succeeded", "t succeeded", "each failed loop_exhausted"};
    EXPECT_THAT(steps_of({{"start", "start"}, exhausted(Json::object()), body_node}, {"start>each"}),
                ElementsAreArray(rounds));
    const Json around{"around", "iteration", {{"items", Json::array({1})}}};
    EXPECT_THAT(steps_of({{"start", "start"}, around, exhausted({{"parent", "around"}}), body_node}, {"start>around"}),
                ElementsAreArray(rounds));
    EXPECT_EQ(told_->telling.failed_node(), "each");
    EXPECT_EQ(told_->telling.cause().at("code"), "loop_exhausted");
}

// A container within a container fails; only the outer one may go on.
TEST_F(TellingTest, AContainerThatFailedIsToldAlsoWhereTheOneAroundItGoesOn)
{
    const Json until{{"all", Json::array({Json{{"left", "{{nodes.t.json.gone}}"}, {"op", "eq"}, {"right", 1}}})}};
    EXPECT_THAT(steps_of({{"start", "start"},
                          {"around", "iteration", {{"items", Json::array({1})}, {"on_item_error", "skip"}}},
                          {"each", "loop", {{"until", until}, {"max_rounds", 2}}, {{"parent", "around"}}},
                          body_node},
                         {"start>around"}),
                ElementsAre("start succeeded", "t succeeded", "each failed expression_unresolved", "around succeeded"));
}

}  // namespace telling_test
}  // namespace dure::executions
