// How a state is shown (K3): values, what is next, the tasks with what they have come to.
#pragma once

#include "graph/algorithm.hpp"

namespace dure::graph {

// The output channels that are present (S7): what a run gives back.
Json output_values(const Definition& definition, const State& state);

// Without pending writes.
StateSnapshot snapshot_of(const Definition& definition, const std::string& thread, const Checkpoint& checkpoint,
                          const Progress& progress);

}  // namespace dure::graph
