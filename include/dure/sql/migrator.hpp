// Brings a database to the state the binary was built for: numbered scripts, forward only, all of them in one
// transaction that holds the database's write lock. A database with a migration this binary does not know (it is
// newer) or knows with another text is refused and left untouched.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dure/base/clock.hpp"
#include "dure/sql/database.hpp"

namespace dure::sql {

struct Migration {
    int number = 0;
    std::string_view name;
    std::string_view dialect;   // "sqlite", "postgres", or empty: both
    std::string_view text;
};

struct MigrationReport {
    std::vector<std::string> applied;   // "0001_accounts"
    int version = 0;                    // number of the newest migration in the database
};

// conflict: newer database or changed migration; the message says which. Blocks; not for a core.
Result<MigrationReport> migrate(Database& database, std::span<const Migration> migrations, UnixMillis now);

struct MigrationState {
    std::vector<std::string> applied;   // all that the database has
    std::vector<std::string> pending;   // that migrate() would apply
    std::optional<Error> refusal;       // what migrate() would refuse the database for
    int version = 0;
};

// What migrate() would find and do; nothing is changed. Blocks.
Result<MigrationState> look_at_migrations(Database& database, std::span<const Migration> migrations);

}  // namespace dure::sql
