// Rules K1–K7, D1, D2, D5–D7, D11, S8, S10, F8 and N3 on a thread in memory.
#include <atomic>

#include "graph/support.hpp"

namespace dure::graph {
namespace {

using namespace test;

CompiledGraph chain()
{
    LogGraph graph{"p", "q"};
    graph.add_edge(start, "p").add_edge("p", "q");
    return compiled(graph);
}

TEST(K2, StepsGoOnOverTheRunsOfAThread)
{
    ThreadOf thread(chain());
    thread.run(log_of({"1"}));
    EXPECT_EQ(log_text(thread.run(log_of({"2"}))), "[1,p,q,2,p,q]");
    EXPECT_EQ(thread.checkpoints(), (Lines{"-1:input:START", "0:loop:p", "1:loop:q", "2:loop:-", "3:input:START",
                                           "4:loop:p", "5:loop:q", "6:loop:-"}));
    EXPECT_EQ(Recorder::list(thread.state(thread.checkpoint_at(3)).values.at("log")), "[1,p,q]");  // before the input
}

TEST(K3, ANamedCheckpointIsShownExactlyAndNeverChanges)
{
    int q = 0;
    int failures = 1;
    LogGraph graph{"p"};
    graph.add_node("q", counts("q", &q, &failures)).add_edge(start, "p").add_edge(start, "q");
    ThreadOf thread(compiled(graph));
    thread.run(log_of({}));
    const auto head = thread.state();
    const auto exact = thread.state(head.checkpoint);
    EXPECT_EQ(Recorder::list(head.values.at("log")), "[p]");
    EXPECT_EQ(Recorder::list(exact.values.at("log")), "[]");
    EXPECT_EQ(exact.next, (Lines{"p", "q"}));
    EXPECT_EQ(head.tasks[1].error.value().at("message"), "q is down");
    thread.run(RunInput::nothing());
    EXPECT_EQ(to_json(thread.state(head.checkpoint)), to_json(exact));
}

TEST(K4, HistoryIsNewestFirstWithFiltersAndPages)
{
    ThreadOf thread(chain());
    RunOptions options;
    options.metadata = {{"who", "kim"}};
    thread.run(log_of({}), options);
    thread.run(log_of({}));
    EXPECT_EQ(thread.history().front().step, 6);
    HistoryOptions kim;
    kim.metadata = {{"who", "kim"}};
    EXPECT_EQ(thread.history(kim).size(), 4u);
    HistoryOptions page;
    page.before = thread.checkpoint_at(4);
    page.limit = 2;
    const auto found = thread.history(page);
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0].step, 3);
    EXPECT_EQ(found[1].parent, thread.checkpoint_at(1));
}

TEST(K5, AnUpdateCountsAsTheNodesAndItsEdgesDecide)
{
    ThreadOf thread(chain());
    RunOptions options;
    options.interrupt_before = {"q"};
    thread.run(log_of({}), options);
    ASSERT_TRUE(thread.update(entry("log", "x"), "p"));
    EXPECT_EQ(thread.checkpoints().back(), "2:update:q");
    ASSERT_TRUE(thread.update(entry("log", "y"), "q"));
    const auto state = thread.state();
    EXPECT_EQ(Recorder::list(state.values.at("log")), "[p,x,y]");
    EXPECT_TRUE(state.next.empty());
    ASSERT_TRUE(thread.update(entry("log", "z"), std::string(start)));
    EXPECT_EQ(thread.state().next, (Lines{"p"}));
    ASSERT_TRUE(thread.update(Json(), std::string(end)));
    EXPECT_TRUE(thread.state().next.empty());
    EXPECT_EQ(thread.update(entry("log", 1), "nowhere").error().reason(), "INVALID_UPDATE");
    EXPECT_EQ(thread.update(Json("text"), "p").error().reason(), "INVALID_UPDATE");
}

