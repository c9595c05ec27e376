// What expressions may cost, and where they are evaluated: little on the core that runs the flow, much on threads of its own.
#include "dure/flows/evaluations.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <thread>

#include "dure/flows/condition.hpp"
#include "dure/flows/expression.hpp"
#include "flows/compiler_fixture.hpp"
#include "flows/expressions/find_text.hpp"

namespace dure::flows {
namespace evaluations_test {

namespace asio = boost::asio;

class NamedScope final : public Scope {
public:
    explicit NamedScope(Json input) : input_(std::move(input)) {}
    const Json* find(Root root, std::string_view) const override { return root == Root::input ? &input_ : nullptr; }

private:
    Json input_;
};

Result<Json> evaluated(const std::string& text, const Scope& scope)
{
    return Template::parse(text)->evaluate(scope, Secrets::refused);
}

std::string repeated(const std::string& text, std::size_t times)
{
    std::string out;
    for (std::size_t i = 0; i < times; ++i)
        out += text;
    return out;
}

TEST(EvaluationWork, AllExpressionsOverAScopeHaveTenThousandStepsTogether)
{
    const NamedScope scope("x");
    EXPECT_EQ(*evaluated(repeated("{{input}}", 9'000), scope), std::string(9'000, 'x'));
    EXPECT_EQ(*evaluated(repeated("{{input | trim}}", 500), scope), std::string(500, 'x'));
    const auto more = evaluated("{{input}}", scope);
    ASSERT_FALSE(more);
    EXPECT_EQ(more.error().reason(), "expression_too_large");
    EXPECT_TRUE(scope.work().is_spent());
}

TEST(EvaluationWork, LargeValuesCountForMore)
{
    const std::string splits = "{{input | split(',') | length}}";
    const NamedScope small(std::string(20'000, ','));
    EXPECT_EQ(*evaluated(repeated(splits, 20), small), repeated("20001", 20));
    const NamedScope large(std::string(900'000, ','));
    EXPECT_EQ(*evaluated(splits, large), 900'001);
    EXPECT_EQ(evaluated(repeated(splits, 20), large).error().reason(), "expression_too_large");
}

TEST(EvaluationWork, ConditionsAreOfTheSameMeasure)
{
    Problems problems;
    const auto group = ConditionGroup::compile(
        OrderedJson::parse(R"({"all":[{"left":"{{input}}","op":"contains","right":"b","ignore_case":true}]})"), {"c"},
        "node", problems);
    ASSERT_TRUE(group);
    const NamedScope scope(std::string(1'000'000, 'B'));
    bool holds = true;
    int times = 0;
    for (; holds && times < 1'000; ++times) {
        const auto one = group->holds(scope);
        holds = one && *one;
        if (!one)
            EXPECT_EQ(one.error().reason(), "expression_too_large");
    }
    EXPECT_GT(times, 5);
    EXPECT_LT(times, 100);
}

TEST(FindText, FindsWhatStringsFind)
{
    using namespace std::string_view_literals;
    for (const auto text : {""sv, "a"sv, "abcabc"sv, "aab\0ab"sv, "두레두"sv})
        for (const auto part : {""sv, "a"sv, "ab"sv, "b\0a"sv, "cab"sv, "두"sv, "abcabcd"sv})
            for (std::size_t from = 0; from <= text.size(); ++from)
                EXPECT_EQ(find_text(text, part, from), text.find(part, from)) << text << " " << part << " " << from;
}

class EvaluationPlace : public CompilerTest {
protected:
    EvaluationPlace()
    {
        services_.variables["mark"] = "+";
        run_.evaluations = &evaluations_;
    }
    static constexpr const char* much = "{{vars.mark}}{{start.message | split(',') | length}}";
    // Each split piece is a hundred units, and on the core there is about a million.
    static constexpr std::size_t many = 30'000;

    std::size_t threads() const { return services_.looked_up_on.size(); }

    Evaluations evaluations_{1};
};

TEST_F(EvaluationPlace, WhatIsLittleStaysOnTheCore)
{
    compile(drawn_flow({{"start", "start"}, {"t", "template", {{"text", much}}}}, {"start>t"}));
    run("a,b");
    EXPECT_EQ(output().at("text"), "+2") << failure();
    EXPECT_EQ(threads(), 1u);
}

TEST_F(EvaluationPlace, WhatIsMuchIsDoneElsewhereWithTheSameResult)
{
    for (const auto& node : {Json{"n", "template", {{"text", much}}}, Json{"n", "reply", {{"text", much}}}}) {
        services_.looked_up_on.clear();
        compile(drawn_flow({{"start", "start"}, node}, {"start>n"}));
        run(std::string(many, ','));
        EXPECT_EQ(output().at("text"), "+30001") << failure();
        EXPECT_EQ(threads(), 2u) << node;
    }
}

TEST_F(EvaluationPlace, ACallIsGivenWhatWasEvaluatedElsewhere)
{
    compile(drawn_flow({{"start", "start"}, {"ask", "llm", {{"model", "m"}, {"prompt", much}}}}, {"start>ask"}));
    run(std::string(many, ','));
    ASSERT_EQ(services_.calls.size(), 1u) << failure();
    EXPECT_EQ(services_.calls[0].at("config").at("prompt"), "+30001");
    EXPECT_EQ(threads(), 2u);
}

TEST_F(EvaluationPlace, OperationsThatBeginAgainAreDoneOnce)
{
    Json ops = Json::array({Json{{"target", "state.list"}, {"op", "append"}, {"value", "{{vars.mark}}"}},
                            Json{{"target", "state.sum"}, {"op", "add"}, {"value", 1}},
                            Json{{"target", "state.text"}, {"op", "set"}, {"value", much}}});
    const auto state = Json::parse(R"([{"name":"list","type":"list"},{"name":"sum","type":"number","default":1},
                                       {"name":"text","type":"text"}])");
    compile(drawn_flow({{"start", "start"},
                        {"s", "set", {{"ops", ops}}},
                        {"end", "end", {{"outputs", {{"all", "{{state.list}} {{state.sum}} {{state.text}}"}}}}}},
                       {"start>s", "s>end"}, {{"state", state}}));
    run(std::string(many, ','));
    EXPECT_EQ(output().at("outputs").at("all"), R"(["+"] 2 +30001)") << failure();
    EXPECT_EQ(threads(), 2u);
}

TEST_F(EvaluationPlace, CasesAndRoundsAreDecidedElsewhere)
{
    const Json yes{{"id", "yes"}, {"all", Json::array({Json{{"left", much}, {"op", "eq"}, {"right", "+30001"}}})}};
    compile(drawn_flow(
        {{"start", "start"}, {"c", "condition", {{"cases", Json::array({yes})}}}, {"r", "reply", {{"text", "chosen"}}}},
        {"start>c", "c|yes>r"}));
    run(std::string(many, ','));
    EXPECT_EQ(output().at("text"), "chosen") << failure();
    EXPECT_EQ(threads(), 2u);

    services_.looked_up_on.clear();
    compile(drawn_flow({{"start", "start"},
                        {"box", "iteration", {{"items", Json::array({1, 2})}, {"output", much}}},
                        {"r", "reply", {{"text", "{{item}}"}}, {{"parent", "box"}}}},
                       {"start>box"}));
    run(std::string(many, ','));
    EXPECT_EQ(sink_.steps.back().at("output").at("items"), Json::parse(R"(["+30001","+30001"])")) << failure();
    EXPECT_EQ(threads(), 2u);
}

TEST_F(EvaluationPlace, TooMuchFailsTheNode)
{
    compile(drawn_flow({{"start", "start"}, {"t", "template", {{"text", repeated(much, 20)}}}}, {"start>t"}));
    run(std::string(900'000, ','));
    ASSERT_EQ(result_.failures.size(), 1u);
    EXPECT_EQ(result_.failures[0].cause.reason(), "expression_too_large");
}

// Ends when it is stopped only.
Result<Json> endless(EvaluationWork& work)
{
    while (work.spend(0))
        std::this_thread::yield();
    return too_much_work();
}

TEST(Evaluations, WhoIsCancelledLeavesTheQueueAndItsWork)
{
    Evaluations evaluations(1);
    EvaluationWork first, second;
    asio::cancellation_signal stop_first, stop_second;
    std::vector<std::string> ended;
    asio::io_context loop(1);
    const auto start = [&](const char* name, EvaluationWork& work, asio::cancellation_signal& stop) {
        asio::co_spawn(
            loop, evaluations.run(work, [&work] { return endless(work); }),
            asio::bind_cancellation_slot(stop.slot(), [&ended, name](std::exception_ptr thrown, Result<Json>) {
                ended.push_back(name + std::string(thrown ? " cancelled" : ""));
            }));
    };
    start("first", first, stop_first);
    start("second", second, stop_second);
    loop.poll();
    stop_second.emit(asio::cancellation_type::terminal);
    while (ended.empty())
        loop.run_one();
    EXPECT_EQ(ended, std::vector<std::string>{"second cancelled"});
    stop_first.emit(asio::cancellation_type::terminal);
    loop.run();
    EXPECT_EQ(ended, (std::vector<std::string>{"second cancelled", "first cancelled"}));
    EXPECT_TRUE(first.is_spent() || first.left() == 0);
}

}  // namespace evaluations_test
}  // namespace dure::flows
