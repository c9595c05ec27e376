// Rules I1–I9 and C5: stops, questions, answers.
#include "graph/support.hpp"

namespace dure::graph {
namespace {

using namespace test;

CompiledGraph chain_of_three(CompileOptions options = CompileOptions())
{
    LogGraph graph{"p", "q", "t"};
    graph.add_edge(start, "p").add_edge("p", "q").add_edge("q", "t");
    return graph.compile(options).value();
}

TEST(I1, StaticStopsEndTheRunBetweenSuperstepsAndANullRunGoesOn)
{
    for (const auto* name : {"q", "*"}) {
        CompileOptions options;
        options.interrupt_before = {name};
        ThreadOf thread(chain_of_three(options));
        auto result = thread.run(log_of({}));
        if (std::string(name) == "*") {
            EXPECT_EQ(result.next, (Lines{"p"}));
            result = thread.run(RunInput::nothing());
        }
        EXPECT_EQ(result.status, RunStatus::interrupted);
        EXPECT_EQ(result.next, (Lines{"q"}));
        EXPECT_TRUE(result.interrupts.empty());
    }
    ThreadOf thread(chain_of_three());
    RunOptions asked;
    asked.interrupt_after = {"q"};
    EXPECT_EQ(thread.run(log_of({}), asked).next, (Lines{"t"}));
    EXPECT_EQ(log_text(thread.run(RunInput::nothing(), asked)), "[p,q,t]");
}

TEST(I1, ARecoveredRunStopsWhereItWouldHaveStopped)
{
    ThreadOf thread(chain_of_three());
    RunOptions options;
    options.run = "r";
    options.interrupt_before = {"q"};
    EXPECT_EQ(thread.run(log_of({}), options).status, RunStatus::interrupted);
    options.recovers = true;   // as if the process had died before it told anybody
    const auto again = thread.run(log_of({}), options);
    EXPECT_EQ(again.status, RunStatus::interrupted);
    EXPECT_EQ(again.next, (Lines{"q"}));
}

TEST(I3, TheKthCallGetsTheKthAnswerAndTheTaskRunsAgainFromItsStart)
{
    int executions = 0;
    LogGraph graph{};
    graph.add_node("p", [&](NodeContext& context) -> Task<Result<Update>> {
        ++executions;
        auto first = co_await context.interrupt("first?");
        if (!first)
            co_return first.error();
        auto second = co_await context.interrupt("second?");
        if (!second)
            co_return second.error();
        co_return Update(entry("log", Json::array({*first, *second})));
    });
    graph.add_edge(start, "p");
    ThreadOf thread(compiled(graph));
    const auto asked = thread.run(log_of({}));
    ASSERT_EQ(asked.interrupts.size(), 1u);
    EXPECT_EQ(asked.interrupts[0].value, "first?");
    const auto again = thread.resume(1);
    ASSERT_EQ(again.interrupts.size(), 1u);
    EXPECT_EQ(again.interrupts[0].value, "second?");
    EXPECT_NE(again.interrupts[0].id, asked.interrupts[0].id);   // I4
    EXPECT_EQ(log_text(thread.resume(2)), "[1,2]");
    EXPECT_EQ(executions, 3);
}

TEST(I4, ParallelSentTasksHaveInterruptsOfTheirOwn)
{
    LogGraph graph{};
    graph.add_node("w", asks("w", "?"));
    graph.add_conditional_edges(start, [](const State&) { return Routes{Send("w", 1), Send("w", 1)}; });
    ThreadOf thread(compiled(graph));
    const auto asked = thread.run(log_of({}));
    ASSERT_EQ(asked.interrupts.size(), 2u);
    EXPECT_NE(asked.interrupts[0].id, asked.interrupts[1].id);
    const auto done = thread.resume(Json{{asked.interrupts[0].id, "a"}, {asked.interrupts[1].id, "b"}});
    EXPECT_EQ(log_text(done), "[w=\"a\",w=\"b\"]");
}

TEST(I5, EveryJsonValueIsAnAnswer)
{
    for (const auto& answer :
         {Json(false), Json(0), Json(""), Json(), Json::object(), Json::array(), Json{{"approve", true}}}) {
        LogGraph graph{};
        graph.add_node("p", asks("p", "?")).add_edge(start, "p");
        ThreadOf thread(compiled(graph));
        thread.run(log_of({}));
        EXPECT_EQ(log_text(thread.resume(answer)), "[p=" + answer.dump() + "]");
    }
}

TEST(I5, WrongAnswersChangeNothing)
{
    LogGraph graph{};
    graph.add_node("p", asks("p", "a?")).add_node("q", asks("q", "b?")).add_edge(start, "p").add_edge(start, "q");
    ThreadOf thread(compiled(graph));
    const auto asked = thread.run(log_of({}));
    const auto ambiguous = thread.resume(1);
    ASSERT_EQ(reason(ambiguous), "AMBIGUOUS_RESUME");
    const auto& open = asked.interrupts;
    EXPECT_EQ(ambiguous.error->message(), "2 interrupts are open, answer by their ids: " + open[0].id +
                                              " (node 'p'), " + open[1].id + " (node 'q').");
    ASSERT_EQ(ambiguous.error->extra().problems.size(), 2u);
    EXPECT_EQ(ambiguous.error->extra().problems[1].location, (Lines{"resume", open[1].id}));
    ASSERT_EQ(ambiguous.interrupts.size(), 2u) << "they are open still (I6)";
    EXPECT_EQ(ambiguous.interrupts[0].id, open[0].id);
    const std::string unknown(32, 'a');
    const auto strange = thread.resume(Json{{asked.interrupts[0].id, 1}, {unknown, 2}});
    EXPECT_EQ(reason(strange), "UNKNOWN_INTERRUPT");
    EXPECT_EQ(strange.interrupts.size(), 2u);
    const auto state = thread.state();
    EXPECT_EQ(state.next, (Lines{"p", "q"}));
    EXPECT_EQ(state.tasks[0].interrupts.size() + state.tasks[1].interrupts.size(), 2u);
    EXPECT_EQ(log_text(thread.resume(Json{{asked.interrupts[0].id, 1}, {asked.interrupts[1].id, 2}})), "[p=1,q=2]");
    const auto answered = thread.resume(1);
    ASSERT_EQ(reason(answered), "AMBIGUOUS_RESUME");
    EXPECT_EQ(answered.error->message(), "No interrupt is open: there is nothing to answer.");
}

TEST(I6, AfterARefusedAnswerTheQuestionsStandInTheOrderOfTheirTasksWhicheverWasFirst)
{
    bool asked_by_q = false;
    LogGraph graph{};
    graph.add_node("p", [&](NodeContext& context) -> Task<Result<Update>> {
        while (!asked_by_q)
            co_await sleep_for(1ms);
        co_return co_await asks("p", "a?")(context);
    });
    graph.add_node("q", [&](NodeContext& context) -> Task<Result<Update>> {
        auto answer = co_await asks("q", "b?")(context);
        asked_by_q = true;
        co_return answer;
    });
    graph.add_edge(start, "p").add_edge(start, "q");
    ThreadOf thread(compiled(graph));
    const auto nodes = [](const RunResult& result) {
        Lines names;
        for (const auto& one : result.interrupts)
            names.push_back(one.node);
        return names;
    };
    EXPECT_EQ(nodes(thread.run(log_of({}))), (Lines{"p", "q"}));
    EXPECT_EQ(nodes(thread.resume(1)), (Lines{"p", "q"}));
    EXPECT_EQ(nodes(thread.resume(Json{{std::string(32, 'a'), 1}})), (Lines{"p", "q"}));
}

TEST(I5, OfManyOpenInterruptsTheFirstAreNamed)
{
    LogGraph graph{};
    for (int i = 10; i < 35; ++i) {
        const auto name = "n" + std::to_string(i);
        graph.add_node(name, asks(name, "?")).add_edge(start, name);
    }
    ThreadOf thread(compiled(graph));
    thread.run(log_of({}));
    const auto ambiguous = thread.resume(1);
    ASSERT_EQ(reason(ambiguous), "AMBIGUOUS_RESUME");
    EXPECT_NE(ambiguous.error->message().find(" (node 'n29') and 5 more."), std::string::npos)
        << ambiguous.error->message();
    EXPECT_EQ(ambiguous.error->extra().problems.size(), 25u);
}

TEST(I7, AnAnswerIsDurableBeforeItsTaskRunsAgain)
{
    int fail_once = 1;
    LogGraph graph{};
    graph.add_node("p", [&](NodeContext& context) -> Task<Result<Update>> {
        auto answer = co_await context.interrupt("?");
        if (!answer)
            co_return answer.error();
        if (fail_once-- > 0)
            co_return Error(Errc::internal, "down");
        co_return Update(entry("log", *answer));
    });
    graph.add_edge(start, "p");
    ThreadOf thread(compiled(graph));
    thread.run(log_of({}));
    EXPECT_EQ(reason(thread.resume("yes")), "NODE_ERROR");
    EXPECT_EQ(log_text(thread.run(RunInput::nothing())), "[yes]");
}

TEST(I8, ANullRunAsksAgainAndANewInputDropsTheOpenTasks)
{
    int p = 0;
    LogGraph graph{"r"};
    graph.add_node("p", asks("p", "?", &p)).add_edge(start, "p").add_edge(start, "r");
    ThreadOf thread(compiled(graph));
    thread.run(log_of({"1"}));
    EXPECT_EQ(thread.run(RunInput::nothing()).status, RunStatus::interrupted);
    EXPECT_EQ(p, 2);
    const auto again = thread.run(log_of({"2"}));
    EXPECT_EQ(again.status, RunStatus::interrupted);
    EXPECT_EQ(p, 3);
    EXPECT_EQ(log_text(again), "[1,2]");   // r's result of the first superstep was dropped
    EXPECT_EQ(log_text(thread.resume(0)), "[1,2,p=0,r]");
}

TEST(I9, AQuestionNeedsACheckpointer)
{
    LogGraph graph{};
    graph.add_node("p", asks("p", "?")).add_edge(start, "p");
    EXPECT_EQ(reason(run(compiled(graph), log_of({}))), "MISSING_CHECKPOINTER");
    EXPECT_EQ(reason(run(compiled(graph), Command{Json(1), {}, {}})), "MISSING_CHECKPOINTER");
}

TEST(C5, ACommandAsInputAppliesItsUpdateAndStartsItsTargets)
{
    ThreadOf thread(chain_of_three());
    EXPECT_EQ(reason(thread.run(Command{std::nullopt, entry("log", "x"), {"t"}})), "EMPTY_INPUT");   // no thread yet
    thread.run(log_of({}));
    EXPECT_EQ(log_text(thread.run(Command{std::nullopt, entry("log", "x"), {"t"}})), "[p,q,t,x,t]");
    EXPECT_EQ(thread.checkpoints(),
              (Lines{"-1:input:START", "0:loop:p", "1:loop:q", "2:loop:t", "3:loop:-", "4:input:t", "5:loop:-"}));
    EXPECT_EQ(reason(thread.run(Command{})), "EMPTY_INPUT");
    EXPECT_EQ(reason(thread.run(Command{std::nullopt, {}, {"nowhere"}})), "INVALID_DESTINATION");
    EXPECT_EQ(reason(thread.run(Command{Json(1), {}, {"t"}})), "INVALID_UPDATE");
}

}  // namespace
}  // namespace dure::graph
