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
    std::chrono::milliseconds timeout{0};   // of a sent task, over the node's own
};

// Everything that moves during a run; with the step number this is what a checkpoint holds.
struct Progress {
    explicit Progress(const Definition& definition);

    State state;
    std::vector<bool> triggered;                  // by node
    std::vector<std::vector<bool>> arrived;       // by waiting edge, by its from
    std::vector<PlannedTask> sent;                // in Send order (C2)
    std::vector<std::size_t> wrote;               // nodes of the superstep that led here (K5)
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

// What a superstep did to one channel. Updates point into the finished tasks.
struct ChannelChange {
    std::size_t channel = 0;
    bool whole = true;                   // replaced; else `updates` were folded into it in place
    std::vector<const Json*> updates;
};
using Changes = std::vector<ChannelChange>;

// Takes what is ready out of the progress, in P1 order; deferred nodes only when nothing else is (E3). Empty: the end.
std::vector<PlannedTask> plan(const Definition& definition, Progress& progress);

// E4–E6: routes on the snapshot with the task's own update applied. Errors: INVALID_DESTINATION, S6, S4–S5 of one task.
// The state is afterwards as it was. `alone`: nobody reads it meanwhile, so that nothing needs to be copied.
Result<Destinations> destinations_of(const Definition& definition, State& state, std::size_t node,
                                     const Update& update, bool alone);

// Folds the finished tasks, given in P1 order, and triggers what follows. An error leaves the progress as it was (S10).
Result<Changes> apply(const Definition& definition, Progress& progress, const std::vector<const FinishedTask*>& finished,
                   Warnings& warnings);

// The part of an input that its channels take (S7): EMPTY_INPUT when there is none.
Result<Json> known_input(const Definition& definition, const Json& input);
// The START step: the known input into channels, entry edges and conditions into triggers. Open tasks are dropped (I8).
Result<Changes> accept_input(const Definition& definition, Progress& progress, const Json& known, Warnings& warnings);
// C5: an update from outside, and what it starts; nothing else is next.
Result<Changes> apply_command(const Definition& definition, Progress& progress, const Update& update, Warnings& warnings);
// K5: as if the node had returned it, in place of what the superstep's unfinished tasks would have.
Result<Changes> apply_as(const Definition& definition, Progress& progress, std::size_t node, const Update& update,
                         Warnings& warnings);
// Nothing is next any more.
void drop_open(Progress& progress);

}  // namespace dure::graph
