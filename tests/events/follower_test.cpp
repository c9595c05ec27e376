// Following: every event once and in order, whatever the bus does.
#include "dure/events/follower.hpp"

#include <boost/asio/this_coro.hpp>

#include "events/events_fixture.hpp"

namespace dure::events {
namespace {

using namespace std::chrono_literals;

class FollowerTest : public EventsFixture {
protected:
    Task<Follower> follow(std::int64_t after, store::EventFilter filter = {})
    {
        co_return Follower(*database_, *bus_, co_await boost::asio::this_coro::executor, after, std::move(filter));
    }

    // The next `count` positions.
    static Task<std::vector<std::int64_t>> take(Follower& follower, std::size_t count)
    {
        std::vector<std::int64_t> positions;
        const auto until = Steady::now() + 10s;
        while (positions.size() < count && Steady::now() < until)
            for (const auto& event : (co_await follower.next(until)).value())
                positions.push_back(event->position);
        co_return positions;
    }
};

using Positions = std::vector<std::int64_t>;

TEST_P(FollowerTest, GivesWhatIsStoredAndThenWhatHappens)
{
    test::run([&]() -> Task<void> {
        Journal journal(*database_, *bus_, clock_);
        append_silently(event_of("a"));
        append_silently(event_of("a"));
        auto follower = co_await follow(1);
        EXPECT_EQ(co_await take(follower, 1), Positions{2});
        EXPECT_TRUE(co_await journal.append(event_of("b")));
        EXPECT_TRUE(co_await journal.append(event_of("a")));
        EXPECT_EQ(co_await take(follower, 2), (Positions{3, 4}));
        EXPECT_EQ(follower.position(), 4);
        EXPECT_TRUE((co_await follower.next(Steady::now() + 20ms)).value().empty());
    });
}

TEST_P(FollowerTest, ReadsBackFromTheStoreWhatDidNotFitIntoItsInbox)
{
    test::run([&]() -> Task<void> {
        Journal journal(*database_, *bus_, clock_);
        auto follower = co_await follow(0);
        EXPECT_TRUE((co_await follower.next(Steady::now())).value().empty());
        Positions wanted;
        for (std::int64_t i = 1; i <= 250; ++i) {   // the inbox holds 8
            wanted.push_back(i);
            EXPECT_TRUE(co_await journal.append(event_of("a")));
        }
        EXPECT_EQ(co_await take(follower, 250), wanted);
    });
}

TEST_P(FollowerTest, PutsWhatTheBusBringsLateOrTwiceIntoOrder)
{
    test::run([&]() -> Task<void> {
        auto follower = co_await follow(0);
        EXPECT_TRUE((co_await follower.next(Steady::now())).value().empty());
        const auto one = append_silently(event_of("a")), two = append_silently(event_of("a")),
                   three = append_silently(event_of("a"));
        bus_->publish({two});
        bus_->publish({one, two});
        bus_->publish({two, three});
        EXPECT_EQ(co_await take(follower, 3), (Positions{1, 2, 3}));
        EXPECT_TRUE((co_await follower.next(Steady::now() + 20ms)).value().empty());
    });
}

TEST_P(FollowerTest, FindsWhatNobodyPublished)
{
    test::run([&]() -> Task<void> {
        auto follower = co_await follow(0);
        EXPECT_TRUE((co_await follower.next(Steady::now())).value().empty());
        append_silently(event_of("a"));
        EXPECT_EQ(co_await take(follower, 1), Positions{1});
    });
}

TEST_P(FollowerTest, GivesOnlyWhatPassesItsFilter)
{
    test::run([&]() -> Task<void> {
        Journal journal(*database_, *bus_, clock_);
        append_silently(event_of("a", "lee"));
        append_silently(event_of("a", "kim"));
        auto own = co_await follow(0, {"kim", {}});
        auto one = co_await follow(0, {{}, "b"});
        EXPECT_EQ(co_await take(own, 1), Positions{2});
        for (const auto* owner : {"lee", "kim"})
            EXPECT_TRUE(co_await journal.append(event_of("b", owner)));
        EXPECT_EQ(co_await take(own, 1), Positions{4});
        EXPECT_EQ(co_await take(one, 2), (Positions{3, 4}));
    });
}

TEST_P(FollowerTest, EndsWhenTheBusIsClosed)
{
    test::run([&]() -> Task<void> {
        append_silently(event_of("a"));
        auto follower = co_await follow(0);
        bus_->close();
        EXPECT_EQ(co_await take(follower, 1), Positions{1});
        EXPECT_EQ((co_await follower.next(Steady::now() + 10s)).error().reason(), "server_shutdown");
    });
}

INSTANTIATE_TEST_SUITE_P(Drivers, FollowerTest, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace
}  // namespace dure::events
