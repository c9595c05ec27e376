// What a run is given and makes: variables that items set at once, answers of people against their form, the size of it all.
#include "dure/flows/inputs.hpp"
#include "flows/compiler_fixture.hpp"

namespace dure::flows {
namespace run_values_test {

using graph::RunStatus;
using Flows = CompilerTest;

TEST_F(Flows, ItemsAtOnceThatReplaceAVariableAreAnErrorAlsoWhereItHasAReducer)
{
    const auto outcome_of = [&](const std::string& op, int parallel) {
        compile(drawn_flow(
            {{"start", "start"},
             {"each", "iteration", {{"items", Json::array({1, 2})}, {"parallel", parallel}, {"output", "{{item}}"}}},
             {"s",
              "set",
              {{"ops", Json::array({Json{{"target", "state.n"}, {"op", op}, {"value", 3}}})}},
              {{"parent", "each"}}},
             {"end", "end", {{"outputs", {{"n", "{{state.n}}"}}}}}},
            {"start>each", "each>end"},
            {{"state", Json::array({Json{{"name", "n"}, {"reducer", "add"}, {"default", 1}}})}}));
        checkpointer_ = std::make_unique<graph::MemoryCheckpointer>();
        run();
        return result_.status == RunStatus::success ? output().at("outputs").at("n") : Json();
    };
    EXPECT_EQ(outcome_of("add", 2), 7);
    EXPECT_EQ(outcome_of("multiply", 1), 9);
    EXPECT_EQ(outcome_of("multiply", 2), Json()) << "one of the two would be lost";
}

TEST_F(Flows, FieldsOfAnAnswerFitTheirForm)
{
    const auto question = Json::parse(R"({"actions":[{"id":"approve"}],"fields":[
        {"name":"count","type":"number","required":true},{"name":"size","options":["S","L"],"default":"S"},
        {"name":"of_a_form","type":"select","options":[{"label":"A","value":"a"}]},
        {"name":"tags","type":"list<text>","options":["a","b","c"]}]})");
    const auto given = [](const std::string& fields) {
        return Json{{"action", "approve"}, {"fields", Json::parse(fields)}};
    };
    for (const auto* wrong : {"{}", R"({"count":null})", R"({"count":"2"})", R"({"count":2,"size":"M"})",
                              R"({"count":2,"tags":["a","d"]})", R"({"count":2,"tags":"a"})"}) {
        const auto refused = check_answer(question, given(wrong));
        ASSERT_FALSE(refused) << wrong;
        EXPECT_EQ(refused.error().param(), "fields");
    }
    EXPECT_EQ(check_answer(question, given(R"({"count":2})")).value().at("fields"),
              Json::parse(R"({"count":2,"size":"S"})"));
    const auto all = R"({"count":2,"size":"L","of_a_form":"a","more":[],"tags":["a","c"]})";
    EXPECT_EQ(check_answer(question, given(all)).value().at("fields"), Json::parse(all));
}

TEST_F(Flows, BranchesThatSetTheSameValueAreToldByTheNamesOfTheDrawing)
{
    const auto set = [](const Json& value) {
        return Json{{"ops", Json::array({Json{{"target", "state.it's"}, {"op", "set"}, {"value", value}}})}};
    };
    compile(drawn_flow({{"start", "start"}, {"a", "set", set(1)}, {"b:2", "set", set(2)}}, {"start>a", "start>b:2"},
                       {{"state", Json::array({Json{{"name", "it's"}}})}}));
    run();
    ASSERT_EQ(result_.status, RunStatus::error);
    EXPECT_EQ(result_.error->reason(), "INVALID_CONCURRENT_GRAPH_UPDATE");
    EXPECT_EQ(in_drawn_words(result_.error->message()),
              "State 'it's' was set by several nodes at the same time: a, b:2.");
}

TEST_F(Flows, AnOptionalInputThatIsNullIsThereAndNull)
{
    const auto declared = Json::parse(R"([{"name":"z","type":"text"},{"name":"d","type":"text","default":"x"},
        {"name":"n","type":"integer","required":true}])");
    EXPECT_EQ(check_inputs(declared, Json::parse(R"({"z":null,"d":null,"n":1})")).value(),
              Json::parse(R"({"z":null,"d":"x","n":1})"));
    EXPECT_EQ(check_inputs(declared, Json::parse(R"({"n":1})")).value(), Json::parse(R"({"d":"x","n":1})"));
    const auto refused = check_inputs(declared, Json::parse(R"({"n":null})"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().extra().problems.front().location.back(), "n");
}

TEST_F(Flows, WhatNodesReadAndMakeIsToldAndMayBeTooMuch)
{
    std::size_t told = 0;
    bool enough = false;
    run_.hold = [&](std::size_t bytes) -> Result<void> {
        told += bytes;
        if (enough && told > 4000)
            return Error(Errc::conflict, "too much").reason("LIMIT_EXCEEDED");
        return {};
    };
    const auto flow = drawn_flow(
        {{"start", "start"},
         {"all", "loop", {{"max_rounds", 10}, {"on_exhausted", "continue"}}},
         {"add",
          "set",
          {{"ops", {{{"target", "state.list"}, {"op", "append"}, {"value", "{{start.message}}"}}}}},
          {{"parent", "all"}}},
         {"out", "reply", {{"text", "done"}}}},
        {"start>all", "all>out"},
        {{"state", {{{"name", "list"}, {"type", "list<text>"}, {"reducer", "last"}, {"default", Json::array()}}}}});
    compile(flow);
    run(std::string(100, 'x'));
    EXPECT_EQ(output().at("text"), "done") << failure();
    EXPECT_GT(told, (1 + 2 + 3 + 4 + 5 + 6 + 7 + 8 + 9 + 10) * 100u) << "each round stores the list as it is then";
    told = 0;
    enough = true;
    compile(drawn_flow({{"start", "start"},
                        {"a", "template", {{"text", "{{start.message}}{{start.message}}"}}},
                        {"out", "reply", {{"text", "done"}}}},
                       {"start>a", "a>out"}));
    run(std::string(2000, 'x'));
    ASSERT_FALSE(result_.failures.empty());
    EXPECT_EQ(result_.failures[0].cause.reason(), "LIMIT_EXCEEDED");
}

TEST_F(Flows, WhatRoundsAreGivenAndTheirResultsAreToldToo)
{
    std::size_t told = 0;
    run_.hold = [&](std::size_t bytes) -> Result<void> {
        told += bytes;
        return {};
    };
    const auto told_of = [&](Json iteration, const std::string& text) {
        iteration["items"] = Json::array({1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
        compile(drawn_flow({{"start", "start"},
                            {"each", "iteration", iteration},
                            {"t", "template", {{"text", text}}, {{"parent", "each"}}},
                            {"out", "reply", {{"text", "done"}}}},
                           {"start>each", "each>out"}));
        checkpointer_ = std::make_unique<graph::MemoryCheckpointer>();
        told = 0;
        run(std::string(1000, 'x'));
        EXPECT_EQ(result_.status, RunStatus::success) << failure();
        return told;
    };
    const auto nothing = told_of({{"output", "{{item}}"}}, "x");
    EXPECT_LT(nothing, 10'000u);
    EXPECT_GT(told_of({{"output", "{{item}}"}}, "{{start.message | length}}"), nothing + 9'000)
        << "each round is given it";
    EXPECT_GT(told_of({{"output", "{{start.message}}"}}, "x"), nothing + 18'000) << "and each result holds it";
}

}  // namespace run_values_test
}  // namespace dure::flows
