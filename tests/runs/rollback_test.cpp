// X4, F7: a run that is rolled back leaves its thread as it found it, also when it answered, continued or dropped what an older
// run had left open. X5: what a thread's runs make of its status.
#include "runs/graph_runs.hpp"

namespace dure::runs {

namespace {

// What the second run does before it is rolled back.
struct Undone {
    const char* what;
    Json input;
    bool stops_inside;  // in the node that got the answer; else in the one behind it
};

struct OneAtATime {
    bool waits = false;
    bool endless = false;
    std::vector<std::string> executed;
};

Task<void> wait_if_endless(OneAtATime& course)
{
    if (!course.endless)
        co_return;
    course.waits = true;
    co_await sleep_for(std::chrono::seconds(60));
}

// START → p (asks) → h, START → r.
void make_asking(graph::StateGraph& graph, OneAtATime& course, bool stops_inside)
{
    graph.add_channel("log", graph::reducers::append());
    graph.add_node("p", [&course, stops_inside](graph::NodeContext& context) -> Task<Result<graph::Update>> {
        auto answer = co_await context.interrupt("may I?");
        if (!answer)
            co_return answer.error();
        if (stops_inside)
            co_await wait_if_endless(course);
        co_return graph::Update(log_entry(*answer));
    });
    graph.add_node("h", [&course](graph::NodeContext&) -> Task<Result<graph::Update>> {
        co_await wait_if_endless(course);
        co_return graph::Update(log_entry("h"));
    });
    graph.add_node("r", adds("r", &course.executed));
    graph.add_node("again", [&course](graph::NodeContext&) -> Task<Result<graph::Update>> {
        co_await wait_if_endless(course);
        co_return graph::Update();
    });
    graph.add_edge(graph::start, "p").add_edge(graph::start, "r").add_edge("p", "h").add_edge(graph::start, "again");
}

}  // namespace

TEST_P(GraphBodyTest, X4_ARolledBackRunTakesBackItsAnswersAndWhatItDropped)
{
    const Undone cases[] = {{"an answer, at work", {{"resume", "yes"}}, true},
                            {"an answer, a superstep later", {{"resume", "yes"}}, false},
                            {"a new input", {{"input", {{"log", "other"}}}}, false}};
    int number = 0;
    for (const auto& one : cases) {
        SCOPED_TRACE(one.what);
        graph::StateGraph graph;
        OneAtATime course;
        make_asking(graph, course, one.stops_inside);
        thread_ = "t" + std::to_string(++number);
        play(graph, [&]() -> Task<void> {
            EXPECT_EQ((co_await play_run({{"input", {{"log", "i"}}}})).status, Status::interrupted);
            course.endless = true;
            const auto second = co_await start(one.input);
            while (!course.waits)
                co_await sleep_for(std::chrono::milliseconds(2));
            course.endless = false;
            EXPECT_TRUE(co_await runs_->stop(second.id, "me", Stop::rollback));
            EXPECT_EQ((co_await ended(second.id)).status, Status::cancelled);
            course.executed.clear();
            const auto third = co_await play_run({{"resume", "no"}});
            EXPECT_EQ(third.status, Status::success) << (third.error ? third.error->dump() : "");
            EXPECT_EQ(third.output->at("log"), (Json{"i", "no", "r", "h"}));
            EXPECT_TRUE(course.executed.empty()) << "the first run's result of r is there again";
        });
        EXPECT_EQ(count("SELECT COUNT(*) FROM graph_pending_writes"), 0);
    }
    EXPECT_EQ(count("SELECT COUNT(*) FROM graph_rollbacks"), number * 3)
        << "of each third run: the question and two results";
}

TEST_P(GraphBodyTest, X4_ARunOfTheSameRowThatIsResumedAndRolledBackIsGoneWhole)
{
    graph::StateGraph graph;
    OneAtATime course;
    make_asking(graph, course, true);
    play(graph, [&]() -> Task<void> {
        const auto asked = co_await play_run({{"input", {{"log", "i"}}}});
        EXPECT_EQ(asked.status, Status::interrupted);
        course.endless = true;
        EXPECT_TRUE(co_await runs_->resume(asked.id, "me", {{"resume", "yes"}}));
        while (!course.waits)
            co_await sleep_for(std::chrono::milliseconds(2));
        EXPECT_TRUE(co_await runs_->stop(asked.id, "me", Stop::rollback));
        EXPECT_EQ((co_await ended(asked.id)).status, Status::cancelled);
    });
    EXPECT_EQ(count("SELECT COUNT(*) FROM graph_checkpoints"), 0);
    EXPECT_EQ(count("SELECT COUNT(*) FROM graph_pending_writes"), 0);
    EXPECT_EQ(count("SELECT COUNT(*) FROM graph_rollbacks"), 0);
}

TEST_P(GraphBodyTest, X5_AThreadIsIdleBusyInterruptedOrInError)
{
    graph::StateGraph graph;
    OneAtATime course;
    make_asking(graph, course, false);
    const auto status = [&]() -> Task<std::string> {
        const auto known = co_await runs_->thread_status("t", "me");
        co_return known ? std::string(name_of(*known)) : known.error().message();
    };
    play(graph, [&]() -> Task<void> {
        EXPECT_EQ(co_await status(), "No such thread.");
        const auto asked = co_await play_run({{"input", {{"log", "i"}}}});
        EXPECT_EQ(co_await status(), "interrupted");
        EXPECT_EQ((co_await play_run({{"resume", {{std::string(32, 'a'), 1}}}})).status, Status::error);
        EXPECT_EQ(co_await status(), "error");
        course.endless = true;
        EXPECT_TRUE(co_await runs_->resume(asked.id, "me", {{"resume", "yes"}}));
        while (!course.waits)
            co_await sleep_for(std::chrono::milliseconds(2));
        EXPECT_EQ(co_await status(), "busy");
        EXPECT_TRUE(co_await runs_->stop(asked.id, "me", Stop::cancel));
        EXPECT_EQ((co_await ended(asked.id)).status, Status::cancelled);
        EXPECT_EQ(co_await status(), "idle") << "the older run was the last to end";
        EXPECT_EQ((co_await runs_->thread_status("t", "somebody else")).error().code(), Errc::not_found);
    });
}

}  // namespace dure::runs
