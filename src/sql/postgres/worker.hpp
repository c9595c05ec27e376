// PostgresWorker: one thread of the pool with its connection. Takes the oldest unit, runs it in a transaction, tells
// its caller; what could not be run for no fault of the unit goes back to the head of the queue.
#pragma once

#include "dure/sql/postgres.hpp"
#include "sql/postgres/connection.hpp"
#include "sql/postgres/outcome.hpp"
#include "sql/postgres/reachability.hpp"
#include "sql/unit_queue.hpp"

namespace dure::sql {

// What the workers of one pool share.
struct PostgresPool {
    PostgresPool(PostgresOptions given, PostgresAddress place);

    const PostgresOptions options;
    const PostgresAddress address;
    UnitQueue queue;
    Reachability reachability;
    Watchdog watchdog;  // its thread uses the queue
    OutcomeLookup outcomes;
};

class PostgresWorker {
public:
    explicit PostgresWorker(PostgresPool& pool) : pool_(pool) {}

    // Until the queue is closed and drained, or closed while the server is away.
    void work();

private:
    enum class Verdict {
        settled,  // the unit has its outcome
        unstarted,  // the connection was gone before the unit began
        again,  // rolled back; run it once more on this connection
        lost,  // rolled back, and the connection is gone
    };

    bool connect();
    void serve(Unit& unit);
    Verdict run_once(Unit& unit);
    bool begin(const Unit& unit);
    Verdict commit(Unit& unit);
    Verdict look_up(Unit& unit);
    Verdict failed(Unit& unit, const PostgresFailure& failure, bool gave_value);
    bool roll_back();

    PostgresPool& pool_;
    std::unique_ptr<PostgresConnection> connection_;
    OutcomeLookup::Transaction transaction_;
};

}  // namespace dure::sql
