// What leaves the body of a loop or an iteration besides its value, repeats of containers, and what a sub-flow takes.
#include <gmock/gmock.h>

#include "flows/compiler_fixture.hpp"

namespace dure::flows {
namespace containers_test {

using graph::RunStatus;
using testing::ElementsAre;

class Containers : public CompilerTest {
protected:
    // What the newest checkpoints of the bodies hold.
    std::size_t bytes_of_rounds() const
    {
        std::size_t bytes = 0;
        test::run([&]() -> Task<void> {
            const auto all = co_await checkpointer_->namespaces("t");
            for (const auto& ns : *all) {
                if (ns.empty())
                    continue;
                const auto head = co_await checkpointer_->load("t", ns, "", false);
                for (const auto& [name, data] : head->value().channels) {
                    bytes += data.whole ? dump(*data.whole).size() : 0;
                    for (const auto& delta : data.deltas)
                        bytes += dump(*delta).size();
                }
            }
        });
        return bytes;
    }
};

TEST_F(Containers, RepliesInABodyAreRepliesOfTheRunInTheOrderOfRoundsAndItems)
{
    compile(
        drawn_flow({{"start", "start"},
                    {"twice", "loop", {{"max_rounds", 2}}},
                    {"each", "iteration", {{"items", Json::array({"a", "b"})}, {"parallel", 2}}, {{"parent", "twice"}}},
                    {"say", "reply", {{"text", "{{loop.count}}{{item}}"}}, {{"parent", "each"}}},
                    {"bye", "reply", {{"text", "bye"}}}},
                   {"start>twice", "twice>bye"}));
    run();
    ASSERT_EQ(result_.status, RunStatus::success) << failure();
    EXPECT_EQ(output().at("text"), "1a\n\n1b\n\n2a\n\n2b\n\nbye");
    EXPECT_EQ(output().at("replies").size(), 5u);
    EXPECT_EQ(output().at("replies").at(3), (Json{{"node_id", "say"}, {"text", "2b"}}));
}

TEST_F(Containers, EndsInABodyThatAreReachedAreResultsOfTheRun)
{
    const Json big{{"id", "big"}, {"all", Json::array({Json{{"left", "{{item}}"}, {"op", "gt"}, {"right", 2}}})}};
    compile(drawn_flow({{"start", "start"},
                        {"each", "iteration", {{"items", Json::array({1, 3})}}},
                        {"if", "condition", {{"cases", Json::array({big})}}, {{"parent", "each"}}},
                        {"found", "end", {{"outputs", {{"found", "{{item}}"}}}}, {{"parent", "each"}}},
                        {"done", "end", {{"outputs", {{"count", "{{nodes.each.count}}"}}}}}},
                       {"start>each", "if|big>found", "each>done"}));
    run();
    ASSERT_EQ(result_.status, RunStatus::success) << failure();
    EXPECT_EQ(output().at("outputs"), (Json{{"found", 3}, {"count", 2}}));
}

TEST_F(Containers, ARepliedSubflowSaysItToItsCallerOnly)
{
    others_["inner"] =
        document_of(drawn_flow({{"start", "start"}, {"say", "reply", {{"text", "inner"}}}}, {"start>say"}).dump());
    compile(drawn_flow({{"start", "start"},
                        {"call", "subflow", {{"flow", "inner"}}},
                        {"say", "reply", {{"text", "outer {{nodes.call.text}}"}}}},
                       {"start>call", "call>say"}));
    run();
    ASSERT_EQ(result_.status, RunStatus::success) << failure();
    EXPECT_EQ(output().at("text"), "outer inner");
}

// As the node itself would tell it outside of a body.
TEST_F(Containers, ErrorsOfABodyNameTheCodeOfTheNodeThatFailed)
{
    others_["inner"] = document_of(
        drawn_flow({{"start", "start"}, {"bad", "template", {{"text", "{{input.gone}}"}}}}, {"start>bad"}).dump());
    compile(drawn_flow({{"start", "start"},
                        {"each", "iteration", {{"items", Json::array({1})}, {"on_item_error", "skip"}}},
                        {"bad", "template", {{"text", "{{item.gone}}"}}, {{"parent", "each"}}},
                        {"ask", "iteration", {{"items", Json::array({1})}, {"on_item_error", "skip"}}},
                        {"slow", "llm", {{"prompt", "x"}}, {{"parent", "ask"}}},
                        {"call", "subflow", {{"flow", "inner"}}, {{"policy", {{"on_error", "continue"}}}}},
                        {"end",
                         "end",
                         {{"outputs",
                           {{"each", "{{nodes.each.errors[0]}}"},
                            {"ask", "{{nodes.ask.errors[0]}}"},
                            {"call", "{{nodes.call.error}}"}}}}}},
                       {"start>each", "each>ask", "ask>call", "call>end"}));
    services_.answers["slow"] = [](NodeCall&) -> Task<Result<Json>> {
        co_return Error(Errc::upstream_failed, "The model said no.").reason("upstream_refused");
    };
    run();
    ASSERT_EQ(result_.status, RunStatus::success) << failure();
    const auto got = output().at("outputs");
    EXPECT_EQ(got.at("each").at("code"), "expression_unresolved");
    EXPECT_EQ(got.at("ask").at("code"), "upstream_refused");
    EXPECT_EQ(got.at("ask").at("message"), "The model said no.");
    EXPECT_EQ(got.at("call").at("code"), "expression_unresolved");
}

// What is stored of an iteration is what its items need: not the flow's inputs, and nothing of nodes around it twice.
TEST_F(Containers, WhatIsStoredOfAnItemDoesNotGrowWithTheNumberOfItems)
{
    const Json append{{"target", "state.seen"}, {"op", "append"}, {"value", "{{item}}"}};
    const auto stored_of = [&](std::size_t count) {
        compile(drawn_flow(
            {{"start", "start"},
             {"big", "template", {{"text", "{{start.inputs.items}}"}, {"as", "json"}}},
             {"each",
              "iteration",
              {{"items", "{{start.inputs.items}}"}, {"parallel", 4}, {"output", "{{nodes.t.text}}"}}},
             {"add", "set", {{"ops", Json::array({append})}}, {{"parent", "each"}}},
             {"t", "template", {{"text", "{{start.message}}{{item}}"}}, {{"parent", "each"}}},
             {"end", "end", {{"outputs", {{"seen", "{{state.seen}}"}, {"items", "{{nodes.each.items}}"}}}}}},
            {"start>big", "big>each", "add>t", "each>end"},
            {{"state",
              Json::array({Json{
                  {"name", "seen"}, {"type", "list<number>"}, {"reducer", "append"}, {"default", Json::array()}}})}}));
        auto items = Json::array();
        for (std::size_t i = 0; i < count; ++i)
            items.push_back(i);
        run("m", Json{{"items", items}});
        EXPECT_EQ(result_.status, RunStatus::success) << failure();
        EXPECT_EQ(output().at("outputs").at("seen"), items);
        EXPECT_EQ(output().at("outputs").at("items").size(), count);
        return bytes_of_rounds();
    };
    const auto few = stored_of(20);
    const auto many = stored_of(200);
    EXPECT_GT(few, 0u);
    EXPECT_LT(many, few * 12) << "ten times the items, with longer numbers";
}

// What a container's policy repeats goes on where it failed.
TEST_F(Containers, ARetryOfAContainerGoesOnWhereItFailed)
{
    others_["inner"] =
        document_of(drawn_flow({{"start", "start"}, {"a", "llm", {{"prompt", "x"}}}, {"b", "llm", {{"prompt", "x"}}}},
                               {"start>a", "a>b"})
                        .dump());
    const Json policy{{"retry", {{"max_attempts", 3}, {"backoff_ms", 1}, {"jitter", false}}}};
    struct Case {
        const char* name;
        Json nodes;
        std::vector<std::string> edges;
    };
    const std::vector<Case> cases{
        {"subflow", {{"start", "start"}, {"box", "subflow", {{"flow", "inner"}}, {{"policy", policy}}}}, {"start>box"}},
        {"loop",
         {{"start", "start"},
          {"box", "loop", {{"max_rounds", 1}}, {{"policy", policy}}},
          {"a", "llm", {{"prompt", "x"}}, {{"parent", "box"}}},
          {"b", "llm", {{"prompt", "x"}}, {{"parent", "box"}}}},
         {"start>box", "a>b"}},
        {"iteration",
         {{"start", "start"},
          {"box", "iteration", {{"items", Json::array({1})}}, {{"policy", policy}}},
          {"a", "llm", {{"prompt", "x"}}, {{"parent", "box"}}},
          {"b", "llm", {{"prompt", "x"}}, {{"parent", "box"}}}},
         {"start>box", "a>b"}}};
    for (const auto& [name, nodes, edges] : cases)
        for (const int fails : {2, 3}) {
            SCOPED_TRACE(std::string(name) + " fails " + std::to_string(fails));
            int left = fails;
            services_.calls.clear();
            services_.answers["b"] = [&left](NodeCall&) -> Task<Result<Json>> {
                if (left-- > 0)
                    co_return Error(Errc::upstream_failed, "down");
                co_return Json{{"text", "fine"}};
            };
            compile(drawn_flow(nodes, edges));
            run();
            EXPECT_EQ(result_.status, fails == 2 ? RunStatus::success : RunStatus::error) << failure();
            EXPECT_EQ(services_.asked("a"), 1u);
            EXPECT_EQ(services_.asked("b"), 3u);
        }
}

// What a container does between its rounds is nobody's step: only what is drawn counts, on each level (graph-semantics P6,
// G5).
TEST_F(Containers, RoundsTakeNoStepsOfTheFlowAroundThem)
{
    const Json add{{"target", "state.n"}, {"op", "add"}, {"value", 1}};
    const Json settings{{"state", Json::array({Json{{"name", "n"}, {"type", "integer"}, {"default", 0}}})}};
    const Json items(600, 1);
    for (const auto& box : {Json{"box", "loop", {{"max_rounds", 1000}}}, Json{"box", "iteration", {{"items", items}}}})
        for (const bool sets : {false, true}) {
            const bool loop = box.at(1) == "loop";
            const int rounds = loop ? 1000 : 600;
            SCOPED_TRACE(box.at(1).get<std::string>() + (sets ? " that sets" : ""));
            Json body{"t", "template", {{"text", "x"}}, {{"parent", "box"}}};
            if (sets)
                body = Json{"t", "set", {{"ops", Json::array({add})}}, {{"parent", "box"}}};
            compile(drawn_flow({{"start", "start"},
                                box,
                                body,
                                {"end", "end", {{"outputs", {{"n", "{{state.n}}"}, {"box", "{{nodes.box}}"}}}}}},
                               {"start>box", "box>end"}, settings));
            run();
            ASSERT_EQ(result_.status, RunStatus::success) << failure();
            const auto got = output().at("outputs");
            EXPECT_EQ(got.at("n"), sets ? rounds : 0);
            EXPECT_EQ(got.at("box").at(loop ? "rounds" : "count"), rounds);
            EXPECT_EQ(result_.supersteps, 3);
        }
}

TEST_F(Containers, EachLevelHasItsStepsOfItsOwn)
{
    const auto runs = [&](int most, int inside) {
        Json nodes{{"start", "start"}, {"box", "loop", {{"max_rounds", 2}}}};
        std::vector<std::string> edges{"start>box"};
        for (int i = 0; i < inside; ++i) {
            nodes.push_back(
                Json{"t" + std::to_string(i), "template", Json{{"text", "x"}}, Json{{"parent", "box"}}});
            if (i > 0)
                edges.push_back("t" + std::to_string(i - 1) + ">t" + std::to_string(i));
        }
        compile(drawn_flow(nodes, edges, {{"limits", {{"max_steps", most}}}}));
        run();
        return result_.status == RunStatus::success ? "" : result_.error->reason();
    };
    EXPECT_EQ(runs(3, 3), "");
    EXPECT_EQ(runs(3, 4), "GRAPH_RECURSION_LIMIT");
    EXPECT_EQ(runs(2, 1), "");
    EXPECT_EQ(runs(1, 1), "GRAPH_RECURSION_LIMIT");
}

TEST_F(Containers, ASubflowTakesOnlyInputsThatFitIt)
{
    others_["inner"] = document_of(
        drawn_flow(
            {{"start", "start"}, {"say", "reply", {{"text", "{{start.inputs.n}} {{start.inputs.mood}}"}}}},
            {"start>say"},
            {{"inputs",
              Json::array(
                  {Json{{"name", "n"}, {"type", "integer"}, {"required", true}},
                   Json{{"name", "mood"}, {"type", "text"}, {"default", "kind"}, {"options", {"kind", "strict"}}}})}})
            .dump());
    const auto calls = [&](const Json& inputs) {
        compile(drawn_flow(
            {{"start", "start"},
             {"call", "subflow", {{"flow", "inner"}, {"inputs", inputs}}, {{"policy", {{"on_error", "branch"}}}}},
             {"say", "reply", {{"text", "{{nodes.call.text}}"}}},
             {"sorry", "reply", {{"text", "{{nodes.call.error.code}} {{nodes.call.error.message}}"}}}},
            {"start>call", "call>say", "call|error>sorry"}));
        run();
        EXPECT_EQ(result_.status, RunStatus::success) << failure();
        return output().at("text").get<std::string>();
    };
    EXPECT_EQ(calls({{"n", 3}}), "3 kind");
    EXPECT_EQ(calls({{"n", 3}, {"mood", "strict"}}), "3 strict");
    EXPECT_THAT(calls(Json::object()),
                testing::AllOf(testing::StartsWith("inputs_invalid"), testing::HasSubstr("n: ")));
    EXPECT_THAT(calls({{"n", "three"}}), testing::HasSubstr("n: Input should be of type integer"));
    EXPECT_THAT(calls({{"n", 1}, {"mood", "odd"}}), testing::HasSubstr("mood: "));
    EXPECT_THAT(calls({{"n", 1}, {"m", 1}}), testing::HasSubstr("m: The flow has no such input"));
}

}  // namespace containers_test
}  // namespace dure::flows