TEST(K5, WithoutANodeItIsTheLastWritersUnlessUnclear)
{
    ThreadOf thread(chain());
    RunOptions options;
    options.interrupt_before = {"q"};
    thread.run(log_of({}), options);
    ASSERT_TRUE(thread.update(entry("log", "x")));
    EXPECT_EQ(thread.state().next, (Lines{"q"}));  // as p
    LogGraph both{"a", "b"};
    both.add_edge(start, "a").add_edge(start, "b");
    ThreadOf unclear(compiled(both));
    unclear.run(log_of({}));
    EXPECT_EQ(unclear.update(entry("log", "x")).error().reason(), "AMBIGUOUS_UPDATE");
    ThreadOf fresh(chain());
    ASSERT_TRUE(fresh.update(entry("log", "i")));
    EXPECT_EQ(fresh.checkpoints(), (Lines{"-1:update:p"}));
    EXPECT_EQ(log_text(fresh.run(RunInput::nothing())), "[i,p,q]");
}

TEST(K5, AnUpdateOfAnOlderCheckpointBeginsABranch)
{
    ThreadOf thread(chain());
    thread.run(log_of({}));
    const auto at = thread.checkpoint_at(1);
    ASSERT_TRUE(thread.update(entry("log", "x"), "p", at));
    const auto state = thread.state();
    EXPECT_EQ(state.parent, at);
    EXPECT_EQ(state.step, 2);
    EXPECT_EQ(log_text(thread.run(RunInput::nothing())), "[p,x,q]");
    EXPECT_EQ(thread.update(entry("log", 1), "p", "nowhere").error().code(), Errc::not_found);
}

TEST(K6, AForkAsksItsQuestionsAgainAndKeepsTheOldBranch)
{
    int executions = 0;
    LogGraph graph{"t"};
    graph.add_node("p", asks("p", "?", &executions)).add_edge(start, "p").add_edge("p", "t");
    ThreadOf thread(compiled(graph));
    thread.run(log_of({}));
    thread.resume("old");
    const auto old_head = thread.state().checkpoint;
    RunOptions options;
    options.checkpoint = thread.checkpoint_at(0);
    EXPECT_EQ(thread.run(RunInput::nothing(), options).status, RunStatus::interrupted);
    EXPECT_EQ(executions, 3);
    EXPECT_EQ(log_text(thread.resume("new")), "[p=\"new\",t]");
    EXPECT_EQ(Recorder::list(thread.state(old_head).values.at("log")), "[p=\"old\",t]");
    RunOptions unknown;
    unknown.checkpoint = "nowhere";
    EXPECT_EQ(thread.run(RunInput::nothing(), unknown).error->code(), Errc::not_found);
}

TEST(K6, AForkOfTheCheckpointBeforeTheInputIsAForkToo)
{
    ThreadOf thread(chain());
    thread.run(log_of({"i"}));
    const auto first = thread.checkpoint_at(-1);
    thread.modes = Mode::checkpoints;
    thread.others.clear();
    RunOptions options;
    options.checkpoint = first;
    EXPECT_EQ(log_text(thread.run(RunInput::nothing(), options)), "[i,p,q]");
    EXPECT_EQ(thread.checkpoints(),
              (Lines{"-1:input:START", "0:loop:p", "1:loop:q", "2:loop:-", "0:fork:START", "1:loop:p",
                     "2:loop:q", "3:loop:-"}));
    ASSERT_EQ(thread.others.size(), 4u);
    EXPECT_EQ(thread.others[0].at("source"), "fork");
    EXPECT_EQ(thread.others[0].at("parent"), first);
    EXPECT_EQ(thread.others[0].at("next"), (Json{"__start__"}));
    EXPECT_EQ(thread.others[1].at("parent"), thread.others[0].at("checkpoint"));
}

TEST(K8, LongAppendedChannelsAreReadBackFromDeltas)
{
    LogGraph graph{};
    graph.add_node("p", [](NodeContext& context) -> Task<Result<Update>> {
        const auto n = context.state().at("log").size();
        co_return Update(entry("log", n), n < 400 ? Routes{"p"} : Routes());
    });
    graph.add_edge(start, "p");
    ThreadOf thread(compiled(graph));
    RunOptions options;
    options.recursion_limit = 1000;
    thread.run(entry("log", Json::array({"first"})), options);
    EXPECT_EQ(thread.state().values.at("log").size(), 401u);
    const auto middle = thread.state(thread.checkpoint_at(200));
    ASSERT_EQ(middle.values.at("log").size(), 201u);
    EXPECT_EQ(middle.values.at("log").at(200), 200);
}

