// Signals: who waits sleeps until somebody notifies, however many others wait for the same.
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include "dure/base/channel.hpp"

namespace dure {
namespace {

TEST(SignalTest, WaitersDoNotWakeOneAnother)
{
    boost::asio::io_context core;
    Signal signal(core.get_executor());
    int woken = 0;
    const auto waits = [&]() -> Task<void> {
        co_await signal.wait();
        ++woken;
    };
    for (int i = 0; i < 3; ++i)
        boost::asio::co_spawn(core, waits(), boost::asio::detached);
    core.poll();
    EXPECT_EQ(woken, 0) << "nobody has notified yet";
    signal.notify();
    core.poll();
    EXPECT_EQ(woken, 3);
    core.restart();
    boost::asio::co_spawn(core, waits(), boost::asio::detached);
    core.poll();
    EXPECT_EQ(woken, 3) << "and who comes later waits for the next";
    signal.notify();
    core.run();
    EXPECT_EQ(woken, 4);
}

TEST(SignalTest, AWaitEndsAtItsOwnTime)
{
    boost::asio::io_context core;
    Signal signal(core.get_executor());
    int woken = 0;
    const auto waits = [&](Steady::time_point until) -> Task<void> {
        co_await signal.wait(until);
        ++woken;
    };
    boost::asio::co_spawn(core, waits(Steady::now() + std::chrono::milliseconds(5)), boost::asio::detached);
    core.run();
    EXPECT_EQ(woken, 1);
    core.restart();
    boost::asio::co_spawn(core, waits(Steady::time_point::max()), boost::asio::detached);
    core.poll();
    EXPECT_EQ(woken, 1) << "the time of an earlier wait is over, not this one's";
    signal.notify();
    core.run();
    EXPECT_EQ(woken, 2);
}

}  // namespace
}  // namespace dure
