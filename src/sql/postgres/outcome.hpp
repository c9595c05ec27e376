// OutcomeLookup: what became of a commit whose answer never came. PostgreSQL knows the fate of a transaction by its id
// (pg_xact_status), with one trap: after a crash of the server, ids that left no trace on its disk are given to others,
// and "committed" may then be said of somebody else's transaction. So the question goes to a witness, a connection that
// is kept open for this: if it is older than the transaction, no crash lies between them. A younger witness is believed
// only when it says "not committed": what was committed durably keeps its id, so this is true after a crash too.
#pragma once

#include <mutex>
#include <string>

#include "sql/postgres/connection.hpp"

namespace dure::sql {

class OutcomeLookup {
public:
    enum class Outcome { committed, rolled_back, unknown };
    struct Transaction {
        std::string id;  // pg_current_xact_id()
        int server_process = 0;
        Steady::time_point begun_at;
    };

    OutcomeLookup(const PostgresAddress& address, std::chrono::milliseconds statement_timeout, Watchdog& dog)
        : address_(address), statement_timeout_(statement_timeout), dog_(dog)
    {}

    // Opens the witness, or a new one if it is dead: called whenever a connection of the pool was made. Without one the
    // next look-up opens it.
    void refresh();
    // Blocks until the outcome is known or `until`.
    Outcome find(const Transaction& transaction, Deadline until);

private:
    bool alive();
    bool open();
    std::optional<Outcome> ask(const Transaction& transaction);
    std::optional<Outcome> judge(const Transaction& transaction, std::string_view status);
    void end_old_session(const Transaction& transaction, Steady::time_point asked_since);

    const PostgresAddress& address_;
    const std::chrono::milliseconds statement_timeout_;
    Watchdog& dog_;
    std::timed_mutex guard_;
    std::unique_ptr<PostgresConnection> witness_;
    Steady::time_point opened_at_;
};

}  // namespace dure::sql
