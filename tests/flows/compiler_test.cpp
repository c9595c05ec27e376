// Compiled flows: order and branches (§6), kinds (§3), expressions in configs.
#include <gmock/gmock.h>

#include "flows/compiler_fixture.hpp"

namespace dure::flows {
namespace compiler_test {

using graph::RunStatus;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

Json set_of(const std::string& target, const std::string& op, Json value)
{
    return Json{{"ops", Json::array({Json{{"target", target}, {"op", op}, {"value", std::move(value)}}})}};
}
Json case_of(const std::string& id, Json left, const std::string& op, Json right)
{
    return Json{{"id", id},
                {"all", Json::array({Json{{"left", std::move(left)}, {"op", op}, {"right", std::move(right)}}})}};
}

using Flows = CompilerTest;

TEST_F(Flows, AChainCarriesMainOutputsAndFillsExpressions)
{
    compile(drawn_flow({{"start", "start"},
                        {"ask", "llm", {{"prompt", "Q: {{start.message | upper}}"}}},
                        {"say", "reply", {{"text", "{{nodes.ask.text}}!"}}}},
                       {"start>ask", "ask>say"}));
    services_.says("ask", {{"text", "안녕"}, {"usage", {{"input_tokens", 3}, {"output_tokens", 4}}}});
    run("hi");
    ASSERT_EQ(result_.status, RunStatus::success) << failure();
    EXPECT_EQ(output().at("text"), "안녕!");
    EXPECT_EQ(services_.calls.at(0).at("config").at("prompt"), "Q: HI");
    EXPECT_EQ(services_.calls.at(0).at("input"), "hi");
    EXPECT_THAT(sink_.order(), ElementsAre("start", "ask", "say"));
    EXPECT_EQ(sink_.steps.at(1).at("usage").at("output_tokens"), 4);
    ASSERT_EQ(sink_.messages.size(), 1u);
    EXPECT_EQ(sink_.messages[0].at("content"), "안녕!");
}

TEST_F(Flows, BranchesOfAConditionMeetInOneNodeThatRunsOnce)
{
    const auto flow = drawn_flow(
        {{"start", "start"},
         {"if", "condition", {{"cases", Json::array({case_of("ko", "{{start.message}}", "contains", "안녕")})}}},
         {"a", "template", {{"text", "korean"}}},
         {"b", "template", {{"text", "other"}}},
         {"b2", "template", {{"text", "{{input}} two"}}},
         {"meet", "reply", {{"text", "{{input}}"}}}},
        {"start>if", "if|ko>a", "if|else>b", "b>b2", "a>meet", "b2>meet"});
    compile(flow);
    run("안녕하세요");
    ASSERT_EQ(result_.status, RunStatus::success) << failure();
    EXPECT_EQ(output().at("text"), "korean");
    EXPECT_THAT(sink_.order(), UnorderedElementsAre("start", "if", "b skipped", "b2 skipped", "a", "meet"));
    sink_ = StepSink();
    compile(flow);
    run("hello");
    EXPECT_EQ(output().at("text"), "other two");
    EXPECT_THAT(sink_.order(), UnorderedElementsAre("start", "if", "a skipped", "b", "b2", "meet"));
}

TEST_F(Flows, AFanOutMeetsWithoutAJoinWhenAllAreDone)
{
    compile(drawn_flow({{"start", "start"},
                        {"short", "template", {{"text", "s"}}},
                        {"l1", "template", {{"text", "1"}}},
                        {"l2", "template", {{"text", "{{input}}2"}}},
                        {"l3", "template", {{"text", "{{input}}3"}}},
                        {"meet", "reply", {{"text", "{{nodes.short.text}}+{{nodes.l3.text}}"}}}},
                       {"start>short", "start>l1", "l1>l2", "l2>l3", "short>meet", "l3>meet"}));
    run();
    ASSERT_EQ(result_.status, RunStatus::success) << failure();
    EXPECT_EQ(output().at("text"), "s+123");
    const auto order = sink_.order();
    EXPECT_EQ(std::count(order.begin(), order.end(), "meet"), 1);
}

TEST_F(Flows, ANodeThatBothOfTwoConditionsSkipAtOnceNeverRuns)
{
    const auto never = Json{{"cases", Json::array({case_of("yes", "{{start.message}}", "eq", "never")})}};
    compile(drawn_flow({{"start", "start"},
                        {"c1", "condition", never},
                        {"c2", "condition", never},
                        {"both", "reply", {{"text", "wrong"}}},
                        {"after", "reply", {{"text", "wrong too"}}},
                        {"e1", "template", {{"text", "e1"}}},
                        {"e2", "template", {{"text", "e2"}}},
                        {"meet", "join", {{"merge", "list"}}},
                        {"say", "reply", {{"text", "{{input | json}}"}}}},
                       {"start>c1", "start>c2", "c1|yes>both", "c2|yes>both", "both>after", "c1|else>e1", "c2|else>e2",
                        "e1>meet", "e2>meet", "after>meet", "meet>say"}));
    run();
    ASSERT_EQ(result_.status, RunStatus::success) << failure();
    EXPECT_EQ(output().at("text"), R"(["e1","e2"])");
    const auto order = sink_.order();
    EXPECT_EQ(std::count(order.begin(), order.end(), "both skipped"), 1);
    EXPECT_EQ(std::count(order.begin(), order.end(), "after skipped"), 1);
    EXPECT_EQ(std::count(order.begin(), order.end(), "meet"), 1);
}

// They are a warning only (§9).
TEST_F(Flows, NodesThatNothingLeadsToStayOutAndNobodyWaitsForThem)
{
    compile(drawn_flow({{"start", "start"},
                        {"a", "template", {{"text", "A"}}},
                        {"lost", "template", {{"text", "L"}}},
                        {"lost2", "template", {{"text", "L2"}}},
                        {"say", "reply", {{"text", "{{input}}"}}}},
                       {"start>a", "lost>lost2", "lost2>say", "a>say"}));
    run();
    ASSERT_EQ(result_.status, RunStatus::success) << failure();
    EXPECT_EQ(output().at("text"), "A");
    EXPECT_THAT(sink_.order(), ElementsAre("start", "a", "say"));
}

TEST_F(Flows, JoinsMergeInEveryForm)
{
    const std::map<std::string, Json> expected{
        {"object", {{"a", "A"}, {"b", "B"}}}, {"list", {"A", "B"}}, {"text", "A\n\nB"}, {"last", "B"}};
    for (const auto& [merge, value] : expected) {
        SCOPED_TRACE(merge);
        compile(drawn_flow({{"start", "start"},
                            {"a", "template", {{"text", "A"}}},
                            {"b", "template", {{"text", "B"}}},
                            {"j", "join", {{"merge", merge}}},
                            {"end", "end", {{"outputs", {{"v", "{{nodes.j.value}}"}}}}}},
                           {"start>a", "start>b", "a>j", "b>j", "j>end"}));
        run();
        ASSERT_EQ(result_.status, RunStatus::success) << failure();
        EXPECT_EQ(output().at("outputs").at("v"), value);
    }
}

TEST_F(Flows, StateIsSetByItsReducersAlsoFromParallelBranches)
{
    const Json state = Json::array({Json{{"name", "notes"}, {"reducer", "append"}, {"default", Json::array()}},
                                    Json{{"name", "sum"}, {"reducer", "add"}, {"default", 1}},
                                    Json{{"name", "last"}, {"default", "none"}},
                                    Json{{"name", "map"}, {"reducer", "merge"}, {"default", {{"a", 1}}}}});
    Json many{{"ops", Json::array({Json{{"target", "state.last"}, {"op", "set"}, {"value", "x"}},
                                   Json{{"target", "state.last"}, {"op", "append"}, {"value", "{{state.last}}"}},
                                   Json{{"target", "state.sum"}, {"op", "multiply"}, {"value", 3}},
                                   Json{{"target", "state.map"}, {"op", "extend"}, {"value", {{"b", 2}}}},
                                   Json{{"target", "state.notes"}, {"op", "remove_first"}}})}};
    compile(drawn_flow({{"start", "start"},
                        {"a", "set", set_of("state.notes", "append", "A")},
                        {"b", "set", set_of("state.notes", "append", "B")},
                        {"c", "set", set_of("state.sum", "add", 4)},
                        {"j", "join"},
                        {"many", "set", many},
                        {"end",
                         "end",
                         {{"outputs",
                           {{"notes", "{{state.notes}}"},
                            {"sum", "{{state.sum}}"},
                            {"last", "{{state.last}}"},
                            {"map", "{{state.map}}"}}}}}},
                       {"start>a", "start>b", "start>c", "a>j", "b>j", "c>j", "j>many", "many>end"},
                       {{"state", state}}));
    run();
    ASSERT_EQ(result_.status, RunStatus::success) << failure();
    EXPECT_EQ(output().at("outputs"), Json::parse(R"({"notes":["B"],"sum":15,"last":"xx","map":{"a":1,"b":2}})"));
}

TEST_F(Flows, TwoParallelWritersOfOneLastValueAreAnError)
{
    compile(drawn_flow(
        {{"start", "start"}, {"a", "set", set_of("state.x", "set", 1)}, {"b", "set", set_of("state.x", "set", 2)}},
        {"start>a", "start>b"}, {{"state", Json::array({Json{{"name", "x"}}})}}));
    run();
    EXPECT_EQ(result_.status, RunStatus::error);
    EXPECT_EQ(result_.error->reason(), "INVALID_CONCURRENT_GRAPH_UPDATE");
}

TEST_F(Flows, ALoopRunsItsBodyUntilAndKeepsItsVariables)
{
    const Json loop{{"vars", Json::array({Json{{"name", "n"}, {"value", 1}}})},
                    {"until", {{"all", Json::array({Json{{"left", "{{loop.n}}"}, {"op", "ge"}, {"right", 20}}})}}},
                    {"max_rounds", 10}};
    compile(drawn_flow(
        {{"start", "start"},
         {"loop", "loop", loop},
         {"double", "set", set_of("loop.n", "multiply", 2), {{"parent", "loop"}}},
         {"note", "set", set_of("state.log", "append", "{{loop.count}}:{{loop.n}}"), {{"parent", "loop"}}},
         {"end",
          "end",
          {{"outputs",
            {{"n", "{{nodes.loop.vars.n}}"}, {"rounds", "{{nodes.loop.rounds}}"}, {"log", "{{state.log}}"}}}}}},
        {"start>loop", "double>note", "loop>end"},
        {{"state", Json::array({Json{{"name", "log"}, {"reducer", "append"}, {"default", Json::array()}}})}}));
    run();
    ASSERT_EQ(result_.status, RunStatus::success) << failure();
    EXPECT_EQ(output().at("outputs"), Json::parse(R"({"n":32,"rounds":5,"log":["1:2","2:4","3:8","4:16","5:32"]})"));
}

TEST_F(Flows, AnExhaustedLoopGoesOnOrFails)
{
    for (const std::string how : {"continue", "fail"}) {
        SCOPED_TRACE(how);
        const Json loop{{"until", {{"all", Json::array({Json{{"left", 1}, {"op", "eq"}, {"right", 2}}})}}},
                        {"max_rounds", 3},
                        {"on_exhausted", how}};
        compile(drawn_flow({{"start", "start"},
                            {"loop", "loop", loop},
                            {"t", "template", {{"text", "x"}}, {{"parent", "loop"}}},
                            {"end", "end", {{"outputs", {{"rounds", "{{nodes.loop.rounds}}"}}}}}},
                           {"start>loop", "loop>end"}));
        run();
        EXPECT_EQ(result_.status, how == "fail" ? RunStatus::error : RunStatus::success) << failure();
        if (how == "continue")
            EXPECT_EQ(output().at("outputs").at("rounds"), 3);
    }
}

TEST_F(Flows, AnIterationGoesOverAHundredItemsAtMostSixteenAtOnce)
{
    auto items = Json::array();
    for (int i = 0; i < 100; ++i)
        items.push_back(i);
    compile(drawn_flow(
        {{"start", "start"},
         {"each",
          "iteration",
          {{"items", "{{start.inputs.list}}"}, {"parallel", 16}, {"output", "{{index}}={{nodes.ask.text}}"}}},
         {"ask", "llm", {{"prompt", "{{item}} of {{start.message}}"}}, {{"parent", "each"}}},
         {"end", "end", {{"outputs", {{"items", "{{nodes.each.items}}"}, {"count", "{{nodes.each.count}}"}}}}}},
        {"start>each", "each>end"}));
    services_.answers["ask"] = [](NodeCall& call) -> Task<Result<Json>> {
        co_await sleep_for(std::chrono::milliseconds(1));
        co_return Json{{"text", "got " + call.config.at("prompt").get<std::string>()}};
    };
    run("all", {{"list", items}});
    ASSERT_EQ(result_.status, RunStatus::success) << failure();
    const auto got = output().at("outputs");
    EXPECT_EQ(got.at("count"), 100);
    ASSERT_EQ(got.at("items").size(), 100u);
    for (int i = 0; i < 100; ++i)
        EXPECT_EQ(got.at("items").at(static_cast<std::size_t>(i)),
                  std::to_string(i) + "=got " + std::to_string(i) + " of all");
    EXPECT_EQ(services_.most_running, 16);
}

TEST_F(Flows, ItemsThatFailEndSkipOrBecomeNull)
{
    for (const std::string how : {"fail", "skip", "null"}) {
        SCOPED_TRACE(how);
        compile(drawn_flow(
            {{"start", "start"},
             {"each",
              "iteration",
              {{"items", Json::array({"a", "b", "c"})}, {"on_item_error", how}, {"output", "{{nodes.ask.text}}"}}},
             {"ask", "llm", {{"prompt", "{{item}}"}}, {{"parent", "each"}}},
             {"end", "end", {{"outputs", {{"items", "{{nodes.each.items}}"}, {"errors", "{{nodes.each.errors}}"}}}}}},
            {"start>each", "each>end"}));
        services_.answers["ask"] = [](NodeCall& call) -> Task<Result<Json>> {
            if (call.config.at("prompt") == "b")
                co_return Error(Errc::invalid_argument, "not b");
            co_return Json{{"text", call.config.at("prompt")}};
        };
        run();
        if (how == "fail") {
            EXPECT_EQ(result_.status, RunStatus::error);
            continue;
        }
        ASSERT_EQ(result_.status, RunStatus::success) << failure();
        const auto got = output().at("outputs");
        EXPECT_EQ(got.at("items"), how == "skip" ? Json({"a", "c"}) : Json({"a", nullptr, "c"}));
        ASSERT_EQ(got.at("errors").size(), 1u);
        EXPECT_EQ(got.at("errors")[0].at("index"), 1);
        EXPECT_EQ(got.at("errors")[0].at("message"), "not b");
    }
}

TEST_F(Flows, ItemsOneByOneSeeWhatThoseBeforeThemSet)
{
    compile(drawn_flow(
        {{"start", "start"},
         {"each", "iteration", {{"items", Json::array({1, 2, 3})}, {"output", "{{nodes.t.text}}"}}},
         {"add", "set", set_of("state.total", "set", "{{item}}{{state.total}}"), {{"parent", "each"}}},
         {"t", "template", {{"text", "{{state.total}}"}}, {{"parent", "each"}}},
         {"end", "end", {{"outputs", {{"items", "{{nodes.each.items}}"}, {"total", "{{state.total}}"}}}}}},
        {"start>each", "add>t", "each>end"}, {{"state", Json::array({Json{{"name", "total"}, {"default", ""}}})}}));
    run();
    ASSERT_EQ(result_.status, RunStatus::success) << failure();
    EXPECT_EQ(output().at("outputs"), Json::parse(R"({"items":["1","21","321"],"total":"321"})"));
}

TEST_F(Flows, ContainersNestAndSeeTheLevelsAround)
{
    compile(drawn_flow(
        {{"start", "start"},
         {"pre", "template", {{"text", "P"}}},
         {"outer", "loop", {{"max_rounds", 2}, {"vars", Json::array({Json{{"name", "all"}, {"value", ""}}})}}},
         {"inner",
          "iteration",
          {{"items", Json::array({"x", "y"})}, {"output", "{{nodes.t.text}}"}},
          {{"parent", "outer"}}},
         {"t", "template", {{"text", "{{nodes.pre.text}}{{loop.count}}{{item}}"}}, {{"parent", "inner"}}},
         {"keep", "set", set_of("loop.all", "append", "{{nodes.inner.items | join(',')}};"), {{"parent", "outer"}}},
         {"end", "end", {{"outputs", {{"all", "{{nodes.outer.vars.all}}"}}}}}},
        {"start>pre", "pre>outer", "inner>keep", "outer>end"}));
    run();
    ASSERT_EQ(result_.status, RunStatus::success) << failure();
    EXPECT_EQ(output().at("outputs").at("all"), "P1x,P1y;P2x,P2y;");
}

TEST_F(Flows, ASubflowRunsInsideAndGivesTextAndOutputs)
{
    others_["helper"] =
        document_of(drawn_flow({{"start", "start"},
                                {"t", "llm", {{"prompt", "{{start.message}} {{start.inputs.n}} {{start.inputs.d}}"}}},
                                {"end", "end", {{"outputs", {{"v", "{{nodes.t.text}}"}}}}}},
                               {"start>t", "t>end"},
                               {{"inputs", Json::array({Json{{"name", "n"}, {"type", "number"}, {"required", true}},
                                                        Json{{"name", "d"}, {"type", "text"}, {"default", "dd"}}})}})
                        .dump());
    compile(drawn_flow(
        {{"start", "start"},
         {"call", "subflow", {{"flow", "helper"}, {"message", "m {{start.message}}"}, {"inputs", {{"n", 7}}}}},
         {"say", "reply", {{"text", "{{nodes.call.outputs.v}}"}}}},
        {"start>call", "call>say"}));
    services_.answers["t"] = [](NodeCall& call) -> Task<Result<Json>> {
        co_return Json{{"text", "<" + call.config.at("prompt").get<std::string>() + ">"}};
    };
    run("hi");
    ASSERT_EQ(result_.status, RunStatus::success) << failure();
    EXPECT_EQ(output().at("text"), "<m hi 7 dd>");
    const auto order = sink_.order();
    EXPECT_EQ(std::count(order.begin(), order.end(), "call/t"), 1);
    EXPECT_EQ(flow_->flow_node("b.call:123", "n.t"), "call/t");
    EXPECT_EQ(flow_->flow_node("", "d.call"), "");
}

TEST_F(Flows, APersonIsAskedAndTheAnswerChoosesTheBranch)
{
    compile(drawn_flow({{"start", "start"},
                        {"draft", "llm", {{"prompt", "write"}}},
                        {"ok", "human_input", {{"prompt", "Send {{nodes.draft.text}}?"}, {"timeout_ms", 60000}}},
                        {"send", "reply", {{"text", "sent: {{nodes.ok.feedback}}"}}},
                        {"drop", "reply", {{"text", "dropped"}}},
                        {"late", "reply", {{"text", "late"}}}},
                       {"start>draft", "draft>ok", "ok|approve>send", "ok|reject>drop", "ok|timeout>late"}));
    const std::vector<std::pair<Json, std::string>> answers{
        {Json{{"action", "approve"}, {"feedback", "good"}}, "sent: good"},
        {Json{{"action", "reject"}}, "dropped"},
        {Json{{"timeout", true}}, "late"}};
    for (const auto& [given, text] : answers) {
        SCOPED_TRACE(text);
        services_.calls.clear();
        checkpointer_ = std::make_unique<graph::MemoryCheckpointer>();
        run();
        ASSERT_EQ(result_.status, RunStatus::interrupted);
        const auto& question = result_.interrupts.at(0).value;
        EXPECT_EQ(question.at("prompt"), "Send draft answers?");
        EXPECT_EQ(question.at("actions").size(), 2u);
        EXPECT_GT(question.at("deadline").get<std::int64_t>(), 0);
        EXPECT_FALSE(check_answer(question, Json{{"action", "burn"}}));
        EXPECT_TRUE(check_answer(question, given));
        answer(given);
        ASSERT_EQ(result_.status, RunStatus::success) << failure();
        EXPECT_EQ(output().at("text"), text);
        EXPECT_EQ(services_.asked("draft"), 1u) << "finished nodes do not run again";
    }
}

TEST_F(Flows, PeopleMayBeAskedInsideOfContainers)
{
    compile(drawn_flow(
        {{"start", "start"},
         {"each", "iteration", {{"items", Json::array({"a", "b"})}, {"output", "{{item}}:{{nodes.ok.action}}"}}},
         {"ok", "human_input", {{"prompt", "{{item}}?"}}, {{"parent", "each"}}},
         {"end", "end", {{"outputs", {{"v", "{{nodes.each.items}}"}}}}}},
        {"start>each", "each>end"}));
    run();
    ASSERT_EQ(result_.status, RunStatus::interrupted);
    EXPECT_EQ(result_.interrupts.at(0).value.at("prompt"), "a?");
    EXPECT_EQ(flow_->flow_node(result_.interrupts[0].ns, result_.interrupts[0].node), "ok");
    answer({{"action", "approve"}});
    ASSERT_EQ(result_.status, RunStatus::interrupted);
    EXPECT_EQ(result_.interrupts.at(0).value.at("prompt"), "b?");
    answer({{"action", "reject"}});
    ASSERT_EQ(result_.status, RunStatus::success) << failure();
    EXPECT_EQ(output().at("outputs").at("v"), Json({"a:approve", "b:reject"}));
}

TEST_F(Flows, APathThatLeadsNowhereFailsTheNodeAndSecretsStayInTheirFields)
{
    compile(drawn_flow({{"start", "start"}, {"t", "template", {{"text", "{{start.inputs.missing}}"}}}}, {"start>t"}));
    run();
    EXPECT_EQ(result_.status, RunStatus::error);
    EXPECT_NE(failure().find("start.inputs.missing"), std::string::npos) << failure();

    services_.says("call", {{"body", "ok"}});
    services_.variables["base"] = "https://api.example";
    compile(drawn_flow({{"start", "start"},
                        {"call", "http", {{"url", "{{vars.base}}/x"}, {"headers", {{"X-Key", "{{secrets.token}}"}}}}},
                        {"say", "reply", {{"text", "{{input}}"}}}},
                       {"start>call", "call>say"}));
    run();
    ASSERT_EQ(result_.status, RunStatus::success) << failure();
    EXPECT_EQ(services_.calls.back().at("config").at("url"), "https://api.example/x");
    EXPECT_EQ(services_.calls.back().at("config").at("headers").at("X-Key"), "s3cret");
    for (const auto& step : sink_.steps)
        EXPECT_EQ(step.dump().find("s3cret"), std::string::npos);
}

TEST_F(Flows, ADisabledNodePassesItsInputThrough)
{
    compile(drawn_flow({{"start", "start"},
                        {"off", "llm", {{"prompt", "x"}}, {{"disabled", true}}},
                        {"say", "reply", {{"text", "{{input}}"}}}},
                       {"start>off", "off>say"}));
    run("same");
    ASSERT_EQ(result_.status, RunStatus::success) << failure();
    EXPECT_EQ(output().at("text"), "same");
    EXPECT_TRUE(services_.calls.empty());
}

TEST_F(Flows, AnIdWithColonsIsTheSameInStepsAndExpressions)
{
    compile(drawn_flow({{"start", "start"},
                        {"a:b.c-1", "template", {{"text", "odd"}}},
                        {"__start__", "reply", {{"text", "{{nodes[\"a:b.c-1\"].text}}"}}}},
                       {"start>a:b.c-1", "a:b.c-1>__start__"}));
    run();
    ASSERT_EQ(result_.status, RunStatus::success) << failure();
    EXPECT_EQ(output().at("text"), "odd");
    EXPECT_THAT(sink_.order(), ElementsAre("start", "a:b.c-1", "__start__"));
}

TEST_F(Flows, APatchReplacesOutputsAndStateAndNamesWhatIsNotThere)
{
    compile(drawn_flow({{"start", "start"}, {"t", "template", {{"text", "x"}}}}, {"start>t"},
                       {{"state", Json::array({Json{{"name", "s"}}})}}));
    const auto patched = patched_values(*flow_, Json{{"n.t", {{"text", "old"}}}}, {"n.other"},
                                        Json{{"nodes", {{"t", {{"text", "new"}}}}}, {"state", {{"s", 5}}}});
    ASSERT_TRUE(patched) << patched.error().message();
    EXPECT_EQ(*patched, Json::parse(R"({"n.t":{"text":"new"},"s.s":5})"));
    for (const auto* wrong :
         {R"({"nodes":{"no":{}}})", R"({"state":{"no":1}})", R"({"nodes":{"t":1}})", R"({"x":{}})", "[]"})
        EXPECT_FALSE(patched_values(*flow_, Json::object(), {}, Json::parse(wrong))) << wrong;
    const auto replaced = patched_values(*flow_, Json::object(), {"n.t"}, Json{{"nodes", {{"t", {{"text", "new"}}}}}});
    ASSERT_FALSE(replaced);
    EXPECT_THAT(replaced.error().message(), testing::HasSubstr("\"t\" runs in the step the fork begins at"));
}

TEST_F(Flows, APatchOfTheStateFitsItsTypeAndItsReducer)
{
    compile(drawn_flow({{"start", "start"}, {"t", "template", {{"text", "x"}}}}, {"start>t"},
                       {{"state", Json::array({Json{{"name", "sum"}, {"type", "number"}, {"reducer", "add"}},
                                               Json{{"name", "list"}, {"type", "list<text>"}, {"reducer", "append"}},
                                               Json{{"name", "object"}, {"reducer", "merge"}},
                                               Json{{"name", "text"}, {"type", "text"}}})}}));
    for (const auto* right :
         {R"({"sum":1.5})", R"({"list":["a"]})", R"({"object":{}})", R"({"text":"x"})", R"({"text":null})"})
        EXPECT_TRUE(patched_values(*flow_, Json::object(), {}, Json{{"state", Json::parse(right)}})) << right;
    for (const auto* wrong : {R"({"sum":"x"})", R"({"sum":null})", R"({"list":"x"})", R"({"list":[1]})",
                              R"({"list":null})", R"({"object":[]})", R"({"object":null})", R"({"text":5})"}) {
        const auto patched = patched_values(*flow_, Json::object(), {}, Json{{"state", Json::parse(wrong)}});
        ASSERT_FALSE(patched) << wrong;
        EXPECT_EQ(patched.error().reason(), "patch_invalid");
    }
}

}  // namespace compiler_test
}  // namespace dure::flows
