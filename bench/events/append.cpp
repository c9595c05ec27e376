// Appends a second: every append is one durable transaction; callers that come at the same time share a commit.
#include "events/common.hpp"

namespace bench {

void measure_appends(const std::string& place)
{
    const auto database = open_database(place);
    const auto bus = dure::events::in_process_bus();
    const dure::SystemClock clock;
    dure::events::Journal journal(*database, *bus, clock);
    dure::Cores cores(2);
    cores.start();
    for (const std::size_t callers : {1u, 8u, 64u}) {
        std::vector<std::vector<double>> took(callers);
        const auto begin = dure::Steady::now();
        run_all(cores, callers, [&](std::size_t caller) -> dure::Task<void> {
            for (std::size_t i = 0; seconds_since(begin) < 5; ++i) {
                const auto start = dure::Steady::now();
                must(co_await journal.append(event_of("a" + std::to_string((caller * 7 + i) % 100))), "append");
                took[caller].push_back(seconds_since(start) * 1e3);
            }
        });
        const auto elapsed = seconds_since(begin);
        std::vector<double> all;
        for (const auto& one : took)
            all.insert(all.end(), one.begin(), one.end());
        std::printf("append, %2zu callers: %7.0f /s, median %.2f ms, p99 %.2f ms\n", callers,
                    static_cast<double>(all.size()) / elapsed, percentile(all, 0.5), percentile(all, 0.99));
    }
    cores.stop();
    cores.join();
}

}  // namespace bench
