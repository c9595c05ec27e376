// One aggregate that grows: what an append, a page of its events and its replay cost with 10, 1,000 and 100,000 events.
// Appends of other aggregates stay beside it, as they would be: the indexes hold more than the one that is measured.
#include "dure/events/service.hpp"
#include "events/common.hpp"

namespace bench {

namespace {

struct Growing {
    dure::sql::Database& database;
    dure::events::Bus& bus;
    const dure::Clock& clock;
    dure::events::Journal journal{database, bus, clock};
    dure::events::EventService service{database, bus};
};

dure::Task<void> grow_to(Growing& growing, std::string aggregate, std::int64_t from, std::int64_t to)
{
    while (from < to) {
        const auto many = std::min<std::int64_t>(500, to - from);
        const auto stored = co_await growing.journal.write([&](dure::sql::Connection&, dure::events::Batch& batch) -> dure::Result<void> {
            for (std::int64_t i = 0; i < many; ++i)
                batch.add(event_of(aggregate));
            return {};
        });
        must(stored, "grow");
        from += many;
    }
}

// Milliseconds of `times` calls, the median.
template <class F>
dure::Task<double> median_of(int times, F call)
{
    std::vector<double> took;
    for (int i = 0; i < times; ++i) {
        const auto begin = dure::Steady::now();
        co_await call();
        took.push_back(seconds_since(begin) * 1e3);
    }
    co_return percentile(took, 0.5);
}

dure::Task<void> measure_at(Growing& growing, std::int64_t count, std::string kind)
{
    const auto aggregate = "grown-" + std::to_string(count);
    co_await grow_to(growing, aggregate, 0, count);
    const dure::events::Reader reader{"", true};
    const dure::events::AggregateName name{aggregate, "Session"};
    const auto append = co_await median_of(50, [&]() -> dure::Task<void> {
        must(co_await growing.journal.append(event_of(aggregate)), "append");
    });
    const auto first = co_await median_of(50, [&]() -> dure::Task<void> {
        must(co_await growing.service.of_aggregate(reader, name, {1, 50}), "first page");
    });
    const auto last = co_await median_of(50, [&]() -> dure::Task<void> {
        must(co_await growing.service.of_aggregate(reader, name, {count, 50}), "last page");
    });
    const auto replay = co_await median_of(count > 10'000 ? 3 : 20, [&]() -> dure::Task<void> {
        const auto deadline = dure::Deadline::after(std::chrono::minutes(1));
        must(co_await growing.service.replay(reader, name, {}, deadline), "replay");
    });
    std::printf("| %s, %lld events | %.2f | %.2f | %.2f | %.1f | %.2f |\n", kind.c_str(), static_cast<long long>(count), append,
                first, last, replay, replay * 1e3 / static_cast<double>(count));
}

}  // namespace

void measure_growth(const std::string& place)
{
    const auto database = open_database(place);
    const auto bus = dure::events::in_process_bus();
    const dure::SystemClock clock;
    Growing growing{*database, *bus, clock};
    dure::Cores cores(1);
    cores.start();
    run_all(cores, 1, [&](std::size_t) -> dure::Task<void> {
        for (const std::int64_t count : {10, 1'000, 100'000})
            co_await measure_at(growing, count, place.starts_with("postgresql:") ? "PostgreSQL" : "SQLite");
    });
    cores.stop();
    cores.join();
}

}  // namespace bench
