// What the measurements of the event store share: an opened and migrated database, coroutines on cores, percentiles.
#pragma once

#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <latch>
#include <string>
#include <vector>

#include "dure/base/cores.hpp"
#include "dure/base/task.hpp"
#include "dure/events/journal.hpp"
#include "dure/sql/migrator.hpp"
#include "dure/sql/postgres.hpp"
#include "dure/sql/sqlite.hpp"
#include "dure/store/migrations.hpp"

namespace bench {

[[noreturn]] inline void fail(const std::string& what)
{
    std::fprintf(stderr, "FAILED: %s\n", what.c_str());
    std::exit(1);
}
template <class T>
T must(dure::Result<T> result, const char* what)
{
    if (!result)
        fail(std::string(what) + ": " + result.error().message() + " " + result.error().detail());
    if constexpr (!std::is_void_v<T>)
        return std::move(*result);
}

// "postgresql://…", else the path of a SQLite file. Durable as the product is: fsync at every commit.
inline std::unique_ptr<dure::sql::Database> open_database(const std::string& place)
{
    std::unique_ptr<dure::sql::Database> database;
    if (place.starts_with("postgresql:")) {
        dure::sql::PostgresOptions options;
        options.url = dure::SecretString(place);
        options.queue_wait = std::chrono::seconds(20);   // a transaction is held open for seconds on purpose
        options.statement_timeout = std::chrono::seconds(15);
        database = must(dure::sql::open_postgres(std::move(options)), "open");
    } else {
        dure::sql::SqliteOptions options;
        options.path = place;
        options.queue_wait = std::chrono::seconds(20);
        options.statement_timeout = std::chrono::seconds(15);
        database = must(dure::sql::open_sqlite(std::move(options)), "open");
    }
    must(dure::sql::migrate(*database, dure::store::migrations(), dure::SystemClock().now()), "migrate");
    return database;
}

// Runs `count` coroutines on the cores and waits for all of them.
inline void run_all(dure::Cores& cores, std::size_t count, const std::function<dure::Task<void>(std::size_t)>& work)
{
    std::latch done(static_cast<std::ptrdiff_t>(count));
    for (std::size_t i = 0; i < count; ++i)
        boost::asio::co_spawn(cores.at(i % cores.size()), work(i), [&done](std::exception_ptr thrown) {
            if (thrown)
                fail("a coroutine threw");
            done.count_down();
        });
    done.wait();
}

inline double seconds_since(dure::Steady::time_point begin)
{
    return std::chrono::duration<double>(dure::Steady::now() - begin).count();
}
inline double percentile(std::vector<double>& values, double share)
{
    if (values.empty())
        return 0;
    const auto at = static_cast<std::size_t>(share * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
    return values[at];
}

inline dure::store::NewEvent event_of(std::string aggregate)
{
    dure::store::NewEvent event;
    event.aggregate_id = std::move(aggregate);
    event.aggregate_type = "Session";
    event.event_type = "TurnRecorded";
    event.data = {{"conversation_turns", 7}, {"last_turn", {{"turn", 7}, {"status", "complete"}, {"model", "mock"}}}};
    event.owner_id = "0190a000-0000-7000-8000-000000000000";
    event.user_id = event.owner_id;
    return event;
}

// Each prints what it measured and exits with 1 when a promise was broken.
void measure_load(const std::string& place);
void measure_appends(const std::string& place);
void measure_growth(const std::string& place);
void measure_sessions(const std::string& place, const std::string& redis_url);

}  // namespace bench
