// Writes a Batch (and the events told meanwhile) in one transaction: on SQLite row by row with prepared statements, on
// PostgreSQL as one statement over JSON parameters. Writing the same again changes nothing.
#pragma once

#include <span>

#include "dure/graph/checkpointer.hpp"
#include "dure/runs/run.hpp"
#include "dure/sql/connection.hpp"

namespace dure::runs {

struct BatchToWrite {
    const std::string& thread;
    const graph::Batch& batch;
    const Fence& fence;
    std::span<const RunEvent> events;
};

Error lease_lost();

// True: the whole batch is one statement on this dialect, fit for Database::write_statement().
bool is_one_statement(sql::Dialect dialect, const graph::Batch& batch);

// LEASE_LOST: another worker holds the run; nothing was written.
Result<void> write_batch(sql::Connection& connection, const BatchToWrite& what);

}  // namespace dure::runs
