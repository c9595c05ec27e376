// The table of graph-semantics §14 with its checkpoints, literally, on a thread in memory.
#include "graph/support.hpp"

namespace dure::graph {
namespace {

using namespace test;

void expect_sorted(Lines got, Lines wanted)
{
    std::sort(got.begin(), got.end());
    std::sort(wanted.begin(), wanted.end());
    EXPECT_EQ(got, wanted);
}

TEST(DurableExamples, Row1ChainOfTwo)
{
    LogGraph graph{"p", "q"};
    graph.add_edge(start, "p").add_edge("p", "q");
    ThreadOf thread(compiled(graph));
    thread.run(log_of({"i"}));
    EXPECT_EQ(thread.events, (Lines{"v[i]", "u p", "v[i,p]", "u q", "v[i,p,q]"}));
    EXPECT_EQ(thread.checkpoints(), (Lines{"-1:input:START", "0:loop:p", "1:loop:q", "2:loop:-"}));
}

TEST(DurableExamples, Row2WaitingEdge)
{
    LogGraph graph{"m", "k", "t", "z"};
    graph.add_edge(start, "m").add_edge(start, "k").add_edge("k", "t").add_edge({"m", "t"}, "z");
    ThreadOf thread(compiled(graph));
    thread.run(log_of({}));
    EXPECT_EQ(thread.checkpoints(), (Lines{"-1:input:START", "0:loop:k,m", "1:loop:t", "2:loop:z", "3:loop:-"}));
}

TEST(DurableExamples, Row3PlainEdgesInsteadOfTheWaitingOne)
{
    LogGraph graph{"m", "k", "t", "z"};
    graph.add_edge(start, "m").add_edge(start, "k").add_edge("k", "t").add_edge("m", "z").add_edge("t", "z");
    ThreadOf thread(compiled(graph));
    thread.run(log_of({}));
    EXPECT_EQ(thread.checkpoints(), (Lines{"-1:input:START", "0:loop:k,m", "1:loop:t,z", "2:loop:z", "3:loop:-"}));
}

TEST(DurableExamples, Row4SendsFromStart)
{
    LogGraph graph{"b"};
    graph.add_node(
        "w", [](NodeContext& context) -> Task<Result<Update>> { co_return Update(entry("log", *context.argument())); });
    graph.add_edge(start, "b").add_conditional_edges(start, [](const State&) {
        return Routes{Send("w", 3), Send("w", 1)};
    });
    ThreadOf thread(compiled(graph));
    thread.run(log_of({}));
    EXPECT_EQ(thread.events.back(), "v[b,3,1]");
    EXPECT_EQ(thread.checkpoints(), (Lines{"-1:input:START", "0:loop:b,w,w", "1:loop:-"}));
}

TEST(DurableExamples, Row5ConcurrentWritesOfALastValue)
{
    LogGraph graph{};
    graph.add_node("p", writes("n", 1)).add_node("q", writes("n", 2)).add_edge(start, "p").add_edge(start, "q");
    ThreadOf thread(compiled(graph));
    const auto result = thread.run(log_of({}));
    expect_sorted({thread.events.begin() + 1, thread.events.end()}, {"u p", "u q"});
    EXPECT_EQ(reason(result), "INVALID_CONCURRENT_GRAPH_UPDATE");
    EXPECT_EQ(thread.checkpoints(), (Lines{"-1:input:START", "0:loop:p,q"}));
    const auto state = thread.state();
    EXPECT_EQ(state.next, (Lines{"p", "q"}));
    for (const auto& task : state.tasks) {
        EXPECT_EQ(task.error.value_or(Json()).value("reason", ""), "INVALID_CONCURRENT_GRAPH_UPDATE");
        EXPECT_FALSE(task.result);
    }
}

TEST(DurableExamples, Row6AFailureThenANullRun)
{
    int p = 0;
    int q = 0;
    int failures = 1;
    LogGraph graph{};
    graph.add_node("p", counts("p", &p))
        .add_node("q", counts("q", &q, &failures))
        .add_edge(start, "p")
        .add_edge(start, "q");
    ThreadOf thread(compiled(graph));
    EXPECT_EQ(reason(thread.run(log_of({}))), "NODE_ERROR");
    EXPECT_EQ(thread.events, (Lines{"v[]", "u p"}));
    const auto between = thread.state();
    EXPECT_EQ(Recorder::list(between.values.at("log")), "[p]");
    EXPECT_EQ(between.next, (Lines{"q"}));
    EXPECT_EQ(thread.run(RunInput::nothing()).status, RunStatus::success);
    EXPECT_EQ(thread.events, (Lines{"u p (cached)", "u q", "v[p,q]"}));
    EXPECT_EQ(p, 1);
    EXPECT_EQ(q, 2);
    EXPECT_EQ(thread.checkpoints(), (Lines{"-1:input:START", "0:loop:p,q", "1:loop:-"}));
}

TEST(DurableExamples, Row7TwoQuestionsAnsweredOneByOne)
{
    int p = 0;
    int q = 0;
    LogGraph graph{"r"};
    graph.add_node("p", asks("p", "a?", &p)).add_node("q", asks("q", "b?", &q));
    for (const auto* name : {"p", "q", "r"})
        graph.add_edge(start, name);
    ThreadOf thread(compiled(graph));
    const auto first = thread.run(log_of({}));
    EXPECT_EQ(first.status, RunStatus::interrupted);
    expect_sorted({thread.events.begin() + 1, thread.events.end()}, {"u r", "int p", "int q"});
    ASSERT_EQ(first.interrupts.size(), 2u);
    const auto second = thread.resume_one(first, "q", 1);
    EXPECT_EQ(second.status, RunStatus::interrupted);
    expect_sorted(thread.events, {"u r (cached)", "u q", "int p"});
    EXPECT_EQ(p, 1);
    EXPECT_EQ(q, 2);
    EXPECT_EQ(thread.checkpoints().back(), "0:loop:p,q,r");
    const auto third = thread.resume_one(second, "p", 2);
    EXPECT_EQ(third.status, RunStatus::success);
    EXPECT_EQ(thread.events.back(), "v[p=2,q=1,r]");
    EXPECT_EQ(thread.checkpoints().back(), "1:loop:-");
    EXPECT_EQ(q, 2);
}

TEST(DurableExamples, Row8ForkFromAnOlderCheckpoint)
{
    int p = 0;
    LogGraph graph{"q", "t"};
    graph.add_node("p", counts("p", &p)).add_edge(start, "p").add_edge("p", "q").add_edge("q", "t");
    ThreadOf thread(compiled(graph));
    thread.run(log_of({}));
    RunOptions options;
    options.checkpoint = thread.checkpoint_at(1);
    EXPECT_EQ(thread.run(RunInput::nothing(), options).status, RunStatus::success);
    EXPECT_EQ(thread.events, (Lines{"u q", "v[p,q]", "u t", "v[p,q,t]"}));
    EXPECT_EQ(p, 1);
    EXPECT_EQ(thread.checkpoints(), (Lines{"-1:input:START", "0:loop:p", "1:loop:q", "2:loop:t", "3:loop:-", "2:fork:q",
                                           "3:loop:t", "4:loop:-"}));
    EXPECT_EQ(thread.state().step, 4);
}

TEST(DurableExamples, Row9RecursionLimitThenANullRunGoesOn)
{
    LogGraph graph{"p"};
    graph.add_edge(start, "p").add_edge("p", "p");
    ThreadOf thread(compiled(graph));
    RunOptions options;
    options.recursion_limit = 2;
    EXPECT_EQ(reason(thread.run(log_of({}), options)), "GRAPH_RECURSION_LIMIT");
    EXPECT_EQ(thread.checkpoints().back(), "2:loop:p");
    thread.run(RunInput::nothing(), options);
    EXPECT_EQ(thread.checkpoints().back(), "4:loop:p");
}

// An answer and a crash go on with the count of their span, each from its checkpoint; another span has a fresh one.
TEST(DurableExamples, ALimitThatLastsIsCountedOverAnswersAndCrashes)
{
    LogGraph graph{};
    graph.add_node("p", [](NodeContext& context) -> Task<Result<Update>> {
        const auto& log = context.state().at("log");
        if (log.size() == 1)
            if (auto answer = co_await context.interrupt("go on?"); !answer)
                co_return answer.error();
        co_return Update(entry("log", "p"));
    });
    graph.add_edge(start, "p").add_edge("p", "p");
    for (const bool lasts : {true, false}) {
        ThreadOf thread(compiled(graph));
        RunOptions options;
        options.recursion_limit = 3;
        options.limit_span = lasts ? "begun" : "";
        options.run = "run-1";
        EXPECT_EQ(thread.run(log_of({}), options).status, RunStatus::interrupted);
        EXPECT_EQ(reason(thread.resume("yes", options)), "GRAPH_RECURSION_LIMIT");
        options.limit_span = lasts ? "begun again" : "";
        EXPECT_EQ(log_text(thread.run(RunInput::nothing(), options)), lasts ? "[p,p,p,p,p,p]" : "[p,p,p,p,p,p,p]");
        options.recovers = true;
        EXPECT_EQ(reason(thread.run(RunInput::nothing(), options)), "GRAPH_RECURSION_LIMIT");
        EXPECT_EQ(reason(thread.run(log_of({}), options)), "GRAPH_RECURSION_LIMIT");
        EXPECT_EQ(thread.state().values.at("log").size(), lasts ? 6u : 13u);
    }
}

// A checkpointer whose process "dies": after `saves` more, every save fails and nothing changes.
class Dying final : public ForwardingCheckpointer {
public:
    Dying(Checkpointer& real, int saves) : ForwardingCheckpointer(real), left_(saves) {}

