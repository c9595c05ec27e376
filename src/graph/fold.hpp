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

// The same for as long as it lives, then the state is as it was. What is only added to an array is not copied for that: the
// state must be nobody else's meanwhile.
class MomentaryFold {
public:
    explicit MomentaryFold(State& state) : state_(state) {}
    ~MomentaryFold();
    MomentaryFold(const MomentaryFold&) = delete;
    MomentaryFold& operator=(const MomentaryFold&) = delete;

    Result<void> apply(const Definition& definition, const std::vector<Write>& writes);

private:
    bool lengthen(const Reducer& reducer, std::size_t channel, const std::vector<const Json*>& updates);

    State& state_;
    std::vector<std::pair<std::size_t, std::size_t>> lengthened_;  // channel, size before
    std::vector<std::pair<std::size_t, Value>> replaced_;  // channel, value before
};

}  // namespace dure::graph
