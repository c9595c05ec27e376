// Opens the configured database; the only place that names a driver. See storage.hpp.
#include "app/storage.hpp"

#include <algorithm>
#include <filesystem>
#include <set>

#include "dure/base/clock.hpp"
#include "dure/sql/postgres.hpp"
#include "dure/sql/sqlite.hpp"
#include "dure/store/migrations.hpp"

namespace dure::app {

namespace {

std::string migration_name(std::int64_t number, std::string_view name)
{
    const auto digits = std::to_string(number);
    return std::string(4 - std::min<std::size_t>(4, digits.size()), '0') + digits + "_" + std::string(name);
}

struct Inspection {
    sql::MigrationReport there;
    std::set<std::int64_t> numbers;
};

// What the database says of itself, without changing it. An empty one is at version 0.
Result<Inspection> applied_migrations(sql::Connection& connection)
{
    const auto table = connection.query(connection.dialect() == sql::Dialect::sqlite
                                            ? "SELECT name FROM sqlite_master WHERE name = 'schema_migrations'"
                                            : "SELECT tablename FROM pg_tables WHERE tablename = "
                                              "'schema_migrations' AND schemaname = current_schema()");
    if (!table)
        return table.error();
    Inspection found;
    if (table->size() == 0)
        return found;
    const auto rows = connection.query("SELECT version, name FROM schema_migrations ORDER BY version");
    if (!rows)
        return rows.error();
    for (const auto row : *rows) {
        found.numbers.insert(row.integer(0));
        found.there.version = static_cast<int>(row.integer(0));
        found.there.applied.push_back(migration_name(row.integer(0), row.text(1)));
    }
    return found;
}

// Beside what is there, what a start of this program would add. A newer database is not refused: to be looked at is all it is
// opened for.
Result<void> inspect(Storage& storage)
{
    auto found = storage.database->run_now(applied_migrations);
    if (!found)
        return found.error();
    const auto dialect = sql::name_of(storage.database->dialect());
    for (const auto& known : store::migrations())
        if ((known.dialect.empty() || known.dialect == dialect) && found->numbers.erase(known.number) == 0)
            storage.pending.push_back(migration_name(known.number, known.name));
    storage.newer = !found->numbers.empty();
    storage.migrations = std::move(found->there);
    return {};
}

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
        const auto parent = std::filesystem::path(options.path).parent_path();
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

}  // namespace

Result<Storage> open_storage(const config::Settings& settings, DatabaseUse use, const StorageReports& reports)
{
    auto storage = settings.sqlite() ? open_file(settings, use, reports) : open_server(settings, reports);
    if (!storage)
        return storage;
    if (use == DatabaseUse::inspect) {
        if (auto inspected = inspect(*storage); !inspected)
            return inspected.error();
        return storage;
    }
    auto report = sql::migrate(*storage->database, store::migrations(), SystemClock().now());
    if (!report)
        return report.error();
    storage->migrations = std::move(*report);
    return storage;
}

}  // namespace dure::app
