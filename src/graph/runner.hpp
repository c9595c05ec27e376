// Runs the ready tasks of one superstep on the run's own executor. A single task is awaited directly, several run side by
// side up to max_concurrency; the first failure cancels the others (F2). Each task: attempts (attempt.cpp), then its outcome
// is durable, then it is told (D1). The last outcome of a superstep is left to the loop, which stores it with the checkpoint.
#pragma once

#include "graph/superstep.hpp"

namespace dure::graph {

// Throws operation_aborted when the run is cancelled, after all tasks have ended. An error is one of the run itself: storage
// that fails, nobody who listens.
Task<Result<void>> run_tasks(Superstep& superstep);

// What the loop does with outcomes that were left to it. Not told twice.
Task<Result<void>> tell_outcome(Superstep& superstep, SuperstepTask& task);
// Pending writes of an outcome that has not been stored.
void add_outcome(Superstep& superstep, SuperstepTask& task, Batch& into);

// attempt.cpp: executes the task until it has an outcome: retries, timeouts, error handler, cache.
Task<Result<void>> execute_task(Superstep& superstep, SuperstepTask& task);

// subgraph.cpp: the node is a compiled graph. Its outcome is written into the task.
Task<Result<Update>> execute_subgraph(TaskExecution& execution);

// With what the node sees (S7).
Task<Result<void>> tell_start(TaskExecution& execution);

}  // namespace dure::graph
