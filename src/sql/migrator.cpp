// migrate(): compare what the database has with what the binary knows, then run what is missing; see migrator.hpp.
#include "dure/sql/migrator.hpp"

#include <algorithm>
#include <map>

#include "dure/base/text.hpp"

namespace dure::sql {

namespace {

struct Applied {
    std::string name;
    std::string checksum;
};

std::string full_name(int number, std::string_view name)
{
    auto digits = std::to_string(number);
    digits.insert(0, 4 - std::min<std::size_t>(4, digits.size()), '0');
    return digits + "_" + std::string(name);
}

std::vector<Migration> of_dialect(std::span<const Migration> all, Dialect dialect)
{
    std::vector<Migration> ours;
    std::copy_if(all.begin(), all.end(), std::back_inserter(ours),
                 [dialect](const Migration& one) { return one.dialect.empty() || one.dialect == name_of(dialect); });
    std::sort(ours.begin(), ours.end(), [](const auto& a, const auto& b) { return a.number < b.number; });
    const auto twice =
        std::adjacent_find(ours.begin(), ours.end(), [](const auto& a, const auto& b) { return a.number == b.number; });
    if (twice != ours.end())
        throw InvariantBroken("two migrations have the number " + std::to_string(twice->number));
    return ours;
}

// Two replicas that start together migrate one after the other. SQLite's write lock does that by itself. A script has
// no time limit, as the other one's migrations may take theirs.
Result<void> wait_for_turn(Connection& connection)
{
    if (connection.dialect() != Dialect::postgres)
        return {};
    return connection.run_script(
        "SELECT pg_advisory_xact_lock(hashtextextended('dure migrations ' || coalesce(current_schema(), ''), 0))");
}

Result<void> make_table(Connection& connection)
{
    const auto created = connection.execute("CREATE TABLE IF NOT EXISTS schema_migrations ("
                                            "version BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, "
                                            "applied_at BIGINT NOT NULL)");
    return created ? Result<void>() : created.error();
}

Result<bool> has_table(Connection& connection)
{
    const auto table = connection.query(connection.dialect() == Dialect::sqlite
                                            ? "SELECT name FROM sqlite_master WHERE name = 'schema_migrations'"
                                            : "SELECT tablename FROM pg_tables WHERE tablename = 'schema_migrations' "
                                              "AND schemaname = current_schema()");
    if (!table)
        return table.error();
    return !table->empty();
}

Result<std::map<int, Applied>> read_applied(Connection& connection)
{
    auto rows = connection.query("SELECT version, name, checksum FROM schema_migrations ORDER BY version");
    if (!rows)
        return rows.error();
    std::map<int, Applied> applied;
    for (const auto row : *rows)
        applied[static_cast<int>(row.integer(0))] = {row.text(1), row.text(2)};
    return applied;
}

Result<void> check_history(const std::map<int, Applied>& applied, const std::vector<Migration>& known)
{
    for (const auto& entry : applied) {
        const auto name = full_name(entry.first, entry.second.name);
        const auto found = std::find_if(known.begin(), known.end(),
                                        [&entry](const Migration& one) { return one.number == entry.first; });
        if (found == known.end())
            return Error(Errc::conflict, "the database is newer than this program: it has migration " + name +
                                             "; use the program that made it, or a newer one");
        if (hex(sha256(found->text)) != entry.second.checksum)
            return Error(Errc::conflict, "migration " + name + " was applied to this database with another text");
    }
    return {};
}

Result<void> apply(Connection& connection, const Migration& migration, UnixMillis now)
{
    if (auto ran = connection.run_script(migration.text); !ran)
        return ran.error();
    auto noted = connection.execute(
        "INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES ($1, $2, $3, $4)", migration.number,
        migration.name, hex(sha256(migration.text)), now);
    if (!noted)
        return noted.error();
    return {};
}

Result<MigrationReport> migrate_in(Connection& connection, const std::vector<Migration>& known, UnixMillis now)
{
    if (auto turn = wait_for_turn(connection); !turn)
        return turn.error();
    if (auto made = make_table(connection); !made)
        return made.error();
    auto applied = read_applied(connection);
    if (!applied)
        return applied.error();
    if (auto checked = check_history(*applied, known); !checked)
        return checked.error();
    MigrationReport report;
    for (const auto& migration : known) {
        report.version = migration.number;
        if (applied->contains(migration.number))
            continue;
        if (auto done = apply(connection, migration, now); !done)
            return Error(done.error().code(), "migration " + full_name(migration.number, migration.name) + " failed")
                .detail(done.error().detail());
        report.applied.push_back(full_name(migration.number, migration.name));
    }
    return report;
}

Result<MigrationState> look_in(Connection& connection, const std::vector<Migration>& known)
{
    const auto there = has_table(connection);
    if (!there)
        return there.error();
    auto applied = *there ? read_applied(connection) : std::map<int, Applied>();
    if (!applied)
        return applied.error();
    MigrationState state;
    for (const auto& [number, one] : *applied) {
        state.applied.push_back(full_name(number, one.name));
        state.version = number;
    }
    for (const auto& migration : known)
        if (!applied->contains(migration.number))
            state.pending.push_back(full_name(migration.number, migration.name));
    if (auto checked = check_history(*applied, known); !checked)
        state.refusal = checked.error();
    return state;
}

}  // namespace

Result<MigrationReport> migrate(Database& database, std::span<const Migration> migrations, UnixMillis now)
{
    const auto known = of_dialect(migrations, database.dialect());
    return database.run_now([&](Connection& connection) { return migrate_in(connection, known, now); });
}

Result<MigrationState> look_at_migrations(Database& database, std::span<const Migration> migrations)
{
    const auto known = of_dialect(migrations, database.dialect());
    return database.run_now([&](Connection& connection) { return look_in(connection, known); });
}

}  // namespace dure::sql