TEST(D1, EveryDurabilityEndsWithTheSameState)
{
    for (const auto durability : {Durability::sync, Durability::async, Durability::exit}) {
        ThreadOf thread(chain());
        RunOptions options;
        options.durability = durability;
        EXPECT_EQ(log_text(thread.run(log_of({"i"}), options)), "[i,p,q]");
        const auto state = thread.state();
        EXPECT_EQ(Recorder::list(state.values.at("log")), "[i,p,q]");
        EXPECT_EQ(thread.history().size(), durability == Durability::exit ? 1u : 4u);
        EXPECT_EQ(log_text(thread.run(log_of({"j"}), options)), "[i,p,q,j,p,q]");
        EXPECT_EQ(thread.history().size(), durability == Durability::exit ? 2u : 8u);
    }
}

TEST(D1, ExitKeepsAnInterruptAndAnError)
{
    int q = 0;
    int failures = 1;
    LogGraph graph{"a"};
    graph.add_node("p", asks("p", "?")).add_node("q", counts("q", &q, &failures));
    graph.add_edge(start, "a").add_edge("a", "p").add_edge("p", "q");
    ThreadOf thread(compiled(graph));
    RunOptions options;
    options.durability = Durability::exit;
    EXPECT_EQ(thread.run(log_of({}), options).status, RunStatus::interrupted);
    EXPECT_EQ(thread.history().size(), 1u);
    EXPECT_EQ(reason(thread.resume("y", options)), "NODE_ERROR");
    EXPECT_EQ(thread.state().next, (Lines{"q"}));
    EXPECT_EQ(log_text(thread.run(RunInput::nothing(), options)), "[a,p=\"y\",q]");
}

TEST(D5, TaskIdsAreTheSameOverResumeAndOthersInAnotherSuperstepOrFork)
{
    std::vector<std::string> ids;
    LogGraph graph{};
    graph.add_node("p", [&](NodeContext& context) -> Task<Result<Update>> {
        ids.push_back(context.task_id());
        EXPECT_EQ(context.idempotency_key("pay"), context.task_id() + "/pay");  // D6
        auto answer = co_await context.interrupt("?");
        if (!answer)
            co_return answer.error();
        co_return Update(entry("log", 1));
    });
    graph.add_edge(start, "p");
    ThreadOf thread(compiled(graph));
    thread.run(log_of({}));
    thread.resume(1);
    RunOptions fork;
    fork.checkpoint = thread.checkpoint_at(0);
    thread.run(RunInput::nothing(), fork);
    ASSERT_EQ(ids.size(), 3u);
    EXPECT_EQ(ids[0], ids[1]);
    EXPECT_NE(ids[0], ids[2]);
}

TEST(D7, AStepRunsOnceOverRetriesAndResumes)
{
    int paid = 0;
    int failures = 1;
    LogGraph graph{};
    graph.add_node("p", [&](NodeContext& context) -> Task<Result<Update>> {
        auto receipt = co_await context.step("pay", [&]() -> Task<Result<Json>> { co_return Json(++paid); });
        if (!receipt)
            co_return receipt.error();
        if (failures-- > 0)
            co_return Error(Errc::internal, "down");
        const auto twice = co_await context.step("pay", [&]() -> Task<Result<Json>> { co_return Json(0); });
        EXPECT_EQ(twice.error().code(), Errc::invalid_argument);
        co_return Update(entry("log", *receipt));
    });
    graph.add_edge(start, "p");
    ThreadOf thread(compiled(graph));
    EXPECT_EQ(reason(thread.run(log_of({}))), "NODE_ERROR");
    EXPECT_EQ(log_text(thread.run(RunInput::nothing())), "[1]");
    EXPECT_EQ(paid, 1);
}

TEST(D11, AnotherGraphMayGoOnIfItHasWhatIsNext)
{
    ThreadOf thread(chain());
    RunOptions stop;
    stop.interrupt_before = {"q"};
    thread.run(log_of({}), stop);
    LogGraph grown{"q", "r"};
    grown.add_edge(start, "q").add_edge("q", "r");
    thread.graph = compiled(grown);
    EXPECT_EQ(log_text(thread.run(RunInput::nothing())), "[p,q,r]");

    ThreadOf other(chain());
    other.run(log_of({}), stop);
    LogGraph without{"p"};
    without.add_edge(start, "p");
    other.graph = compiled(without);
    const auto result = other.run(RunInput::nothing());
    EXPECT_EQ(reason(result), "GRAPH_VERSION_MISMATCH");
    EXPECT_NE(result.error->message().find("'q'"), std::string::npos);
    EXPECT_EQ(log_text(other.run(log_of({"new"}))), "[p,new,p]") << "a new input drops what was next (I8)";
    EXPECT_EQ(other.state().next, Lines{});
}

