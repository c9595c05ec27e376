// F7: a stop that another process asked for is heard at the next look at the rows, long before the lease is renewed.
#include "runs/graph_runs.hpp"

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

}  // namespace dure::runs
