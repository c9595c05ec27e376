// The database drivers a conformance suite runs on: TEST_P over all_drivers(). Each test gets an empty database.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <semaphore>
#include <thread>

#include "dure/sql/postgres.hpp"
#include "dure/sql/sqlite.hpp"
#include "support/postgres_process.hpp"
#include "support/run_task.hpp"
#include "support/temporary_folder.hpp"

namespace dure::test {

// What every driver lets a test choose.
struct DriverLimits {
    // A busy test machine under a sanitizer is no reason to refuse.
    std::chrono::milliseconds statement_timeout{20000};
    std::chrono::milliseconds queue_wait{20000};
    std::size_t queue_limit = 4096;
    std::size_t connections = 2;   // of PostgreSQL
};

struct Driver {
    std::string name;
    std::function<std::unique_ptr<sql::Database>(const DriverLimits&)> open_empty;
    std::size_t writers = 1;   // units of work that are written side by side
};

inline std::ostream& operator<<(std::ostream& out, const Driver& driver)
{
    return out << driver.name;
}

inline std::unique_ptr<sql::Database> open_or_throw(sql::SqliteOptions options)
{
    auto opened = sql::open_sqlite(std::move(options));
    if (!opened)
        throw std::runtime_error(opened.error().message() + " " + opened.error().detail());
    return std::move(*opened);
}

inline sql::SqliteOptions sqlite_options(std::string path, const DriverLimits& limits = {})
{
    sql::SqliteOptions options;
    options.path = std::move(path);
    options.statement_timeout = limits.statement_timeout;
    options.queue_wait = limits.queue_wait;
    options.queue_limit = limits.queue_limit;
    return options;
}

inline std::unique_ptr<sql::Database> open_or_throw(sql::PostgresOptions options)
{
    auto opened = sql::open_postgres(std::move(options));
    if (!opened)
        throw std::runtime_error(opened.error().message() + " " + opened.error().detail());
    return std::move(*opened);
}

inline sql::PostgresOptions postgres_options(std::string url, const DriverLimits& limits = {})
{
    sql::PostgresOptions options;
    options.url = SecretString(std::move(url));
    options.connections = limits.connections;
    options.statement_timeout = limits.statement_timeout;
    options.queue_wait = limits.queue_wait;
    options.queue_limit = limits.queue_limit;
    return options;
}

// Empty schemas on the shared server, dropped when the program ends.
class PostgresSchemas {
public:
    // The URL of a fresh one.
    static std::string make()
    {
        static PostgresSchemas schemas;
        const auto name = "test_" + std::to_string(::getpid()) + "_" + std::to_string(schemas.names_.size());
        schemas.run("CREATE SCHEMA " + name);
        schemas.names_.push_back(name);
        const auto& url = shared_postgres_url();
        return url + (url.find('?') == std::string::npos ? "?" : "&") + "options=-c%20search_path%3D" + name;
    }

private:
    PostgresSchemas() : database_(open_or_throw(postgres_options(shared_postgres_url()))) {}
    ~PostgresSchemas()
    {
        for (const auto& name : names_)
            run("DROP SCHEMA " + name + " CASCADE");
    }
    void run(const std::string& sql)
    {
        const auto done = database_->run_now([&](sql::Connection& c) { return c.run_script(sql); });
        if (!done)
            ADD_FAILURE() << sql << ": " << done.error().detail();
    }

    std::unique_ptr<sql::Database> database_;
    std::vector<std::string> names_;
};

inline std::vector<Driver> all_drivers()
{
    return {
        {"sqlite", [](const DriverLimits& limits) { return open_or_throw(sqlite_options(":memory:", limits)); }},
        {"postgres",
         [](const DriverLimits& limits) { return open_or_throw(postgres_options(PostgresSchemas::make(), limits)); },
         2}};
}

inline std::string driver_name(const testing::TestParamInfo<Driver>& info)
{
    return info.param.name;
}

// Holds every thread that writes until release() and lets units gather behind them.
class HeldWriter {
public:
    HeldWriter(sql::Database& database, std::size_t writers)
    {
        for (std::size_t i = 0; i < writers; ++i) {
            holders_.emplace_back([this, &database] {
                const auto held = database.run_now([this](sql::Connection&) -> Result<int> {
                    started_.release();
                    go_.acquire();
                    return 1;
                });
                EXPECT_TRUE(held);
                if (!held)
                    started_.release();
            });
            started_.acquire();
        }
    }
    ~HeldWriter() { release(); }
    void release()
    {
        go_.release(static_cast<std::ptrdiff_t>(holders_.size()));
        for (auto& holder : holders_)
            holder.join();
        holders_.clear();
    }

private:
    std::counting_semaphore<> started_{0};
    std::counting_semaphore<> go_{0};
    std::vector<std::thread> holders_;
};

// A read, waited for by a loop of its own.
template <class F>
auto read_now(sql::Database& database, F work)
{
    std::optional<std::invoke_result_t<F&, sql::Connection&>> outcome;
    run([&]() -> Task<void> { outcome.emplace(co_await database.read(work)); });
    return std::move(*outcome);
}

// Declared behind the cores of a test whose fixture owns the database: its threads, which still hold the executor of what they
// have just answered, end before the cores do.
class ClosesFirst {
public:
    template <class Pointer>
    explicit ClosesFirst(Pointer& database) : close_([&database] { database.reset(); })
    {}
    ~ClosesFirst() { close_(); }
    ClosesFirst(const ClosesFirst&) = delete;
    ClosesFirst& operator=(const ClosesFirst&) = delete;

private:
    std::function<void()> close_;
};

}  // namespace dure::test
