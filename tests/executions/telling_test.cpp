// What is told of the steps of a compiled flow: one for each node that ended, as it ended.
#include <gmock/gmock.h>

#include "executions/telling.hpp"
#include "flows/compiler/node_run.hpp"
#include "flows/compiler_fixture.hpp"
#include "graph/support.hpp"

namespace dure::executions {
namespace telling_test {

using testing::ElementsAre;
using testing::ElementsAreArray;

// Readers of an execution see what it gives for the events of the graph.
class ToldSteps final : public graph::EventSink {
public:
    ToldSteps(const flows::CompiledFlow& flow, const Clock& clock, const flows::OpenTasks& open)
        : telling(flow, clock, open)
    {}
    graph::Modes modes() const override { return graph::Mode::tasks; }
    bool subgraphs() const override { return true; }
    Task<Result<void>> event(const graph::Event& event) override
    {
        const auto told = telling.tell(event);
        if (told && !told->data.contains("steps"))
            ++open[told->data.at("id").get<std::string>()];
        else if (told && --open[told->data.at("id").get<std::string>()] == 0)
            open.erase(told->data.at("id").get<std::string>());
        for (const auto& step : told ? told->data.value("steps", Json::array()) : Json::array())
            steps.push_back(step);
        co_return Result<void>();
    }

    Telling telling;
    std::vector<Json> steps;
    std::map<std::string, int> open;  // tasks of which only the start was told, or only the end
};

// Storage that is away for a moment: just when a step of this name is saved.
class RefusingOnce final : public graph::test::ForwardingCheckpointer {
public:
    RefusingOnce(graph::Checkpointer& real, std::string name) : ForwardingCheckpointer(real), name_(std::move(name)) {}
    Task<Result<void>> save(const std::string& thread, graph::Batch batch) override
    {
        const auto meant = [this](const graph::PendingWrite& one) { return !name_.empty() && one.key == name_; };
        if (!std::ranges::any_of(batch.pending, meant))
            co_return co_await real_.save(thread, std::move(batch));
        name_.clear();
        co_return Error(Errc::unavailable, "The storage is away.");
    }

private:
    std::string name_;
};

class TellingTest : public flows::CompilerTest {
protected:
    // "node status[ code]" of each step, in the order they were told.
    std::vector<std::string> steps_of(const Json& nodes, const std::vector<std::string>& edges)
    {
        compile(drawn_flow(nodes, edges));
        return told(graph::RunInput(flows::flow_input(run_.facts)));
    }
    // Of a run that has failed, or that asks.
    std::vector<std::string> go_on() { return told(graph::RunInput::nothing()); }
    std::vector<std::string> go_on(graph::Command command) { return told(graph::RunInput(std::move(command))); }

