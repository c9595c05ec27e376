// Rights: what a person may do now, for work that goes on without a request of theirs (runs of flows). Read from the database
// each time: a role that was taken away counts at the next question.
#pragma once

#include <string>
#include <vector>

#include "dure/base/error.hpp"
#include "dure/base/task.hpp"
#include "dure/config/settings.hpp"

namespace dure::sql {
class Database;
}

namespace dure::auth {

// Thread-safe; awaited on a core. The database outlives it.
class Rights {
public:
    Rights(sql::Database& database, const config::Auth& settings) : database_(database), accounts_(settings.accounts) {}

    // Permissions of the user's role. permission_denied: there is no such user any more, or not an active one. Without accounts
    // everybody is the built-in local developer.
    Task<Result<std::vector<std::string>>> of(std::string user_id) const;

private:
    sql::Database& database_;
    const bool accounts_;
};

}  // namespace dure::auth
