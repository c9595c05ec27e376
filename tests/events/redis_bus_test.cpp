// The bus between replicas when Redis goes, freezes and comes back: followers miss nothing.
#include "events/events_fixture.hpp"
#include "events/redis_replicas.hpp"

#include "dure/events/follower.hpp"

namespace dure::events {
namespace {

using namespace std::chrono_literals;

class RedisBusTest : public EventsFixture {
protected:
    // Appended by replica a, followed on replica b, until `count` came.
    void append_and_follow(std::int64_t count)
    {
        test::run([&]() -> Task<void> {
            Journal journal(*database_, *a_.bus, clock_);
            for (std::int64_t i = 0; i < count; ++i)
                EXPECT_TRUE(co_await journal.append(event_of("a")));
            appended_ += count;
            Follower follower(*database_, *b_.bus, co_await boost::asio::this_coro::executor, position_, {});
            for (const auto until = Steady::now() + 15s; position_ < appended_ && Steady::now() < until;) {
                const auto events = co_await follower.next(until);
                EXPECT_TRUE(events);
                for (const auto& event : *events)
                    EXPECT_EQ(event->position, ++position_);
            }
        });
        EXPECT_EQ(position_, appended_);
    }

    test::RedisProcess redis_;
    RedisReplica a_{redis_, 256, redis::ClientOptions()};
    RedisReplica b_{redis_, 256, redis::ClientOptions()};
    std::int64_t appended_ = 0;
    std::int64_t position_ = 0;
};

TEST_P(RedisBusTest, EventsComeWhateverBecomesOfRedisAndThroughItAgainWhenItIsBack)
{
    EXPECT_TRUE(connected(a_, b_));
    append_and_follow(20);
    EXPECT_EQ(redis_.ask("FLUSHALL"), "+OK");
    append_and_follow(20);
    redis_.freeze();
    append_and_follow(20);
    redis_.thaw();
    redis_.kill();
    append_and_follow(20);
    redis_.start();
    append_and_follow(20);
    EXPECT_TRUE(connected(a_, b_));
}

TEST_P(RedisBusTest, AfterALostConnectionSubscribersAreToldThatEventsWereMissed)
{
    ASSERT_TRUE(connected(a_, b_));
    test::run([&]() -> Task<void> {
        const auto subscriber = b_.bus->subscribe(co_await boost::asio::this_coro::executor);
        EXPECT_FALSE((co_await subscriber->wait(Steady::now())).missed);
        redis_.kill();
        redis_.start();
        EXPECT_TRUE((co_await subscriber->wait(Steady::now() + 15s)).missed);
    });
}

TEST_P(RedisBusTest, WhatCannotBeReadOrIsTooLargeSendsSubscribersToTheStore)
{
    ASSERT_TRUE(connected(a_, b_));
    test::run([&]() -> Task<void> {
        const auto subscriber = b_.bus->subscribe(co_await boost::asio::this_coro::executor);
        for (const auto* message : {"", "other", "other []x", "other [{\"position\":\"1\"}]", "other {\"a\":1}"}) {
            a_.client.publish("dure:events", message);
            const auto came = co_await subscriber->wait(Steady::now() + 15s);
            EXPECT_TRUE(came.missed) << message;
            EXPECT_TRUE(came.events.empty()) << message;
        }
        model::Event large;
        large.data["text"] = std::string(300'000, 'x');
        a_.bus->publish({large});
        EXPECT_TRUE((co_await subscriber->wait(Steady::now() + 15s)).missed);
    });
}

INSTANTIATE_TEST_SUITE_P(Drivers, RedisBusTest, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace
}  // namespace dure::events