TEST(D11, AKeptResultThatLeadsToAMissingNodeIsNotExecutedAgain)
{
    int p = 0;
    const auto build = [&p](const char* target) {
        LogGraph graph{target};
        graph.add_node("p",
                       [&p, target](NodeContext&) -> Task<Result<Update>> {
                           ++p;
                           co_return Update(entry("log", "p"), Routes{target});
                       },
                       {.destinations = {target}});
        graph.add_node("q", fails("down")).add_edge(start, "p").add_edge(start, "q");
        return compiled(graph);
    };
    ThreadOf thread(build("old"));
    EXPECT_EQ(reason(thread.run(log_of({}))), "NODE_ERROR");
    thread.graph = build("new");
    const auto result = thread.run(RunInput::nothing());
    EXPECT_EQ(reason(result), "GRAPH_VERSION_MISMATCH");
    EXPECT_NE(result.error->message().find("'old'"), std::string::npos);
    EXPECT_EQ(p, 1);
    thread.graph = build("old");
    EXPECT_EQ(reason(thread.run(RunInput::nothing())), "NODE_ERROR") << "nothing was lost";
    EXPECT_EQ(p, 1);
}

TEST(D11, AMissingChannelIsNamed)
{
    ThreadOf thread(chain());
    thread.run(log_of({}));
    StateGraph without;
    without.add_channel("other").add_node("p", adds("p")).add_edge(start, "p");
    thread.graph = compiled(without);
    const auto result = thread.run(entry("other", 1));
    EXPECT_EQ(reason(result), "GRAPH_VERSION_MISMATCH");
    EXPECT_NE(result.error->message().find("'log'"), std::string::npos);
}

TEST(D11, WhatAnEarlierReducerLeftIsNamedWhereTheNewOneCannotGoOnWithIt)
{
    const auto with = [](const Reducer& reducer) {
        StateGraph graph;
        graph.add_channel("c", reducer).add_node("p", [](NodeContext&) -> Task<Result<Update>> {
            co_return Update(entry("c", Json::array({1})));
        });
        graph.add_edge(start, "p");
        return compiled(graph);
    };
    for (const auto& later : {reducers::sum(), reducers::merge(), reducers::last()}) {
        ThreadOf thread(with(reducers::append()));
        for (int i = 0; i < 3; ++i)
            thread.run(entry("c", Json::array({0})));
        thread.graph = with(later);
        const auto result = thread.run(entry("c", later.name == "sum" ? Json(1) : Json::object()));
        EXPECT_EQ(reason(result), "GRAPH_VERSION_MISMATCH") << later.name;
        EXPECT_NE(result.error->message().find("'c'"), std::string::npos) << result.error->message();
        thread.graph = with(reducers::append());
        EXPECT_EQ(thread.run(entry("c", Json::array({0}))).status, RunStatus::success) << "nothing was lost";
    }
}

TEST(S8, UntrackedAndEphemeralChannels)
{
    LogGraph graph{};
    graph.add_channel("secret", reducers::untracked()).add_channel("flash", reducers::ephemeral());
    graph.add_node("p", [](NodeContext&) -> Task<Result<Update>> {
        co_return Update(Json{{"secret", "s"}, {"flash", 1}}, Routes{Send("w", {{"secret", "s"}, {"open", 2}})});
    });
    graph.add_node("w",
                   [](NodeContext& context) -> Task<Result<Update>> {
                       EXPECT_EQ(*context.state().find("secret"), "s");
                       EXPECT_EQ(*context.state().find("flash"), 1);
                       EXPECT_EQ(context.argument()->at("secret"), "s");
                       co_return Update(entry("log", "w"), Routes{"z"});
                   },
                   {.destinations = {"z"}});
    graph.add_node("z", [](NodeContext& context) -> Task<Result<Update>> {
        EXPECT_EQ(context.state().find("flash"), nullptr);
        co_return Update();
    });
    graph.add_edge(start, "p");
    graph.add_conditional_edges("p", [](const State&) { return Routes(); }, targets({"w", end}));
    ThreadOf thread(compiled(graph));
    EXPECT_EQ(thread.run(log_of({})).status, RunStatus::success);
    for (const auto& one : thread.history()) {
        EXPECT_FALSE(one.values.contains("secret"));
        EXPECT_EQ(one.values.contains("flash"), one.step == 1);
    }
    std::optional<StoredCheckpoint> stored;
    dure::test::run([&]() -> Task<void> {
        stored = (co_await thread.checkpointer.load("t", "", thread.checkpoint_at(1), false)).value();
    });
    EXPECT_EQ(stored->checkpoint.frontier.at("sent").at(0).at("argument"), (Json{{"open", 2}}));
}

