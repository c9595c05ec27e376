// The semantics of a run as pure functions over values: what runs next, where a task leads, how updates become state.
// No clock, no thread, no I/O: same arguments, same result (N1, N2).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "dure/base/error.hpp"
#include "graph/definition.hpp"

namespace dure::graph {

// One execution of one node in a superstep.
struct PlannedTask {
    std::size_t node = 0;
    Value argument;                    // of a sent task; null: triggered by an edge
};

// Everything that moves during a run; with the step number this is what a checkpoint holds.
struct Progress {
    explicit Progress(const Definition& definition);

    State state;
    std::vector<bool> triggered;                  // by node
    std::vector<std::vector<bool>> arrived;       // by waiting edge, by its from
    std::vector<PlannedTask> sent;                // in Send order (C2)
};

// Where a finished task leads: conditional edges and goto; plain and waiting edges follow from the node itself.
struct Destinations {
    std::vector<std::size_t> nodes;
    std::vector<PlannedTask> sends;
};

struct FinishedTask {
    std::size_t node = 0;
    Update update;
    Destinations destinations;
};

using Warnings = std::vector<std::string>;

// Takes what is ready out of the progress, in P1 order; deferred nodes only when nothing else is (E3). Empty: the end.
std::vector<PlannedTask> plan(const Definition& definition, Progress& progress);

// E4–E6: routes on the snapshot with the task's own update applied. Errors: INVALID_DESTINATION, S6, S4–S5 of one task.
Result<Destinations> destinations_of(const Definition& definition, const State& snapshot, std::size_t node,
                                     const Update& update);

// Folds the finished tasks, given in P1 order, and triggers what follows. True when a channel was written. An error
// leaves the progress as it was (S10).
Result<bool> apply(const Definition& definition, Progress& progress, const std::vector<FinishedTask>& finished,
                   Warnings& warnings);

// The START step: input into channels (S7), entry edges and conditions into triggers.
Result<void> accept_input(const Definition& definition, Progress& progress, const Json& input);

}  // namespace dure::graph