    Task<Result<void>> save(const std::string& thread, Batch batch) override
    {
        if (left_-- <= 0)
            co_return Error(Errc::unavailable, "dead").reason("STORAGE_ERROR");
        co_return co_await real_.save(thread, std::move(batch));
    }
private:
    int left_;
};

TEST(DurableExamples, Row10AfterACrashFinishedTasksAreThereAndOthersKeepTheirIds)
{
    int p = 0;
    std::vector<std::string> ids;
    LogGraph graph{};
    graph.add_node("p", counts("p", &p));
    graph.add_node("q", [&](NodeContext& context) -> Task<Result<Update>> {
        ids.push_back(context.task_id());
        co_return Update(entry("log", "q"));
    });
    graph.add_edge(start, "p").add_edge(start, "q");
    ThreadOf thread(compiled(graph));
    Dying dying(thread.checkpointer, 2);   // the input, p's result; not the checkpoint with q's
    RunOptions options;
    options.run = "run-1";
    options.checkpointer = &dying;
    options.thread = thread.thread;
    EXPECT_EQ(run(thread.graph, log_of({}), options).error.value().reason(), "STORAGE_ERROR");
    RunOptions again;
    again.run = "run-1";
    again.recovers = true;
    EXPECT_EQ(thread.run(log_of({}), again).status, RunStatus::success);
    EXPECT_EQ(thread.events, (Lines{"u p (cached)", "u q", "v[p,q]"}));
    EXPECT_EQ(p, 1);
    ASSERT_EQ(ids.size(), 2u);
    EXPECT_EQ(ids[0], ids[1]);
    EXPECT_EQ(thread.checkpoints(), (Lines{"-1:input:START", "0:loop:p,q", "1:loop:-"}));
}

}  // namespace
}  // namespace dure::graph
