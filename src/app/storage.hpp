// The database of the process, opened and (but to inspect it) brought up to date: used by the server and by the administrative commands.
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
    serve,  // alone on an embedded file: a second server is refused
    administer,  // beside a running server
    inspect,  // nothing is changed: it is not brought up to date either
};

struct Storage {
    std::optional<sql::FileLock> lock;
    std::unique_ptr<sql::Database> database;
    sql::MigrationReport migrations;
    std::string description;  // "sqlite data/dure.db", "postgresql host:port/name"; for the start-up line
    std::string folder;  // where the embedded files are; empty: there are none
};

// What the storage tells while the process runs, from its own threads.
struct StorageReports {
    std::function<void(std::string_view detail)> on_fatal = {};  // an embedded file could not confirm a commit: stop
    std::function<void(bool reachable, std::string_view detail)> on_reachability = {};  // a server went away or is back
};

// Errors say in one sentence what is wrong (a locked file, a server that is away, a newer database), without
// credentials.
Result<Storage> open_storage(const config::Settings& settings, DatabaseUse use, const StorageReports& reports);

}  // namespace dure::app
