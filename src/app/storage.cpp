// Opens the configured database; the only place that names a driver. See storage.hpp.
#include "app/storage.hpp"

#include <filesystem>

#include "dure/base/clock.hpp"
#include "dure/sql/connection.hpp"
#include "dure/sql/postgres.hpp"
#include "dure/sql/sqlite.hpp"
#include "dure/store/migrations.hpp"

namespace dure::app {

namespace {

// The lock file comes before the database; both live in a folder of the owner's alone.
Result<void> make_folder_of(const std::string& path)
{
    const auto folder = std::filesystem::path(path).parent_path();
    if (folder.empty())
        return {};
    std::error_code failed;
    if (std::filesystem::create_directories(folder, failed))
        std::filesystem::permissions(folder, std::filesystem::perms::owner_all, failed);
    if (failed)
        return Error(Errc::unavailable, "cannot create " + folder.string() + ": " + failed.message());
    return {};
}

Result<Storage> open_file(const config::Settings& settings, DatabaseUse use, const StorageReports& reports)
{
    Storage storage;
    sql::SqliteOptions options;
    options.path = settings.sqlite_path();
    options.statement_timeout = settings.database.statement_timeout;
    if (settings.database.pool > 0)
        options.readers = static_cast<std::size_t>(settings.database.pool);
    options.on_fatal = reports.on_fatal;
    if (use == DatabaseUse::serve && !settings.in_memory()) {
        if (auto made = make_folder_of(options.path); !made)
            return made.error();
        auto lock = sql::lock_exclusively(options.path);
        if (!lock)
            return lock.error();
        storage.lock.emplace(std::move(*lock));
    }
    storage.description = "sqlite " + options.path;
    if (!settings.in_memory()) {
        std::error_code absent;   // a new file, which is no link
        const auto real = std::filesystem::canonical(options.path, absent);
        const auto parent = (absent ? std::filesystem::path(options.path) : real).parent_path();
        storage.folder = parent.empty() ? "." : parent.string();
    }
    auto database = sql::open_sqlite(std::move(options));
    if (!database)
        return database.error();
    storage.database = std::move(*database);
    return storage;
}

Result<Storage> open_server(const config::Settings& settings, const StorageReports& reports)
{
    Storage storage;
    sql::PostgresOptions options;
    options.url = settings.database.url;
    options.statement_timeout = settings.database.statement_timeout;
    if (settings.database.pool > 0)
        options.connections = static_cast<std::size_t>(settings.database.pool);
    options.on_reachability = reports.on_reachability;
    storage.description = "postgresql " + sql::postgres_place(settings.database.url.reveal());
    auto database = sql::open_postgres(std::move(options));
    if (!database)
        return database.error();
    storage.database = std::move(*database);
    return storage;
}

// What the operator can do is said where the file's name is known.
Error with_advice(const Error& error, const config::Settings& settings)
{
    if (error.reason() != sql::damaged_database)
        return error;
    return Error(error.code(),
                 "the file " + settings.sqlite_path() +
                     " is no SQLite database, or is damaged: restore it from a backup, or let database.url "
                     "(DATABASE_URL) name another file")
        .reason(error.reason())
        .detail(error.detail());
}

}  // namespace

Result<Storage> open_storage(const config::Settings& settings, DatabaseUse use, const StorageReports& reports)
{
    auto storage = settings.sqlite() ? open_file(settings, use, reports) : open_server(settings, reports);
    if (!storage)
        return with_advice(storage.error(), settings);
    if (use == DatabaseUse::inspect)
        return storage;
    auto report = sql::migrate(*storage->database, store::migrations(), SystemClock().now());
    if (!report)
        return with_advice(report.error(), settings);
    storage->migrations = std::move(*report);
    return storage;
}

}  // namespace dure::app
