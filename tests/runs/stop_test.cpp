// F7: a stop that another process asked for is heard at the next look at the rows, long before the lease is renewed.
#include "runs/graph_runs.hpp"
#include "runs/run_rows.hpp"
#include "runs/worker_fixture.hpp"

namespace dure::runs {

TEST_P(GraphBodyTest, F7_AStopOfAnotherProcessIsHeardAtTheNextLook)
{
    graph::StateGraph graph;
    bool waits = false;
    graph.add_channel("log", graph::reducers::append());
    graph.add_node("p", [&waits](graph::NodeContext&) -> Task<Result<graph::Update>> {
        waits = true;
        co_await sleep_for(std::chrono::seconds(60));
        co_return graph::Update(log_entry("p"));
    });
    graph.add_edge(graph::start, "p");
    options_.lease = std::chrono::minutes(10);   // a renewal would come after more than three
    Runs elsewhere(*database_, clock_);          // knows no worker that it could wake
    play(graph, [&]() -> Task<void> {
        const auto run = co_await start({{"input", {{"log", "i"}}}});
        while (!waits)
            co_await sleep_for(std::chrono::milliseconds(2));
        EXPECT_TRUE(co_await elsewhere.stop(run.id, "me", Stop::cancel));
        EXPECT_EQ((co_await ended(run.id)).status, Status::cancelled);
    });
}

// Its worker hears of it when the run is over already.
TEST_P(WorkerTest, F7_AStopOfARunThatGoesOnToWaitIsNotLost)
{
    for (const auto how : {Stop::cancel, Stop::rollback}) {
        const auto body = [&](RunWriter& writer, RunControl&) -> Task<Ending> {
            const auto asked = database_->run_now(
                [&](sql::Connection& c) { return RunRows(c).stop(writer.run().id, "me", how, clock_.now()); });
            EXPECT_EQ(asked->status, Status::running);
            Ending waiting;
            waiting.status = Status::interrupted;
            waiting.output = Json{{"__interrupt__", Json::array()}};
            co_return waiting;
        };
        play(body, [&]() -> Task<void> {
            const auto run = co_await start("t-" + std::string(name_of(how)));
            const auto over = co_await ended(run.id);
            EXPECT_EQ(over.status, Status::cancelled);
            EXPECT_EQ(over.output, std::nullopt);
            EXPECT_EQ(over.error.value_or(Json()).value("code", ""), "CANCELLED");
        });
    }
}

}  // namespace dure::runs
