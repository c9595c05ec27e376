// The PostgreSQL driver's public face. A pool of connections with a thread each takes units first come, first served;
// every unit is one transaction: read units see one snapshot and may change nothing, write units run at READ COMMITTED,
// so a unit that decides by what it read locks the row or makes the change conditional. A unit whose transaction was
// lost or could not be serialised is run again; a commit whose answer was lost is looked up on another connection
// before anybody is told.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "dure/base/error.hpp"
#include "dure/base/secret.hpp"
#include "dure/sql/database.hpp"

namespace dure::sql {

struct PostgresOptions {
    SecretString url;  // postgresql://user:password@host:port/database?sslmode=…; parts in %XX where needed
    std::size_t connections = 8;  // and one more that looks up lost commits
    std::chrono::milliseconds statement_timeout{5000};
    // A unit that waited longer is refused: unavailable. Short enough that a refusal is out within two seconds.
    std::chrono::milliseconds queue_wait{1200};
    std::size_t queue_limit = 4096;
    // For the answer to a commit that was cut off; at most what is left of queue_wait, and a little more.
    std::chrono::milliseconds outcome_wait{5000};
    std::chrono::milliseconds start_wait{5000};  // for a server that is not there yet when the database is opened
    // The server went away (with the reason) or is back; called from the driver's threads.
    std::function<void(bool reachable, std::string_view detail)> on_reachability;
};

// Needs PostgreSQL 13 or newer with UTF-8. Errors: invalid_argument for a wrong URL, unavailable for a server that
// cannot be used; the message says why and never holds a credential.
Result<std::unique_ptr<Database>> open_postgres(PostgresOptions options);

// Whether open_postgres() can read the URL; the message never holds a credential.
Result<void> check_postgres_url(std::string_view url);

// "host:port/database" of a URL, without credentials; empty when it is none.
std::string postgres_place(std::string_view url);

}  // namespace dure::sql
