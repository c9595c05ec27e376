// What durability costs, without an engine above it: N runs at once, each saving supersteps that append 1 kB to one channel,
// through the epoch-checked writer of a run. Prints microseconds per superstep and the bytes that stay.
//   bench_durable [sqlite:PATH | postgresql://…] [runs] [supersteps]
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "dure/runs/runs.hpp"
#include "dure/runs/writer.hpp"
#include "dure/sql/postgres.hpp"
#include "dure/sql/sqlite.hpp"
#include "dure/store/migrations.hpp"

namespace {

using namespace dure;

constexpr std::int64_t snapshot_every = 256;   // as the engine does

template <class T>
T must(Result<T> result, const char* what)
{
    if (!result) {
        std::fprintf(stderr, "%s: %s %s\n", what, result.error().message().c_str(), result.error().detail().c_str());
        std::exit(1);
    }
    if constexpr (!std::is_void_v<T>)
        return std::move(*result);
}

std::unique_ptr<sql::Database> open(const std::string& place)
{
    if (place.starts_with("postgres")) {
        sql::PostgresOptions options;
        options.url = SecretString(place);
        options.queue_wait = std::chrono::seconds(60);
        return must(sql::open_postgres(std::move(options)), "open");
    }
    sql::SqliteOptions options;
    options.path = place.substr(place.find(':') + 1);
    options.queue_wait = std::chrono::seconds(60);
    return must(sql::open_sqlite(std::move(options)), "open");
}

// One run per thread, claimed as a worker would.
std::vector<runs::Run> claimed_runs(sql::Database& database, std::size_t count)
{
    std::vector<runs::Run> claimed;
    for (std::size_t i = 0; i < count; ++i) {
        runs::Run run;
        run.id = new_id();
        run.thread = new_id();
        run.epoch = 1;
        must(database.run_now([&](sql::Connection& c) {
            return c.execute("INSERT INTO graph_runs (id, thread_id, owner_id, graph, input, options, status, worker, "
                             "epoch, attempts, lease_until, crashes, crashed_at, stop, created_at) VALUES ($1, $2, '', 'bench', "
                             "'null', '{}', 'running', 'bench', 1, 1, 0, 0, '', '', 0)",
                             run.id, run.thread);
        }),
             "claim");
        claimed.push_back(std::move(run));
    }
    return claimed;
}

graph::Batch next_superstep(const runs::Run& run, graph::Checkpoint& before, std::int64_t step)
{
    graph::Checkpoint next;
    next.id = new_id();
    next.parent = before.id;
    next.run = run.id;
    next.step = step;
    next.source = graph::Source::loop;
    next.created_at = SystemClock().now();
    next.graph_version = "0123456789abcdef";
    next.frontier = Json{{"next", {"work"}}};
    next.versions = before.versions;
    graph::ChannelWrite write;
    write.channel = "messages";
    const bool whole = step % snapshot_every == 0;
    auto data = Json::array();
    for (std::int64_t i = 0; i < (whole ? std::max<std::int64_t>(step, 1) : 1); ++i)
        data.push_back(std::string(1000, 'x'));
    write.data = std::make_shared<const Json>(std::move(data));
    write.base = whole ? "" : before.versions["messages"];
    write.deltas = step % snapshot_every;
    next.versions["messages"] = next.id;
    before = next;
    next.writes.push_back(std::move(write));
    graph::Batch batch;
    batch.checkpoints.push_back(std::move(next));
    return batch;
}

std::int64_t bytes_stored(sql::Database& database)
{
    return must(database.run_now([](sql::Connection& c) -> Result<std::int64_t> {
        const auto rows = c.query(c.dialect() == sql::Dialect::sqlite
                                      ? "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
                                      : "SELECT pg_total_relation_size('graph_checkpoints') + "
                                        "pg_total_relation_size('graph_channel_writes')");
        if (!rows)
            return rows.error();
        return rows->front().integer(0);
    }),
                "bytes");
}

}  // namespace

int main(int count, char** words)
{
    const std::string place = count > 1 ? words[1] : "sqlite::memory:";
    const std::size_t runs_at_once = count > 2 ? std::strtoul(words[2], nullptr, 10) : 100;
    const std::int64_t supersteps = count > 3 ? std::strtol(words[3], nullptr, 10) : 200;
    const auto database = open(place);
    must(sql::migrate(*database, store::migrations(), 1), "migrate");
    const SystemClock clock;
    runs::Runs all(*database, clock);
    const auto claimed = claimed_runs(*database, runs_at_once);
    const auto bytes_before = bytes_stored(*database);
    boost::asio::io_context loop(1);
    const auto begin = Steady::now();
    for (const auto& run : claimed)
        boost::asio::co_spawn(
            loop,
            [&]() -> Task<void> {
                runs::RunWriter writer(*database, all.streams(), loop.get_executor(), run, 0);
                graph::Checkpoint before;
                for (std::int64_t step = 0; step < supersteps; ++step)
                    must(co_await writer.save(run.thread, next_superstep(run, before, step)), "save");
            },
            [](std::exception_ptr thrown) {
                if (thrown)
                    std::terminate();
            });
    loop.run();
    const double seconds = std::chrono::duration<double>(Steady::now() - begin).count();
    const auto total = static_cast<double>(runs_at_once) * static_cast<double>(supersteps);
    std::printf("%s, %zu runs at once, %lld supersteps each: %.1f us per durable superstep, %.0f /s, %.3f MB per run\n",
                std::string(sql::name_of(database->dialect())).c_str(), runs_at_once,
                static_cast<long long>(supersteps), seconds * 1e6 / total, total / seconds,
                static_cast<double>(bytes_stored(*database) - bytes_before) / 1e6 / static_cast<double>(runs_at_once));
}
