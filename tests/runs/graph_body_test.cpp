// Graphs executed by workers: durable threads, interrupts and resume, crashes, rollback, streams, on both drivers.
#include <mutex>

#include "runs/graph_runs.hpp"

namespace dure::runs {

namespace {

namespace asio = boost::asio;

using Texts = std::vector<std::string>;

void make_chain(graph::StateGraph& graph, std::vector<std::string>* executed = nullptr)
{
    graph.add_channel("log", graph::reducers::append());
    for (const auto* name : {"p", "q", "r"})
        graph.add_node(name, adds(name, executed));
    graph.add_edge(graph::start, "p").add_edge("p", "q").add_edge("q", "r").add_edge("r", graph::end);
}

}  // namespace

TEST_P(GraphBodyTest, ARunMovesItsThreadOnAndTellsItsEvents)
{
    graph::StateGraph chain;
    make_chain(chain);
    play(chain, [&]() -> Task<void> {
        const auto first = co_await play_run({{"input", {{"log", {"i"}}}}}, {{"modes", {"values", "updates"}}});
        EXPECT_EQ(first.status, Status::success) << (first.error ? first.error->dump() : "");
        EXPECT_EQ(first.output->at("log"), (Json{"i", "p", "q", "r"}));
        EXPECT_EQ(co_await events(first.id),
                  (Texts{R"(values {"log":["i"]})", R"(updates {"p":{"log":"p"}})", R"(values {"log":["i","p"]})",
                         R"(updates {"q":{"log":"q"}})", R"(values {"log":["i","p","q"]})",
                         R"(updates {"r":{"log":"r"}})", R"(values {"log":["i","p","q","r"]})"}));
        EventFilter updates;
        updates.modes = {"updates"};
        EXPECT_EQ((co_await events(first.id, updates)).size(), 3U);
        const auto second = co_await play_run({{"input", {{"log", "again"}}}});
        EXPECT_EQ(second.output->at("log").size(), 8U) << "the thread went on";
        EXPECT_TRUE((co_await events(second.id)).empty()) << "nothing was asked for";
    });
    EXPECT_EQ(count("SELECT COUNT(*) FROM graph_checkpoints"), 10) << "k + 2 of each run (K2)";
    EXPECT_EQ(count("SELECT COUNT(*) FROM graph_pending_writes"), 0);
}

TEST_P(GraphBodyTest, D9_UnfinishedAreTheNodesWithoutAResultThatWaitForNoAnswer)
{
    graph::StateGraph graph;
    graph.add_channel("log", graph::reducers::append());
    graph.add_node("asks", [](graph::NodeContext& context) -> Task<Result<graph::Update>> {
        auto answer = co_await context.interrupt("may I?");
        if (!answer)
            co_return answer.error();
        co_return graph::Update(log_entry(*answer));
    });
    graph.add_node("done", adds("done"));
    graph.add_node("fails", [](graph::NodeContext&) -> Task<Result<graph::Update>> {
        co_return Error(Errc::invalid_argument, "no");
    });
    for (const auto* name : {"asks", "done", "fails"})
        graph.add_edge(graph::start, name);
    const auto unfinished = [&] {
        return database_->run_now([&](sql::Connection& c) { return Runs::unfinished_nodes_in(c, thread_); }).value();
    };
    EXPECT_EQ(unfinished(), Texts());
    play(graph, [&]() -> Task<void> {
        const auto failed = co_await play_run({{"input", {{"log", "i"}}}});
        EXPECT_EQ(failed.status, Status::error);
    });
    EXPECT_EQ(unfinished(), Texts{"fails"});
}

TEST_P(GraphBodyTest, I5_AnInterruptedRunIsParkedAndAnswered)
{
    graph::StateGraph asking;
    asking.add_channel("log", graph::reducers::append());
    asking.add_node("ask", [](graph::NodeContext& context) -> Task<Result<graph::Update>> {
        auto answer = co_await context.interrupt("may I?");
        if (!answer)
            co_return answer.error();
        co_return graph::Update(log_entry(*answer));
    });
    asking.add_edge(graph::start, "ask").add_edge("ask", graph::end);
    play(asking, [&]() -> Task<void> {
        const auto parked = co_await play_run({{"input", {{"log", "i"}}}}, {{"modes", {"updates"}}});
        EXPECT_EQ(parked.status, Status::interrupted);
        const auto open = parked.output->at("__interrupt__");
        EXPECT_EQ(open.size(), 1U);
        EXPECT_EQ(open[0].at("value"), "may I?");
        const auto reader = co_await runs_->read(parked.id, "me", 0, {});
        while (!(*reader)->ended())
            (void)co_await (*reader)->next(Steady::now());
        EXPECT_TRUE(co_await runs_->resume(parked.id, "me", {{"resume", false}}));
        const auto done = co_await ended(parked.id);
        EXPECT_EQ(done.status, Status::success) << (done.error ? done.error->dump() : "");
        EXPECT_EQ(done.output->at("log"), (Json{"i", false}));
        const auto until = (*reader)->position();
        (*reader)->look_again();
        const auto rest = co_await (*reader)->next(Steady::now());
        EXPECT_EQ(rest.value().size(), 1U) << "a reader that ended at the question reads on behind it";
        EXPECT_GT((*reader)->position(), until);
        (*reader)->look_again();
        EXPECT_TRUE((co_await (*reader)->next(Steady::now())).value().empty());
        EXPECT_TRUE((*reader)->ended()) << "and is told when there is nothing more";
    });
}

TEST_P(GraphBodyTest, F3_AFailedRunNamesItsNodeAndIsContinuedByHand)
{
    graph::StateGraph graph;
    std::vector<std::string> executed;
    bool fails = true;
    graph.add_channel("log", graph::reducers::append());
    graph.add_node("p", adds("p", &executed));
    graph.add_node("q", [&](graph::NodeContext&) -> Task<Result<graph::Update>> {
        executed.push_back("q");
        if (fails)
            co_return Error(Errc::invalid_argument, "not like this");
        co_return graph::Update(log_entry("q"));
    });
    graph.add_edge(graph::start, "p").add_edge(graph::start, "q");
    play(graph, [&]() -> Task<void> {
        const auto failed = co_await play_run({{"input", {{"log", "i"}}}});
        EXPECT_EQ(failed.status, Status::error);
        EXPECT_EQ(failed.error->at("code"), "NODE_ERROR");
        EXPECT_EQ(failed.error->at("node"), "q");
        fails = false;
        EXPECT_TRUE(co_await runs_->resume(failed.id, "me", nullptr));
        const auto done = co_await ended(failed.id);
        EXPECT_EQ(done.status, Status::success) << (done.error ? done.error->dump() : "");
        EXPECT_EQ(done.output->at("log"), (Json{"i", "p", "q"}));
    });
    EXPECT_EQ(std::count(executed.begin(), executed.end(), "p"), 1) << "what was finished is not executed again";
}

TEST_P(GraphBodyTest, F7_ACancelledRunKeepsItsFinishedNodesAndARolledBackOneNothing)
{
    for (const auto how : {Stop::cancel, Stop::rollback}) {
        graph::StateGraph graph;
        bool waits = false;
        graph.add_channel("log", graph::reducers::append());
        graph.add_node("p", adds("p"));
        graph.add_node("q", [&](graph::NodeContext&) -> Task<Result<graph::Update>> {
            waits = true;
            co_await sleep_for(std::chrono::seconds(20));
            co_return graph::Update(log_entry("q"));
        });
        graph.add_edge(graph::start, "p").add_edge("p", "q");
        play(graph, [&]() -> Task<void> {
            const auto run = co_await start({{"input", {{"log", "i"}}}});
            while (!waits)
                co_await sleep_for(std::chrono::milliseconds(2));
            EXPECT_TRUE(co_await runs_->stop(run.id, "me", how));
            EXPECT_EQ((co_await ended(run.id)).status, Status::cancelled);
        });
        EXPECT_EQ(count("SELECT COUNT(*) FROM graph_checkpoints"), 3) << "of the first run only; the second was undone";
    }
}

TEST_P(GraphBodyTest, F8_ADrainedGraphIsContinuedAndRunsNothingTwice)
{
    std::vector<std::string> executed;
    std::string id;
    for (const bool first : {true, false}) {
        asio::io_context loop(1);
        graph::StateGraph graph;
        graph.add_channel("log", graph::reducers::append());
        Worker* draining = nullptr;
        graph.add_node("p", [&](graph::NodeContext&) -> Task<Result<graph::Update>> {
            executed.push_back("p");
            draining->drain(Deadline::after(std::chrono::seconds(10)));
            co_return graph::Update(log_entry("p"));
        });
        graph.add_node("q", adds("q", &executed));
        graph.add_edge(graph::start, "p").add_edge("p", "q");
        const auto compiled = graph.compile();
        Worker worker(*runs_, loop.get_executor(), log_, graph_body([&](const runs::Run&) -> Result<PreparedRun> {
            return PreparedRun{*compiled, graph::RunOptions(), nullptr};
        }),
                      options_);
        draining = &worker;
        asio::co_spawn(loop, worker.work(), [](std::exception_ptr thrown) { EXPECT_FALSE(thrown); });
        asio::co_spawn(
            loop,
            [&]() -> Task<void> {
                if (first) {
                    id = (co_await start({{"input", {{"log", "i"}}}})).id;
                } else {
                    EXPECT_EQ((co_await ended(id)).output->at("log"), (Json{"i", "p", "q"}));
                    worker.drain(Deadline::after(std::chrono::seconds(10)));
                }
            },
            [](std::exception_ptr thrown) { EXPECT_FALSE(thrown); });
        loop.run();
        if (first)
            EXPECT_EQ(count("SELECT COUNT(*) FROM graph_runs WHERE status = 'pending'"), 1);
    }
    EXPECT_EQ(executed, (Texts{"p", "q"}));
}

TEST_P(GraphBodyTest, ARunWithWrongWordsEndsWithTheReason)
{
    graph::StateGraph chain;
    make_chain(chain);
    play(chain, [&]() -> Task<void> {
        const auto wrong_input = co_await play_run({{"inptu", 1}});
        EXPECT_EQ(wrong_input.status, Status::error);
        EXPECT_NE(wrong_input.error->at("message").get<std::string>().find("inptu"), std::string::npos);
        const auto wrong_option = co_await play_run(nullptr, {{"modes", {"everything"}}});
        EXPECT_EQ(wrong_option.status, Status::error);
        EXPECT_NE(wrong_option.error->at("message").get<std::string>().find("everything"), std::string::npos);
    });
}

TEST_P(GraphBodyTest, K8_TwoHundredSuperstepsOfAKilobyteStayUnderHalfAMegabyte)
{
    graph::StateGraph graph;
    graph.add_channel("log", graph::reducers::append());
    graph.add_node("p", [](graph::NodeContext&) -> Task<Result<graph::Update>> {
        co_return graph::Update(log_entry(random_base62(1000)));   // nothing that a database could compress
    });
    graph.add_edge(graph::start, "p");
    graph.add_conditional_edges("p", [](const graph::State& state) -> graph::Routes {
        return state.at("log").size() < 200 ? graph::Routes("p") : graph::Routes(graph::end);
    });
    // What stays of the checkpoints, with indexes; the row of the run holds its output besides.
    const auto size = [this] {
        return count(GetParam().name == "sqlite"
                         ? "SELECT SUM(pgsize) FROM dbstat WHERE name LIKE '%graph_checkpoints%' OR "
                           "name LIKE '%graph_channel_writes%'"
                         : "SELECT pg_total_relation_size('graph_checkpoints') + "
                           "pg_total_relation_size('graph_channel_writes')");
    };
    play(graph, [&]() -> Task<void> {
        const auto run = co_await play_run({{"input", {{"log", Json::array()}}}}, {{"recursion_limit", 500}});
        EXPECT_EQ(run.status, Status::success) << (run.error ? run.error->dump() : "");
    });
    EXPECT_EQ(count("SELECT COUNT(*) FROM graph_checkpoints"), 202);
    EXPECT_LT(size(), 500'000);
}

TEST(GraphBody, InputsAreReadOrRefusedByName)
{
    const struct {
        const char* text;
        const char* complaint;
    } refused[] = {
        {"1", "input"},
        {"{}", "input"},
        {R"({"inptu": 1})", "inptu"},
        {R"({"input": 1, "resume": 2})", "either"},
        {R"({"goto": 1})", "goto"},
        {R"({"goto": ["a", 1]})", "goto"},
    };
    for (const auto& one : refused) {
        const auto read = run_input_of(Json::parse(one.text));
        ASSERT_FALSE(read) << one.text;
        EXPECT_EQ(read.error().code(), Errc::invalid_argument);
        EXPECT_NE(read.error().message().find(one.complaint), std::string::npos) << read.error().message();
    }
    EXPECT_EQ(*run_input_of(Json{{"input", {{"n", 1}}}})->fresh(), (Json{{"n", 1}}));
    EXPECT_EQ(run_input_of(nullptr)->fresh(), nullptr);
    EXPECT_EQ(run_input_of(nullptr)->command(), nullptr);
    const auto resume = run_input_of(Json{{"resume", nullptr}});
    EXPECT_TRUE(resume->command()->resume->is_null());
    const auto command = run_input_of(Json{{"update", {{"n", 1}}}, {"goto", "a"}});
    EXPECT_FALSE(command->command()->resume);
    EXPECT_EQ(command->command()->go_to.size(), 1U);
}

TEST(GraphBody, OptionsAreAppliedOrRefusedByName)
{
    graph::RunOptions options;
    const auto telling =
        apply_options(Json::parse(R"({"modes": ["values", "debug"], "subgraphs": true, "recursion_limit": 7,
        "max_concurrency": 2, "durability": "exit", "checkpoint": "c", "interrupt_before": ["a"], "interrupt_after": ["*"],
        "step_timeout_ms": 50, "timeout_ms": 1000, "metadata": {"k": 1}, "on_disconnect": "cancel"})"),
                      options);
    ASSERT_TRUE(telling) << telling.error().message();
    EXPECT_TRUE(telling->subgraphs);
    EXPECT_TRUE(telling->modes.has(graph::Mode::debug));
    EXPECT_FALSE(telling->modes.has(graph::Mode::custom));
    EXPECT_EQ(options.recursion_limit, 7);
    EXPECT_EQ(options.max_concurrency, 2U);
    EXPECT_EQ(options.durability, graph::Durability::exit);
    EXPECT_EQ(options.checkpoint, "c");
    EXPECT_EQ(options.interrupt_before, Texts{"a"});
    EXPECT_EQ(options.interrupt_after, Texts{"*"});
    EXPECT_EQ(options.step_timeout, std::chrono::milliseconds(50));
    EXPECT_LT(options.deadline.left(), std::chrono::seconds(2));
    EXPECT_EQ(options.metadata, (Json{{"k", 1}}));
    for (const auto* text :
         {R"({"modes": "values"})", R"({"modes": ["all"]})", R"({"modes": [1]})", R"({"subgraphs": 1})",
          R"({"recursion_limit": 0})", R"({"recursion_limit": 1.5})", R"({"recursion_limit": 18446744073709551615})",
          R"({"max_concurrency": -1})", R"({"durability": "never"})", R"({"durability": 1})", R"({"checkpoint": 1})",
          R"({"interrupt_before": "a"})", R"({"interrupt_after": [1]})", R"({"step_timeout_ms": 0})",
          R"({"timeout_ms": "1"})", R"({"metadata": 1})", R"({"on_disconnect": "maybe"})", R"({"unknown": 1})"}) {
        const auto given = Json::parse(text);
        graph::RunOptions untouched;
        const auto refused = apply_options(given, untouched);
        ASSERT_FALSE(refused) << text;
        EXPECT_EQ(refused.error().param(), given.begin().key()) << text;
    }
    EXPECT_FALSE(apply_options(Json::array(), options));
}

// What the writes of a run held, in order; also refuses as many as it is told to. Called on the database's threads.
class WriteLog {
public:
    explicit WriteLog(std::function<bool(const WriteOfRun&)> fails = nullptr) : fails_(std::move(fails)) {}

