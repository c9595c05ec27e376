// Rules T2, F9, T5 and D6: in which order things are told, that nothing told before an error is lost, what marks a second
// execution.
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>

#include "dure/base/timeout.hpp"
#include "graph/support.hpp"

namespace dure::graph {
namespace {

using namespace std::chrono_literals;
using namespace test;

// Every event as "mode what", with the node of a sub-graph in front.
class Teller final : public EventSink {
public:
    explicit Teller(Modes wanted, bool with_subgraphs = false) : modes_(wanted), subgraphs_(with_subgraphs) {}
    Modes modes() const override { return modes_; }
    bool subgraphs() const override { return subgraphs_; }
    Task<Result<void>> event(const Event& event) override
    {
        const auto where = event.ns.empty() ? std::string() : event.ns.substr(0, event.ns.find(':')) + "/";
        lines.push_back(where + std::string(name_of(event.mode)) + what(event));
        co_return Result<void>();
    }
    Lines lines;

private:
    static std::string what(const Event& event)
    {
        switch (event.mode) {
        case Mode::updates: return " " + event.data.begin().key();
        case Mode::values: return " " + Recorder::list(event.data.at("log"));
        case Mode::checkpoints: return " " + std::to_string(event.data.at("step").get<std::int64_t>());
        case Mode::tasks: {
            const auto kind = event.data.at("event").get<std::string>();
            return " " + (event.data.contains("error") ? "error" : kind) + " " +
                   event.data.at("name").get<std::string>();
        }
        case Mode::custom: return " " + event.data.get<std::string>();
        case Mode::messages: return " " + event.data.at(0).get<std::string>();
        case Mode::debug: return "";
        }
        return "";
    }
    Modes modes_;
    bool subgraphs_;
};

TEST(T2, UpdatesComeAsTasksFinishThenValuesThenTheCheckpointThenTheNextSuperstep)
{
    LogGraph graph{"z"};
    graph.add_node("a", adds_after("a", 10ms)).add_node("b", adds_after("b", 2ms));
    graph.add_edge(start, "a").add_edge(start, "b").add_edge({"a", "b"}, "z");
    for (const auto durability : {Durability::sync, Durability::async, Durability::exit}) {
        ThreadOf thread(compiled(graph));
        Teller teller(Mode::updates | Mode::values | Mode::checkpoints);
        RunOptions options;
        options.events = &teller;
        options.checkpointer = &thread.checkpointer;
        options.thread = thread.thread;
        options.durability = durability;
        run(thread.graph, log_of({}), options);
        EXPECT_EQ(teller.lines,
                  (Lines{"checkpoints -1", "values []", "checkpoints 0", "updates b", "updates a", "values [a,b]",
                         "checkpoints 1", "updates z", "values [a,b,z]", "checkpoints 2"}));
    }
}

TEST(T2, EventsOfASubGraphLieInsideItsNodeAndComeOnRequestOnly)
{
    LogGraph inner{"x", "y"};
    inner.add_edge(start, "x").add_edge("x", "y");
    LogGraph graph{"z"};
    graph.add_subgraph("sub", compiled(inner)).add_edge(start, "sub").add_edge("sub", "z");
    const auto told = [&](bool with_subgraphs) {
        Teller teller(Mode::updates | Mode::tasks, with_subgraphs);
        RunOptions options;
        options.events = &teller;
        run(compiled(graph), log_of({}), options);
        return teller.lines;
    };
    EXPECT_EQ(told(false),
              (Lines{"tasks start sub", "updates sub", "tasks end sub", "tasks start z", "updates z", "tasks end z"}));
    EXPECT_EQ(told(true), (Lines{"tasks start sub", "sub/tasks start x", "sub/updates x", "sub/tasks end x",
                                 "sub/tasks start y", "sub/updates y", "sub/tasks end y", "updates sub",
                                 "tasks end sub", "tasks start z", "updates z", "tasks end z"}));
}

TEST(F9, WhatWasToldBeforeAnErrorIsDeliveredBeforeIt)
{
    LogGraph graph{"ok"};
    graph.add_node("bad", [](NodeContext& context) -> Task<Result<Update>> {
        for (const auto* token : {"one", "two"})
            if (auto told = co_await context.emit_message(token); !told)
                co_return told.error();
        if (auto told = co_await context.emit_custom("half"); !told)
            co_return told.error();
        co_return Error(Errc::unavailable, "broke");
    });
    graph.add_edge(start, "ok").add_edge("ok", "bad");
    for (const bool stored : {false, true}) {
        for (const auto durability : {Durability::sync, Durability::async, Durability::exit}) {
            ThreadOf thread(compiled(graph));
            Teller teller(Mode::updates | Mode::values | Mode::messages | Mode::custom | Mode::tasks);
            RunOptions options;
            options.events = &teller;
            options.durability = durability;
            options.checkpointer = stored ? &thread.checkpointer : nullptr;
            options.thread = stored ? thread.thread : "";
            EXPECT_EQ(reason(run(thread.graph, log_of({}), options)), "NODE_ERROR");
            EXPECT_EQ(teller.lines,
                      (Lines{"values []", "tasks start ok", "updates ok", "tasks end ok", "values [ok]",
                             "tasks start bad", "messages one", "messages two", "custom half", "tasks error bad"}));
        }
    }
}

TEST(F9, AFinishedSiblingIsToldBeforeAMergeErrorAndBeforeAFailure)
{
    LogGraph merging{};
    merging.add_node("p", writes("n", 1)).add_node("q", writes("n", 2)).add_edge(start, "p").add_edge(start, "q");
    LogGraph failing{"p"};
    failing.add_node("q", fails("down")).add_edge(start, "p").add_edge(start, "q");
    const struct {
        const StateGraph& graph;
        const char* reason;
        Lines told;
    } cases[] = {{merging, "INVALID_CONCURRENT_GRAPH_UPDATE", {"updates p", "updates q"}},
                 {failing, "NODE_ERROR", {"updates p"}}};
    for (const auto& one : cases) {
        Teller teller(Mode::updates);
        RunOptions options;
        options.events = &teller;
        EXPECT_EQ(reason(run(compiled(one.graph), log_of({}), options)), one.reason);
        EXPECT_EQ(teller.lines, one.told);
    }
}

TEST(F9, ACancelledRunHasToldWhatItHad)
{
    LogGraph graph{"p"};
    graph.add_node("q", [](NodeContext& context) -> Task<Result<Update>> {
        if (auto told = co_await context.emit_message("begun"); !told)
            co_return told.error();
        co_await sleep_for(60s);
        co_return Update();
    });
    graph.add_edge(start, "p").add_edge("p", "q");
    Teller teller(Mode::updates | Mode::messages);
    RunOptions options;
    options.events = &teller;
    options.deadline = Deadline::after(20ms);
    EXPECT_EQ(reason(run(compiled(graph), log_of({}), options)), "RUN_TIMEOUT");
    EXPECT_EQ(teller.lines, (Lines{"updates p", "messages begun"}));
}

TEST(T5, WhatARecoveryExecutesAgainIsMarkedAlsoWithoutATraceOfItsOwn)
{
    std::atomic<bool> drains = false;
    LogGraph graph{"q", "r"};
    graph.add_node("p", [&](NodeContext&) -> Task<Result<Update>> {
        drains = true;
        co_return Update(entry("log", "p"));
    });
    graph.add_edge(start, "p").add_edge("p", "q").add_edge("q", "r");
    ThreadOf thread(compiled(graph));
    thread.modes = Mode::tasks;
    RunOptions options;
    options.run = "r1";
    options.drains = &drains;
    thread.run(log_of({}), options);
    drains = false;
    options.recovers = true;
    EXPECT_EQ(thread.run(log_of({}), options).status, RunStatus::success);
    std::map<std::string, bool> replayed;
    for (const auto& one : thread.others)
        if (one.at("event") == "start")
            replayed[one.at("name").get<std::string>()] = one.value("replayed", false);
    EXPECT_EQ(replayed, (std::map<std::string, bool>{{"q", true}, {"r", false}}));
}

TEST(T5, WhatWasCancelledWhileItRanIsMarkedWhenItRunsAgainAndWhatHadNotBegunIsNot)
{
    bool hangs = true;
    LogGraph graph{"z"};
    for (const auto* name : {"p", "q"})
        graph.add_node(name, [&hangs, name](NodeContext&) -> Task<Result<Update>> {
            if (hangs)
                co_await sleep_for(60s);
            co_return Update(entry("log", name));
        });
    graph.add_node("f", [&](NodeContext&) -> Task<Result<Update>> {
        if (hangs) {
            co_await sleep_for(1ms);   // p has begun then
            co_return Error(Errc::invalid_argument, "no");
        }
        co_return Update(entry("log", "f"));
    });
    graph.add_edge(start, "f").add_edge(start, "p").add_edge(start, "q").add_edge({"f", "p", "q"}, "z");
    for (const bool fails : {true, false}) {   // a sibling's failure, or the run's deadline
        ThreadOf thread(compiled(graph), fails ? "failed" : "late");
        thread.modes = Mode::tasks;
        RunOptions options;
        hangs = true;
        options.max_concurrency = 2;
        if (!fails) {
            options.on_failure = OnFailure::finish;
            options.deadline = Deadline::after(20ms);
        }
        EXPECT_EQ(reason(thread.run(log_of({}), options)), fails ? "NODE_ERROR" : "RUN_TIMEOUT");
        const auto waiting = thread.state();
        ASSERT_EQ(waiting.tasks.size(), 3U);
        EXPECT_FALSE(waiting.tasks[1].error) << "a cancellation is no failure of the task";
        hangs = false;
        options.deadline = Deadline::never();
        EXPECT_EQ(log_text(thread.run(Json(), options)), "[f,p,q,z]");
        std::map<std::string, bool> replayed;
        for (const auto& one : thread.others)
            if (one.at("event") == "start")
                replayed[one.at("name").get<std::string>()] = one.value("replayed", false);
        EXPECT_EQ(replayed, (std::map<std::string, bool>{{"f", true}, {"p", true}, {"q", !fails}, {"z", false}}));
    }
}

TEST(D6, AKeyForEachCallOutsideIsTheSameOverRetriesAndResumesAndDiffersBetweenTasks)
{
    std::vector<std::string> keys;
    int failures = 1;
    LogGraph graph{};
    NodeOptions retried;
    RetryPolicy policy;
    policy.first_pause = 1ms;
    retried.retry = {policy};
    graph.add_node(
        "p",
        [&](NodeContext& context) -> Task<Result<Update>> {
            keys.push_back(context.idempotency_key("pay"));
            EXPECT_EQ(context.idempotency_key(""), context.task_id());
            EXPECT_EQ(keys.back(), context.task_id() + "/pay");
            EXPECT_EQ(context.idempotency_key("2"), context.task_id() + "/2");
            if (failures-- > 0)
                co_return Error(Errc::unavailable, "again");
            auto answer = co_await context.interrupt("?");
            if (!answer)
                co_return answer.error();
            co_return Update(entry("log", "p"));
        },
        retried);
    graph.add_conditional_edges(start, [](const State&) { return Routes{Send("p", 1), Send("p", 1)}; });
    ThreadOf thread(compiled(graph));
    const auto asked = thread.run(log_of({}));
    ASSERT_EQ(asked.interrupts.size(), 2U);
    thread.resume(Json{{asked.interrupts[0].id, 1}, {asked.interrupts[1].id, 2}});
    ASSERT_EQ(keys.size(), 5U) << "two tasks, one failed attempt, both again with their answers";
    EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), 2U);
}

}  // namespace
}  // namespace dure::graph
