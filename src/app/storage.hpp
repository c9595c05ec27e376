// The database of the process, opened and brought up to date: used by the server and by the administrative commands.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "dure/base/error.hpp"
#include "dure/config/settings.hpp"
#include "dure/sql/database.hpp"
#include "dure/sql/file_lock.hpp"
#include "dure/sql/migrator.hpp"

namespace dure::app {

enum class DatabaseUse {
    serve,       // alone on an embedded file: a second server is refused
    administer,  // beside a running server
    inspect,     // nothing is changed: `migrations` says what is there
};

struct Storage {
    std::optional<sql::FileLock> lock;
    std::unique_ptr<sql::Database> database;
    sql::MigrationReport migrations;
    std::string description;   // "sqlite data/dure.db", for the start-up line
};

// Errors say in one sentence what is wrong (a driver that is not built, a locked file, a newer database).
Result<Storage> open_storage(const config::Settings& settings, DatabaseUse use,
                             std::function<void(std::string_view)> on_fatal);

}  // namespace dure::app
