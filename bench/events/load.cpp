// The event store under load, checked: 8 writers append 10,000 times each over 100 aggregates, a tenth with a wrong version, a
// tenth repeats; 10 followers reconnect all the time; a transaction with its position taken is held open for two seconds,
// again and again. Versions have no gap, nothing is there twice, conflicts and repeats are answered as promised, and every
// follower sees every event once and in order.
#include <map>
#include <random>
#include <set>
#include <thread>

#include "dure/events/follower.hpp"
#include "events/common.hpp"

namespace bench {

namespace {

constexpr std::size_t writer_count = 8;
constexpr std::size_t follower_count = 10;
constexpr int appends_per_writer = 10'000;
constexpr int aggregate_count = 100;

struct Written {
    std::vector<dure::model::Event> events;
    int conflicts = 0;
    int repeats = 0;
};

dure::Task<void> append_one(dure::events::Journal& journal, const std::string& id, std::minstd_rand& random, Written& written)
{
    const auto roll = random() % 100;
    if (roll < 10 && !written.events.empty()) {
        const auto& first = written.events[random() % written.events.size()];
        auto again = event_of(first.aggregate_id);
        again.event_id = first.event_id;
        const auto repeated = must(co_await journal.append(std::move(again)), "repeat");
        if (repeated.position != first.position || repeated.version != first.version)
            fail("a repeat did not get the first result");
        ++written.repeats;
        co_return;
    }
    auto event = event_of("a" + std::to_string(random() % aggregate_count));
    event.event_id = id;
    if (roll >= 90) {
        const auto refused = co_await journal.append(std::move(event), 1'000'000'000);
        if (refused || refused.error().reason() != "version_conflict")
            fail("a wrong version was not a conflict");
        ++written.conflicts;
        co_return;
    }
    written.events.push_back(must(co_await journal.append(std::move(event)), "append"));
}

dure::Task<void> write_all(dure::events::Journal& journal, std::size_t number, Written& written)
{
    std::minstd_rand random(static_cast<unsigned>(number + 1));
    for (int i = 0; i < appends_per_writer; ++i)
        co_await append_one(journal, "w" + std::to_string(number) + "-" + std::to_string(i), random, written);
}

struct Following {
    std::int64_t seen = 0;             // every event up to here came, once and in order
    int connections = 0;
};

dure::Task<void> follow(dure::sql::Database& database, dure::events::Bus& bus, std::size_t number,
                        const std::atomic<std::int64_t>& last, Following& following)
{
    const auto executor = co_await boost::asio::this_coro::executor;
    std::minstd_rand random(static_cast<unsigned>(100 + number));
    while (following.seen != last.load()) {
        dure::events::Follower follower(database, bus, executor, following.seen, {});
        ++following.connections;
        for (auto pages = 1 + random() % 20; pages > 0; --pages)
            for (const auto& event : must(co_await follower.next(dure::Steady::now() + std::chrono::milliseconds(50)), "follow"))
                if (event->position != ++following.seen)
                    fail("a follower saw position " + std::to_string(event->position) + " where " +
                         std::to_string(following.seen) + " was next");
    }
}

// Holds the global order in an open transaction. Its events.
std::vector<dure::model::Event> hold_transactions(dure::sql::Database& database, const std::atomic<bool>& stop)
{
    std::vector<dure::model::Event> held;
    while (!stop) {
        held.push_back(must(database.run_now([&](dure::sql::Connection& connection) {
            auto event = event_of("held");
            event.created_at = 1;
            auto stored = dure::store::Events(connection).append(event);
            std::this_thread::sleep_for(std::chrono::seconds(2));
            return stored;
        }), "held transaction"));
        for (int i = 0; i < 30 && !stop; ++i)
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    return held;
}

void check(const std::vector<Written>& written, const std::vector<dure::model::Event>& held)
{
    std::map<std::string, std::set<std::int64_t>> versions;
    std::set<std::int64_t> positions;
    const auto count = [&](const dure::model::Event& event) {
        if (!versions[event.aggregate_id].insert(event.version).second || !positions.insert(event.position).second)
            fail("an event is there twice");
    };
    for (const auto& one : written)
        std::for_each(one.events.begin(), one.events.end(), count);
    std::for_each(held.begin(), held.end(), count);
    for (const auto& [aggregate, all] : versions)
        if (*all.begin() != 1 || *all.rbegin() != static_cast<std::int64_t>(all.size()))
            fail("versions of " + aggregate + " have a gap");
    if (*positions.begin() != 1 || *positions.rbegin() != static_cast<std::int64_t>(positions.size()))
        fail("positions have a gap");
}

}  // namespace

void measure_load(const std::string& place)
{
    const auto database = open_database(place);
    const auto bus = dure::events::in_process_bus();
    const dure::SystemClock clock;
    dure::events::Journal journal(*database, *bus, clock);
    dure::Cores cores(2);
    cores.start();
    std::vector<Written> written(writer_count);
    std::vector<Following> following(follower_count);
    std::vector<dure::model::Event> held;
    std::atomic<std::int64_t> last = -1;
    std::atomic<bool> stop = false;
    std::thread followers([&] {
        run_all(cores, follower_count,
                [&](std::size_t i) { return follow(*database, *bus, i, last, following[i]); });
    });
    std::thread holder([&] { held = hold_transactions(*database, stop); });
    const auto begin = dure::Steady::now();
    run_all(cores, writer_count, [&](std::size_t i) { return write_all(journal, i, written[i]); });
    const auto wrote = seconds_since(begin);
    stop = true;
    holder.join();
    std::size_t total = held.size();
    int conflicts = 0, repeats = 0, connections = 0;
    for (const auto& one : written) {
        total += one.events.size();
        conflicts += one.conflicts;
        repeats += one.repeats;
    }
    last = static_cast<std::int64_t>(total);
    followers.join();
    for (const auto& one : following)
        connections += one.connections;
    cores.stop();
    cores.join();
    check(written, held);
    std::printf("load: %zu events, %d conflicts, %d repeats in %.1f s (%zu times held open for 2 s), %d connections of followers: "
                "all as promised\n",
                total, conflicts, repeats, wrote, held.size(), connections);
}

}  // namespace bench
