// The PostgreSQL driver: a pool of workers over one queue; see postgres.hpp.
#include "dure/sql/postgres.hpp"

#include <pthread.h>

#include <thread>

#include "sql/postgres/worker.hpp"

namespace dure::sql {

namespace {

constexpr int oldest_server = 130000;   // pg_xact_status and pg_current_xact_id

class PostgresDatabase final : public Database {
public:
    PostgresDatabase(PostgresOptions options, PostgresAddress address) : pool_(std::move(options), std::move(address))
    {}

    ~PostgresDatabase() override
    {
        pool_.queue.close();
        pool_.reachability.close();
        for (auto& thread : threads_)
            thread.join();
        // Left over when the server was away at the end.
        for (auto* left : pool_.queue.take_older(Steady::time_point::max())) {
            left->error = busy_error("the database was closed while its server was away");
            finish(*left);
        }
    }

    // Errors: the server stays away, or is not one this driver can use.
    Result<void> find_server()
    {
        const auto until = Deadline::after(pool_.options.start_wait);
        for (;;) {
            auto opened = PostgresConnection::open(pool_.address, pool_.options.statement_timeout, pool_.watchdog);
            if (opened)
                return check_server(**opened);
            if (until.passed())
                return Error(Errc::unavailable, "the database at " + pool_.address.place() +
                                                    " cannot be used: " + opened.error().detail());
            std::this_thread::sleep_for(std::min<Steady::duration>(until.left(), std::chrono::milliseconds(100)));
        }
    }

    void start()
    {
        pool_.outcomes.refresh();
        for (std::size_t i = 0; i < std::max<std::size_t>(1, pool_.options.connections); ++i)
            threads_.emplace_back([this] {
                pthread_setname_np(pthread_self(), "sql-worker");
                PostgresWorker(pool_).work();
            });
    }

    Dialect dialect() const override { return Dialect::postgres; }
    std::size_t queued() const override { return pool_.queue.size(); }
    Threads threads() const override { return {threads_.size(), pool_.queue.idle()}; }
    bool is_away() const override { return pool_.reachability.away(); }

protected:
    Result<void> submit(Unit& unit, Access access) override
    {
        // What waits now waits in vain: let whoever asks know at once.
        if (pool_.reachability.away(pool_.options.queue_wait))
            return busy_error("the database server has been away for longer than a unit may wait");
        unit.reads_only = access == Access::read;
        if (!pool_.queue.push(unit))
            return busy_error("database queue is full or closed");
        return {};
    }

private:
    Result<void> check_server(PostgresConnection& connection) const
    {
        if (connection.server_version() < oldest_server)
            return Error(Errc::unavailable,
                         "the database at " + pool_.address.place() + " is older than PostgreSQL 13, which is needed");
        const auto encoding = connection.command("SELECT current_setting('server_encoding')");
        if (!encoding)
            return encoding.error();
        if (*encoding != "UTF8")
            return Error(Errc::unavailable,
                         "the database at " + pool_.address.place() + " must have the encoding UTF8, not " + *encoding);
        return {};
    }

    PostgresPool pool_;
    std::vector<std::thread> threads_;
};

}  // namespace

Result<std::unique_ptr<Database>> open_postgres(PostgresOptions options)
{
    auto address = parse_postgres_url(options.url.reveal());
    if (!address)
        return address.error();
    auto database = std::make_unique<PostgresDatabase>(std::move(options), std::move(*address));
    if (auto found = database->find_server(); !found)
        return found.error();
    database->start();
    return std::unique_ptr<Database>(std::move(database));
}

Result<void> check_postgres_url(std::string_view url)
{
    const auto address = parse_postgres_url(url);
    return address ? Result<void>() : address.error();
}

std::string postgres_place(std::string_view url)
{
    const auto address = parse_postgres_url(url);
    return address ? address->place() : std::string();
}

}  // namespace dure::sql