    std::optional<ToldSteps> told_;
    std::string refused_;  // the name of a node's step

private:
    std::vector<std::string> told(const graph::RunInput& input)
    {
        told_.emplace(*flow_, clock_, run_.open);
        run_.services = &services_;
        run_.clock = &clock_;
        graph::RunOptions options;
        options.context = &run_;
        options.events = &*told_;
        RefusingOnce storage(*checkpointer_, refused_);
        options.checkpointer = &storage;
        options.thread = "t";
        options.recursion_limit = 30;
        result_ = {};
        test::run([&]() -> Task<void> { co_await flow_->graph.run(input, options, result_); });
        std::vector<std::string> lines;
        for (const auto& step : told_->steps)
            lines.push_back(step.at("node_id").get<std::string>() + " " + step.at("status").get<std::string>() +
                            (step.at("error").is_null() ? "" : " " + step.at("error").at("code").get<std::string>()));
        return lines;
    }
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

TEST_F(TellingTest, AContainerEndsAsTheTaskThatItBeganAs)
{
    const Json inner = Json::array({"inner", "loop", {{"max_rounds", 2}}, {{"parent", "each"}}});
    const Json say = Json::array({"say", "template", {{"text", "{{item}}"}}, {{"parent", "inner"}}});
    const auto each = Json::array({"each", "iteration", {{"items", Json::array({1, 2})}, {"parallel", 2}}});
    EXPECT_THAT(steps_of({{"start", "start"}, each, inner, say}, {"start>each"}),
                testing::UnorderedElementsAre("start succeeded", "say succeeded", "say succeeded", "say succeeded",
                                              "say succeeded", "inner succeeded", "inner succeeded", "each succeeded"));
    EXPECT_THAT(told_->open, testing::IsEmpty());
    EXPECT_THAT(steps_of({{"start", "start"}, iteration(Json::object()), body_node}, {"start>each"}),
                ElementsAre("start succeeded", "t succeeded", "each failed expression_unresolved"));
    EXPECT_THAT(told_->open, testing::IsEmpty());
}

TEST_F(TellingTest, AContainerThatBeganElsewhereEndsAsTheTaskThatItBeganAs)
{
    const Json asks = Json::array({"ask", "human_input", {{"prompt", "?"}}, {{"parent", "each"}}});
    const auto each = Json::array({"each", "iteration", {{"items", Json::array({1})}}});
    EXPECT_THAT(steps_of({{"start", "start"}, each, asks}, {"start>each"}),
                ElementsAre("start succeeded", "ask waiting"));
    const auto open = told_->open;
    ASSERT_EQ(open.size(), 1u);
    ASSERT_EQ(result_.interrupts.size(), 1u);
    EXPECT_THAT(go_on(graph::Command{Json{{result_.interrupts[0].id, Json{{"action", "approve"}}}}, {}, {}}),
                ElementsAre("ask succeeded", "each succeeded"));
    EXPECT_EQ(told_->open, (std::map<std::string, int>{{open.begin()->first, -1}}));
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

// A node that asks a model once and then fails for good: what it read and what it paid are told all the same.
Task<Result<Json>> pays_and_fails(flows::NodeCall& call)
{
    call.budget->count({}, Json{{"input_tokens", 10}, {"output_tokens", 5}, {"cost_usd", 0.25}});
    co_await sleep_for(std::chrono::milliseconds(5));
    co_return Error(Errc::upstream_failed, "no").reason("output_schema");
}

const Json asks = Json::array({"a", "llm", {{"prompt", "x"}}});
Json asks_with(const Json& policy)
{
    return Json::array({"a", "llm", {{"prompt", "x"}}, {{"policy", policy}}});
}
Json retried(int attempts)
{
    return {{"retry", {{"max_attempts", attempts}, {"backoff_ms", 1}, {"jitter", false}, {"on", {"any"}}}}};
}

TEST_F(TellingTest, AFailedNodeIsToldWithWhatItReadAndPaid)
{
    services_.answers["a"] = pays_and_fails;
    EXPECT_THAT(steps_of({{"start", "start"}, asks}, {"start>a"}),
                ElementsAre("start succeeded", "a failed output_schema"));
    const auto& step = told_->steps.back();
    EXPECT_FALSE(step.at("input").is_null());
    EXPECT_EQ(step.at("input"), told_->steps.front().at("output").at("message")) << step;
    EXPECT_EQ(step.at("tokens"), 15);
    EXPECT_EQ(step.at("cost"), 0.25);
}

TEST_F(TellingTest, ANodeThatFailedAndMayIsToldFromItsTrueStart)
{
    services_.answers["a"] = pays_and_fails;
    EXPECT_THAT(steps_of({{"start", "start"}, asks_with({{"on_error", "continue"}})}, {"start>a"}),
                ElementsAre("start succeeded", "a failed output_schema"));
    const auto& step = told_->steps.back();
    EXPECT_GE(step.at("duration_ms"), 4);
    EXPECT_EQ(step.at("tokens"), 15);
    EXPECT_EQ(result_.status, graph::RunStatus::success) << failure();
}

TEST_F(TellingTest, AResultThatIsKeptIsToldAgainAsTheStepItWas)
{
    services_.answers["a"] = pays_and_fails;
    const auto step_of_t = [this] {
        const auto found = std::ranges::find(told_->steps, Json("t"), [](const Json& one) { return one.at("node_id"); });
        return found == told_->steps.end() ? Json() : found->at("step");
    };
    steps_of({{"start", "start"}, asks, {"t", "template", {{"text", "x"}}}}, {"start>a", "start>t"});
    const auto first = step_of_t();
    EXPECT_GT(first, Json(0));
    go_on();
    EXPECT_EQ(step_of_t(), first);
}

// It did not run: the attempts are of the node that skipped it.
TEST_F(TellingTest, AStepThatWasSkippedHasNoAttempts)
{
    EXPECT_THAT(steps_of({{"start", "start"},
                          {"if", "condition", {{"cases", Json::array({Json{{"id", "no"}, {"all", never.at("all")}}})}}},
                          {"t", "template", {{"text", "x"}}},
                          {"u", "template", {{"text", "y"}}}},
                         {"start>if", "if|no>t", "if|else>u"}),
                ElementsAre("start succeeded", "if succeeded", "t skipped", "u succeeded"));
    EXPECT_EQ(told_->steps.at(1).at("attempts"), 1);
    EXPECT_EQ(told_->steps.at(2).at("attempts"), 0);
    EXPECT_EQ(told_->steps.at(2).at("duration_ms"), 0);
}

TEST_F(TellingTest, AllAttemptsOfANodeArePaid)
{
    int attempt = 0;
    services_.answers["a"] = [&](flows::NodeCall& call) -> Task<Result<Json>> {
        if (++attempt % 3 != 0)
            co_return co_await pays_and_fails(call);
        co_return Json{{"text", "done"}, {"usage", {{"input_tokens", 2}, {"output_tokens", 1}, {"cost_usd", 0.5}}}};
    };
    EXPECT_THAT(steps_of({{"start", "start"}, asks_with(retried(3))}, {"start>a"}),
                ElementsAre("start succeeded", "a succeeded"));
    EXPECT_EQ(told_->steps.back().at("tokens"), 33);
    EXPECT_EQ(told_->steps.back().at("cost"), 1.0);
    EXPECT_EQ(told_->steps.back().at("attempts"), 3);
    EXPECT_THAT(steps_of({{"start", "start"}, asks_with(retried(2))}, {"start>a"}),
                ElementsAre("start succeeded", "a failed output_schema"));
    EXPECT_EQ(told_->steps.back().at("tokens"), 30);
}

// Another process goes on with the task: it knows only what is stored. A call whose answer is kept counts once.
TEST_F(TellingTest, WhatFailedAttemptsPaidIsKeptWithTheTask)
{
    bool works = false;
    services_.answers["a"] = [&](flows::NodeCall& call) -> Task<Result<Json>> {
        const auto kept = co_await call.context.step("model/1", []() -> Task<Result<Json>> { co_return Json("said"); });
        EXPECT_TRUE(kept);
        call.budget->count("call 1", Json{{"input_tokens", 100}, {"output_tokens", 0}, {"cost_usd", 1.0}});
        if (!works)
            co_return co_await pays_and_fails(call);
        co_return Json{{"text", "done"}};
    };
    steps_of({{"start", "start"}, asks_with(retried(2))}, {"start>a"});
    EXPECT_EQ(told_->steps.back().at("tokens"), 130);
    works = true;
    run_.open = {};
    EXPECT_THAT(go_on(), ElementsAre("a succeeded"));
    EXPECT_EQ(told_->steps.back().at("tokens"), 130);
    EXPECT_EQ(told_->steps.back().at("cost"), 1.5);
}

TEST_F(TellingTest, WhatAnAttemptPaidThatWasCutOffIsKeptWithTheTask)
{
    bool works = false;
    services_.answers["a"] = [&](flows::NodeCall& call) -> Task<Result<Json>> {
        call.budget->count({}, Json{{"input_tokens", 10}, {"output_tokens", 5}, {"cost_usd", 0.25}});
        if (!works)
            co_await sleep_for(std::chrono::seconds(60));
        co_return Json{{"text", "done"}};
    };
    EXPECT_THAT(steps_of({{"start", "start"}, asks_with({{"timeout_ms", 30}})}, {"start>a"}),
                ElementsAre("start succeeded", "a failed NODE_TIMEOUT"));
    EXPECT_EQ(told_->steps.back().at("tokens"), 15);
    works = true;
    run_.open = {};
    EXPECT_THAT(go_on(), ElementsAre("a succeeded"));
    EXPECT_EQ(told_->steps.back().at("tokens"), 30);
    EXPECT_EQ(told_->steps.back().at("cost"), 0.5);
}

TEST_F(TellingTest, WhatAnAttemptPaidThatThrewIsKeptWithTheTask)
{
    bool works = false;
    services_.answers["a"] = [&](flows::NodeCall& call) -> Task<Result<Json>> {
        call.budget->count({}, Json{{"input_tokens", 10}, {"output_tokens", 5}});
        if (!works)
            throw std::runtime_error("broken");
        co_return Json{{"text", "done"}};
    };
    EXPECT_THAT(steps_of({{"start", "start"}, asks_with(Json::object())}, {"start>a"}), testing::SizeIs(2));
    EXPECT_EQ(result_.status, graph::RunStatus::error);
    works = true;
    run_.open = {};
    EXPECT_THAT(go_on(), ElementsAre("a succeeded"));
    EXPECT_EQ(told_->steps.back().at("tokens"), 30);
}

TEST_F(TellingTest, WhatAnAttemptPaidIsCountedOnceAlsoIfItsNoteCouldNotBeSaved)
{
    services_.answers["a"] = pays_and_fails;
    refused_ = "spent/0";
    EXPECT_THAT(steps_of({{"start", "start"}, asks_with(retried(2))}, {"start>a"}),
                ElementsAre("start succeeded", "a failed output_schema"));
    EXPECT_EQ(told_->steps.back().at("tokens"), 30);
}

TEST_F(TellingTest, WhatAnAnswerThatIsRefusedCostIsKeptWithTheTask)
{
    Json answer = "deep";
    for (std::size_t level = 0; level <= flows::deepest_value; ++level)
        answer = Json{{"in", std::move(answer)}};
    services_.answers["a"] = [&](flows::NodeCall&) -> Task<Result<Json>> {
        co_return Json{{"text", answer}, {"usage", {{"input_tokens", 2}, {"output_tokens", 1}, {"cost_usd", 0.5}}}};
    };
    EXPECT_THAT(steps_of({{"start", "start"}, asks}, {"start>a"}),
                ElementsAre("start succeeded", "a failed value_too_deep"));
    answer = "flat";
    run_.open = {};
    EXPECT_THAT(go_on(), ElementsAre("a succeeded"));
    EXPECT_EQ(told_->steps.back().at("tokens"), 6);
    EXPECT_EQ(told_->steps.back().at("cost"), 1.0);
}

// What a container's time limit cuts off is no step that goes on for ever, and the container is the one that failed.
TEST_F(TellingTest, AContainerWhoseTimeIsOverIsTheNodeThatFailed)
{
    services_.answers["a"] = [](flows::NodeCall& call) -> Task<Result<Json>> {
        call.budget->count({}, Json{{"input_tokens", 10}, {"output_tokens", 5}, {"cost_usd", 0.25}});
        co_await sleep_for(std::chrono::seconds(60));
        co_return Json();
    };
    const auto each = Json::array(
        {"each", "iteration", {{"items", Json::array({1})}}, {{"policy", {{"timeout_ms", 30}}}}});
    const auto slow = Json::array({"a", "llm", {{"prompt", "x"}}, {{"parent", "each"}}});
    EXPECT_THAT(steps_of({{"start", "start"}, each, slow}, {"start>each"}),
                ElementsAre("start succeeded", "each failed NODE_TIMEOUT"));
    EXPECT_EQ(told_->telling.failed_node(), "each");
    EXPECT_EQ(told_->telling.cause().at("code"), "NODE_TIMEOUT");
    const auto cut = told_->telling.cancelled();
    ASSERT_EQ(cut.size(), 1u);
    const auto step = cut.front().data.at("steps").at(0);
    EXPECT_EQ(step.at("node_id"), "a");
    EXPECT_EQ(step.at("status"), "cancelled");
    EXPECT_EQ(step.at("input"), 1);
    EXPECT_EQ(step.at("tokens"), 15);
    EXPECT_GE(step.at("duration_ms"), 29);
}

}  // namespace telling_test
}  // namespace dure::executions