    ExtraWrites writes()
    {
        return [this](sql::Connection&, const WriteOfRun& what) -> Result<void> {
            const std::lock_guard lock(guard_);
            if (fails_ && fails_(what))
                return Error(Errc::unavailable, "The database is away.");
            for (const auto& event : what.events)
                ++told_[event.mode];
            for (const auto& write : what.batch.pending)
                results_ += write.kind == graph::PendingWrite::Kind::result ? 1 : 0;
            for (const auto& checkpoint : what.batch.checkpoints)
                if (told_["values"] < checkpoint.step + 1)
                    silent_.push_back("checkpoint of step " + std::to_string(checkpoint.step));
            if (told_["updates"] < results_)
                silent_.push_back("result " + std::to_string(results_));
            return {};
        };
    }
    // Written before its event was.
    std::vector<std::string> silent() const { return silent_; }
    std::int64_t results() const { return results_; }

private:
    std::function<bool(const WriteOfRun&)> fails_;
    std::mutex guard_;
    std::map<std::string, std::int64_t> told_;  // events so far, by mode
    std::int64_t results_ = 0;
    std::vector<std::string> silent_;
};

TEST_P(GraphBodyTest, T3_NothingBecomesDurableBeforeItsEvent)
{
    graph::StateGraph graph;
    graph.add_channel("log", graph::reducers::append());
    for (const auto* name : {"p", "q", "r", "s"})
        graph.add_node(name, adds(name)).add_edge(graph::start, name);
    graph.add_node("join", adds("join")).add_edge(Texts{"p", "q", "r", "s"}, "join");
    graph.add_node("last", adds("last")).add_edge("join", "last");
    for (const auto* durability : {"sync", "async", "exit"}) {
        WriteLog log;
        options_.extra_writes = log.writes();
        play(graph, [&]() -> Task<void> {
            const auto run = co_await play_run(Json{{"input", {{"log", Json::array()}}}},
                                               Json{{"modes", {"values", "updates"}}, {"durability", durability}});
            EXPECT_EQ(run.status, Status::success);
            // A run on the same thread starts where the last one ended: its steps count on.
            EXPECT_EQ((co_await events(run.id)).size(), 6U + 4U);
        });
        EXPECT_EQ(log.silent(), Texts()) << durability;
        EXPECT_EQ(log.results(), durability == std::string("sync") ? 3 : 0) << durability;
        database_ = migrated(GetParam().open_empty({}));
        runs_.emplace(*database_, clock_);
    }
}

TEST_P(GraphBodyTest, D10_ADatabaseThatIsAwayForAMomentDelaysTheRunOnly)
{
    int left = 3;
    WriteLog log([&left](const WriteOfRun& what) { return !what.batch.checkpoints.empty() && left-- > 0; });
    options_.extra_writes = log.writes();
    std::vector<std::string> executed;
    graph::StateGraph graph;
    make_chain(graph, &executed);
    play(graph, [&]() -> Task<void> {
        const auto run = co_await play_run(Json{{"input", {{"log", Json::array()}}}}, Json{{"modes", {"updates"}}});
        EXPECT_EQ(run.status, Status::success);
        EXPECT_EQ(executed, (Texts{"p", "q", "r"}));
        EXPECT_EQ((co_await events(run.id)).size(), 3U);
    });
    EXPECT_LT(left, 0);
    EXPECT_EQ(count("SELECT COUNT(*) FROM graph_checkpoints"), 5);
}

TEST_P(GraphBodyTest, D10_ADatabaseThatStaysAwayEndsTheRunWithoutAHalfSuperstep)
{
    bool away = false;
    WriteLog log([&away](const WriteOfRun& what) {
        for (const auto& checkpoint : what.batch.checkpoints)
            away = away || checkpoint.step == 2;
        return away && !what.ending;
    });
    options_.extra_writes = log.writes();
    options_.writer.give_up_after = std::chrono::milliseconds(200);
    std::vector<std::string> executed;
    graph::StateGraph graph;
    make_chain(graph, &executed);
    play(graph, [&]() -> Task<void> {
        const auto failed = co_await play_run(Json{{"input", {{"log", Json::array()}}}}, Json{{"modes", {"updates"}}});
        EXPECT_EQ(failed.status, Status::error);
        EXPECT_EQ(failed.error->value("code", ""), "STORAGE_ERROR");
        const auto told = (co_await events(failed.id)).size();
        EXPECT_EQ(count("SELECT COUNT(*) FROM graph_checkpoints WHERE step > 0"), static_cast<std::int64_t>(told))
            << "what was told is stored";
        away = false;
        const auto again = co_await play_run(nullptr);
        EXPECT_EQ(again.status, Status::success);
        EXPECT_EQ(again.output->at("log"), (Json{"p", "q", "r"}));
        EXPECT_EQ(executed, (Texts{"p", "q", "r"}));
    });
}

INSTANTIATE_TEST_SUITE_P(Drivers, GraphBodyTest, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace dure::runs
