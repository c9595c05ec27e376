// Undoing a run (F7, X4 rollback): what it made is removed, and what stood open on its thread when it began is open again: a
// run that answers a question writes to the checkpoint of the run that asked. Parts of a unit of work.
#pragma once

#include "dure/runs/run.hpp"
#include "dure/sql/database.hpp"

namespace dure::runs {

// Before a claimed run does anything. Kept until the thread's next run that finds something open, or the thread is removed.
Result<void> keep_for_rollback(sql::Connection& connection, const Run& run);
// The thread is as before the run.
Result<void> roll_back(sql::Connection& connection, const Run& run);

}  // namespace dure::runs
