// How the updates of one superstep become the new state (S1–S6, S10). Pure, like the rest of the algorithm.
#pragma once

#include <string_view>
#include <vector>

#include "graph/algorithm.hpp"

namespace dure::graph {

struct Write {
    std::string_view node;
    const Json* values = nullptr;   // an object, or null for nothing
};

// Writes in P1 order. What changed; an error leaves the state as it was. Ephemeral channels lose their old value.
Result<Changes> fold(const Definition& definition, State& state, const std::vector<Write>& writes, Warnings& warnings);

}  // namespace dure::graph
