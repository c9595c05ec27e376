// What every bus has to do, whatever carries it.
#include "dure/events/bus.hpp"

#include <gtest/gtest.h>

#include <boost/asio/this_coro.hpp>

#include "dure/base/timeout.hpp"
#include "events/redis_replicas.hpp"
#include "support/run_on_core.hpp"
#include "support/run_task.hpp"

namespace dure::events {
namespace {

using namespace std::chrono_literals;

std::vector<model::Event> events_from(std::int64_t first, std::int64_t last)
{
    std::vector<model::Event> events;
    for (auto position = first; position <= last; ++position)
        events.emplace_back().position = position;
    return events;
}

struct BusKind {
    std::string name;
    std::function<std::unique_ptr<Bus>(std::size_t capacity)> make;
};

void PrintTo(const BusKind& kind, std::ostream* out)
{
    *out << kind.name;
}

class BusTest : public testing::TestWithParam<BusKind> {};

TEST_P(BusTest, EverySubscriberGetsEveryEvent)
{
    test::run([]() -> Task<void> {
        const auto executor = co_await boost::asio::this_coro::executor;
        const auto bus = GetParam().make(10);
        const auto one = bus->subscribe(executor), two = bus->subscribe(executor);
        bus->publish(events_from(1, 3));
        for (const auto& subscriber : {one.get(), two.get()}) {
            const auto came = co_await subscriber->wait(Steady::now() + 5s);
            EXPECT_EQ(came.events.size(), 3u);
            EXPECT_EQ(came.events.front()->position, 1);
            EXPECT_FALSE(came.missed);
            EXPECT_FALSE(came.closed);
        }
    });
}

TEST_P(BusTest, AWaitEndsWithNothingWhenItsTimeIsOver)
{
    test::run([]() -> Task<void> {
        const auto bus = GetParam().make(10);
        const auto subscriber = bus->subscribe(co_await boost::asio::this_coro::executor);
        EXPECT_TRUE((co_await subscriber->wait(Steady::now() + 20ms)).events.empty());
    });
}

TEST_P(BusTest, ASlowSubscriberIsToldThatItMissedEventsAndTheOthersAreNot)
{
    test::run([]() -> Task<void> {
        const auto executor = co_await boost::asio::this_coro::executor;
        const auto bus = GetParam().make(4);
        const auto slow = bus->subscribe(executor), quick = bus->subscribe(executor);
        bus->publish(events_from(1, 3));
        EXPECT_EQ((co_await quick->wait(Steady::now() + 5s)).events.size(), 3u);
        bus->publish(events_from(4, 6));
        EXPECT_FALSE((co_await quick->wait(Steady::now() + 5s)).missed);
        const auto came = co_await slow->wait(Steady::now() + 5s);
        EXPECT_EQ(came.events.size(), 4u);
        EXPECT_TRUE(came.missed);
        bus->publish(events_from(7, 7));
        EXPECT_FALSE((co_await slow->wait(Steady::now() + 5s)).missed);
    });
}

TEST_P(BusTest, WakesAWaitingSubscriberFromAnotherThread)
{
    Cores cores(2);
    cores.start();
    const auto bus = GetParam().make(1000);
    std::atomic<bool> ready = false;
    test::Running reader(cores, [&]() -> Task<void> {
        const auto subscriber = bus->subscribe(co_await boost::asio::this_coro::executor);
        ready = true;
        for (std::int64_t seen = 0; seen < 500;)
            for (const auto& event : (co_await subscriber->wait(Steady::now() + 10s)).events)
                EXPECT_EQ(event->position, ++seen);
    });
    while (!ready)
        std::this_thread::yield();
    for (int i = 1; i <= 500; ++i)
        bus->publish(events_from(i, i));
    reader.wait();
    cores.stop();
    cores.join();
}

TEST_P(BusTest, ClosingTellsOldAndNewSubscribers)
{
    test::run([]() -> Task<void> {
        const auto executor = co_await boost::asio::this_coro::executor;
        auto bus = GetParam().make(4);
        const auto old = bus->subscribe(executor);
        bus->close();
        const auto fresh = bus->subscribe(executor);
        bus.reset();   // subscriptions outlive it
        EXPECT_TRUE((co_await old->wait(Steady::now() + 5s)).closed);
        EXPECT_TRUE((co_await old->wait(Steady::now() + 5s)).closed);
        EXPECT_TRUE((co_await fresh->wait(Steady::now() + 5s)).closed);
    });
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, BusTest,
    testing::Values(BusKind{"in_process", [](std::size_t room) { return in_process_bus(room); }},
                    BusKind{"redis_here", [](std::size_t room) { return std::make_unique<BusOverRedis>(room, false); }},
                    BusKind{"redis_elsewhere", [](std::size_t room) { return std::make_unique<BusOverRedis>(room, true); }}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace dure::events
