// Who is woken by what a run tells: readers by its events, those who wait for its end by changes of its row alone.
#include <gtest/gtest.h>

#include "dure/runs/stream.hpp"

namespace dure::runs {

TEST(RunStreamsTest, WhoWaitsForTheEndIsNotWokenByEvents)
{
    RunStreams streams;
    int by_events = 0, by_changes = 0, other = 0;
    const RunStreams::Subscription reader(streams, "run", [&] { ++by_events; });
    const RunStreams::Subscription waiter(streams, "run", [&] { ++by_changes; }, RunStreams::Wakes::by_changes);
    const RunStreams::Subscription stranger(streams, "another", [&] { ++other; });
    streams.publish("run", {std::make_shared<const RunEvent>()});
    EXPECT_EQ(by_events, 1);
    EXPECT_EQ(by_changes, 0);
    streams.nudge("run");
    EXPECT_EQ(by_events, 2);
    EXPECT_EQ(by_changes, 1);
    EXPECT_EQ(other, 0);
    EXPECT_EQ(streams.readers("run"), 2u);
}

}  // namespace dure::runs