TEST(S8, NothingDurableHoldsAnUntrackedValue)
{
    int failures = 1;
    int q = 0;
    LogGraph graph{};
    graph.add_channel("secret", reducers::untracked());
    graph.add_node("p", [](NodeContext& context) -> Task<Result<Update>> {
        EXPECT_EQ(*context.state().find("secret"), "hush");
        Update first(Json{{"secret", "hush"}, {"log", "p"}});
        first.then.emplace_back(Json{{"log", "p2"}}, Routes{Send("w", Json{{"secret", "hush"}, {"open", 2}})});
        co_return first;
    });
    graph.add_node("q", counts("q", &q, &failures)).add_node("w", adds("w")).add_edge(start, "p").add_edge(start, "q");
    graph.add_conditional_edges("p", [](const State&) { return Routes(); }, targets({"w", end}));
    ThreadOf thread(compiled(graph));
    thread.modes = Mode::checkpoints;
    auto input = log_of({"i"});
    input["secret"] = "hush";
    EXPECT_EQ(reason(thread.run(input)), "NODE_ERROR");
    for (const auto& shown : thread.others)
        EXPECT_EQ(shown.dump().find("hush"), std::string::npos) << shown;
    const auto stored = [&] {
        std::string text;
        dure::test::run([&]() -> Task<void> {
            const auto all = (co_await thread.checkpointer.history("t", HistoryQuery())).value();
            for (const auto& one : all) {
                text += one.checkpoint.frontier.dump();
                for (const auto& [name, data] : one.channels)
                    text += name + (data.whole ? data.whole->dump() : "");
                for (const auto& write : one.pending)
                    text += write.data.dump();
            }
        });
        return text;
    };
    EXPECT_EQ(stored().find("hush"), std::string::npos) << stored();
    EXPECT_NE(stored().find("p2"), std::string::npos) << "p's result is kept";
    EXPECT_EQ(log_text(thread.run(RunInput::nothing())), "[i,p,p2,q,w]");
    EXPECT_EQ(stored().find("hush"), std::string::npos) << stored();
}

TEST(F8, ADrainedRunStopsAtTheBoundaryAndIsContinued)
{
    std::atomic<bool> drains = false;
    LogGraph graph{"q"};
    graph.add_node("p", [&](NodeContext&) -> Task<Result<Update>> {
        drains = true;
        co_return Update(entry("log", "p"));
    });
    graph.add_edge(start, "p").add_edge("p", "q");
    ThreadOf thread(compiled(graph));
    RunOptions options;
    options.run = "r";
    options.drains = &drains;
    const auto drained = thread.run(log_of({}), options);
    EXPECT_EQ(drained.status, RunStatus::pending);
    EXPECT_EQ(reason(drained), "DRAINED");
    drains = false;
    options.recovers = true;
    EXPECT_EQ(log_text(thread.run(log_of({}), options)), "[p,q]");
}

TEST(N3, NumbersAndTextsSurviveACheckpoint)
{
    const auto values = Json::parse(R"([9007199254740993, -9007199254740993, 18446744073709551615, 1.5, 1e300, -0.0, 0,
                                        "한국어 \u0000 \ud83d\ude00", {"b":1,"a":{"":null}}])");
    LogGraph graph{};
    graph.add_node("p", writes("n", values)).add_edge(start, "p");
    ThreadOf thread(compiled(graph));
    thread.run(log_of({}));
    EXPECT_EQ(thread.state().values.at("n").dump(), values.dump());
}

}  // namespace
}  // namespace dure::graph
