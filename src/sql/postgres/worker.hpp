// PostgresWorker: one thread of the pool with its connection. Takes the oldest unit, runs it in a transaction, tells
// its caller; what could not be run for no fault of the unit goes back to the head of the queue. Writes that share a transaction
// (Database::write_together) are run one after the other in one, then what they put off to its end, then the commit: the lock of the order
// of events is held over one commit for all of them. When anything of it fails, nothing was done, and each goes back to the queue, to be run
// alone by whoever is free. What shares does not wait long for a row: a group holds others, perhaps those that who holds this one waits for,
// and one that is alone holds a place of the few workers that share.
#pragma once

#include "dure/sql/postgres.hpp"
#include "sql/postgres/connection.hpp"
#include "sql/postgres/outcome.hpp"
#include "sql/postgres/reachability.hpp"
#include "sql/postgres/work_queue.hpp"
#include "sql/unit_queue.hpp"

namespace dure::sql {

// What the workers of one pool share.
struct PostgresPool {
    PostgresPool(PostgresOptions given, PostgresAddress place);

    const PostgresOptions options;
    const PostgresAddress address;
    WorkQueue queue;
    Reachability reachability;
    Watchdog watchdog;  // its thread uses the queue
    OutcomeLookup outcomes;
};

class PostgresWorker {
public:
    explicit PostgresWorker(PostgresPool& pool);

    // Until the queue is closed and drained, or closed while the server is away.
    void work();

private:
    enum class Verdict {
        settled,  // the unit has its outcome
        unstarted,  // the connection was gone before the unit began
        again,  // rolled back; run it once more on this connection
        apart,  // rolled back; it waits for a row of somebody else, and is run again as one that does not share
        lost,  // rolled back, and the connection is gone
    };

    // Until there is a connection; false: the pool was closed meanwhile.
    bool connect();
    void serve(Unit& unit);
    void serve_group(const std::vector<Unit*>& units);
    // To the queue, as if it had not been run.
    void give_back(Unit& unit);
    // False: nothing was done.
    bool run_group(const std::vector<Unit*>& units);
    bool run_units(const std::vector<Unit*>& units);
    bool commit_group(const std::vector<Unit*>& units);
    Verdict run_once(Unit& unit);
    bool begin(const Unit& unit);
    Verdict commit(Unit& unit);
    Verdict look_up(Unit& unit);
    Verdict failed(Unit& unit, const PostgresFailure& failure, bool gave_value);
    bool roll_back();

    PostgresPool& pool_;
    std::unique_ptr<PostgresConnection> connection_;
    OutcomeLookup::Transaction transaction_;
    std::size_t group_limit_;
    std::uint64_t nudges_ = 0;
    bool was_connected_ = false;
};

}  // namespace dure::sql
