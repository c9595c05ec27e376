// Many writers and readers at once: 8 writers × 500 appends over 20 aggregates, a tenth with a wrong version, a tenth
// repeats, while 10 followers reconnect all the time. bench/ has the same with the full amount.
#include <boost/asio/this_coro.hpp>
#include <list>
#include <random>
#include <semaphore>
#include <set>
#include <thread>

#include "dure/events/follower.hpp"
#include "events/events_fixture.hpp"
#include "support/run_on_core.hpp"

namespace dure::events {
namespace {

using namespace std::chrono_literals;

constexpr int writer_count = 8;
constexpr int appends_per_writer = 500;
constexpr int aggregate_count = 20;
constexpr int follower_count = 10;

class EventLoadTest : public EventsFixture {
protected:
    // What one writer got for its good appends, in its order.
    using Written = std::vector<model::Event>;

    Task<void> write(int number, Written& written)
    {
        Journal journal(*database_, *bus_, clock_);
        std::minstd_rand random(static_cast<unsigned>(number + 1));
        std::uniform_int_distribution<int> percent(0, 99);
        for (int i = 0; i < appends_per_writer; ++i) {
            const int roll = percent(random);
            if (roll < 10 && !written.empty()) {
                co_await repeat(journal, written[random() % written.size()]);
                continue;
            }
            auto event = event_of("a" + std::to_string(random() % aggregate_count));
            event.event_id = "w" + std::to_string(number) + "-" + std::to_string(i);
            if (roll >= 90) {
                const auto refused = co_await journal.append(event, 1'000'000);
                EXPECT_EQ(refused ? "stored" : refused.error().reason(), "version_conflict");
                continue;
            }
            auto stored = co_await journal.append(event);
            EXPECT_TRUE(stored) << stored.error().message() << stored.error().detail();
            if (stored)
                written.push_back(std::move(*stored));
        }
    }

    static Task<void> repeat(Journal& journal, const model::Event& first)
    {
        auto again = event_of(first.aggregate_id);
        again.event_id = first.event_id;
        const auto repeated = co_await journal.append(again);
        EXPECT_TRUE(repeated);
        EXPECT_EQ(repeated->position, first.position);
        EXPECT_EQ(repeated->version, first.version);
    }

    // Follows from 0 and begins anew behind what it saw after every few pages, until it saw the last position.
    Task<void> follow(int number, std::vector<std::int64_t>& seen)
    {
        const auto executor = co_await boost::asio::this_coro::executor;
        std::minstd_rand random(static_cast<unsigned>(100 + number));
        const auto until = Steady::now() + 60s;
        while (Steady::now() < until) {
            Follower follower(*database_, *bus_, executor, seen.empty() ? 0 : seen.back(), {});
            for (auto pages = 1 + random() % 5; pages > 0; --pages) {
                const auto events = co_await follower.next(Steady::now() + 50ms);
                EXPECT_TRUE(events);
                for (const auto& event : *events)
                    seen.push_back(event->position);
            }
            if (!seen.empty() && seen.back() == last_.load())
                co_return;
        }
    }

