// Runs the tasks of one superstep on the run's own executor. A single task is awaited directly, several run side by side
// up to max_concurrency; the first failure cancels the others (F2). Reads nothing of the graph but the nodes it runs.
#pragma once

#include <any>
#include <optional>
#include <vector>

#include "dure/graph/graph.hpp"
#include "graph/algorithm.hpp"
#include "graph/emitter.hpp"

namespace dure::graph {

// What the tasks of a superstep have in common.
struct Superstep {
    const Definition& definition;
    const State& snapshot;
    const RunOptions& options;
    Emitter& emitter;
    std::int64_t step = 0;
    std::int64_t remaining = 0;
};

// How one task ended; neither member is set for one that was cancelled or not begun because a sibling failed.
struct TaskEnd {
    std::optional<FinishedTask> finished;
    std::optional<Error> failure;
};

// Ends in the order of the tasks. Throws operation_aborted when the run is cancelled, after all tasks have ended.
Task<std::vector<TaskEnd>> run_tasks(const Superstep& superstep, const std::vector<PlannedTask>& tasks);

}  // namespace dure::graph