    std::atomic<std::int64_t> last_ = -1;   // known when the writers have ended
};

TEST_P(EventLoadTest, VersionsHaveNoGapsRepeatsNoRowsAndFollowersSeeEverythingOnceInOrder)
{
    Cores cores(2);
    const test::ClosesFirst closing(database_);
    cores.start();
    std::vector<Written> written(writer_count);
    std::vector<std::vector<std::int64_t>> seen(follower_count);
    std::list<test::Running> writers, followers;
    for (int i = 0; i < follower_count; ++i)
        followers.emplace_back(cores, [&, i] { return follow(i, seen[static_cast<std::size_t>(i)]); }, i % 2);
    for (int i = 0; i < writer_count; ++i)
        writers.emplace_back(cores, [&, i] { return write(i, written[static_cast<std::size_t>(i)]); }, i % 2);
    for (auto& writer : writers)
        writer.wait();
    std::size_t total = 0;
    for (const auto& one : written)
        total += one.size();
    last_ = static_cast<std::int64_t>(total);
    for (auto& follower : followers)
        follower.wait();
    cores.stop();
    cores.join();

    std::map<std::string, std::set<std::int64_t>> versions;
    std::set<std::int64_t> positions;
    for (const auto& one : written)
        for (const auto& event : one) {
            EXPECT_TRUE(versions[event.aggregate_id].insert(event.version).second);
            EXPECT_TRUE(positions.insert(event.position).second);
        }
    for (const auto& [aggregate, all] : versions)
        EXPECT_EQ(std::pair(*all.begin(), *all.rbegin()),
                  std::pair(std::int64_t{1}, static_cast<std::int64_t>(all.size())))
            << aggregate;
    EXPECT_EQ(*positions.rbegin(), static_cast<std::int64_t>(total));
    for (const auto& one : seen) {
        ASSERT_EQ(one.size(), total);
        for (std::size_t i = 0; i < one.size(); ++i)
            ASSERT_EQ(one[i], static_cast<std::int64_t>(i + 1));
    }
}

TEST_P(EventLoadTest, OfWritersThatExpectTheSameVersionOneWins)
{
    Cores cores(2);
    const test::ClosesFirst closing(database_);
    cores.start();
    std::atomic<int> conflicts = 0;
    std::list<test::Running> writers;
    for (int i = 0; i < 4; ++i)
        writers.emplace_back(
            cores,
            [&]() -> Task<void> {
                Journal journal(*database_, *bus_, clock_);
                std::int64_t version = 0;
                for (int stored = 0; stored < 25; ++version) {
                    const auto one = co_await journal.append(event_of("a"), version);
                    stored += one ? 1 : 0;
                    conflicts += one ? 0 : 1;
                    EXPECT_TRUE(one || one.error().reason() == "version_conflict");
                }
            },
            i % 2);
    for (auto& writer : writers)
        writer.wait();
    cores.stop();
    cores.join();
    const auto all = from<store::Events>([](store::Events events) {
                         return events.of_aggregate({"a", "Session", {}, 1, 1000});
                     }).value();
    ASSERT_EQ(all.size(), 100u);
    EXPECT_EQ(all.back().version, 100);
}

// A transaction that has its position and stays open for long: nobody sees what comes behind it before it is there itself.
TEST_P(EventLoadTest, NoReaderOvertakesATransactionThatStaysOpen)
{
    database_ = GetParam().open_empty({.connections = 8});
    ASSERT_TRUE(sql::migrate(*database_, store::migrations(), 1));
    Cores cores(2);
    const test::ClosesFirst closing(database_);
    cores.start();
    std::atomic<int> looks = 0;
    std::binary_semaphore appended(0), leave(0);
    std::thread slow([&] {
        EXPECT_TRUE(database_->run_now([&](sql::Connection& connection) {
            auto event = store::Events(connection).append(event_of("slow"));
            appended.release();
            leave.acquire();
            return event;
        }));
    });
    appended.acquire();
    std::vector<std::vector<std::int64_t>> seen(3);
    std::list<test::Running> followers, writers;
    last_ = 6;
    for (std::size_t i = 0; i < seen.size(); ++i)
        followers.emplace_back(
            cores,
            [&, i]() -> Task<void> {
                while (seen[i].empty() || seen[i].back() != last_.load()) {
                    Follower follower(*database_, *bus_, co_await boost::asio::this_coro::executor,
                                      seen[i].empty() ? 0 : seen[i].back(), {});
                    const auto page = co_await follower.next(Steady::now() + 20ms);
                    EXPECT_TRUE(page);
                    ++looks;
                    for (const auto& event : *page)
                        seen[i].push_back(event->position);
                }
            },
            i % 2);
    for (int i = 0; i < 5; ++i)
        writers.emplace_back(cores, [&]() -> Task<void> {
            Journal journal(*database_, *bus_, clock_);
            EXPECT_TRUE(co_await journal.append(event_of("quick")));
        });
    while (looks < 60)  // each of them looked often while the transaction was open
        std::this_thread::yield();
    leave.release();
    slow.join();
    for (auto& running : writers)
        running.wait();
    for (auto& running : followers)
        running.wait();
    cores.stop();
    cores.join();
    for (const auto& one : seen)
        EXPECT_EQ(one, (std::vector<std::int64_t>{1, 2, 3, 4, 5, 6}));
}

INSTANTIATE_TEST_SUITE_P(Drivers, EventLoadTest, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace
}  // namespace dure::events
