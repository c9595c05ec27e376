// Decisions: what follows from a node that has finished: edges taken or skipped, nodes that start, nodes that never will.
#pragma once

#include <set>

#include "flows/compiler/stage.hpp"

namespace dure::flows {

class Decisions {
public:
    explicit Decisions(const Stage& stage) : stage_(stage) {}

    // The node at `place` has finished and gives out at these handles.
    void leave(std::size_t place, const std::set<std::string>& handles);
    // The node at `place` will not run: all its edges are skipped, and what hangs on them alone.
    void skip(std::size_t place);

    // Into an update of a node: the decided edges, the skipped steps, and where to go.
    void write_to(graph::Update& update) const;

private:
    void take(const PlannedEdge& edge);
    void skip_edge(const PlannedEdge& edge);
    void decide(const PlannedEdge& edge, bool taken);
    void go(std::string name);

    const Stage& stage_;
    Json edges_ = Json::object();
    Json skipped_ = Json::array();
    std::vector<std::string> targets_;
};

// How the edges into a node stand, by the channel "e".
struct Arrivals {
    std::vector<std::size_t> taken;  // places in Stage::edges, in the document's order
    std::size_t open = 0;
};
Arrivals arrivals_at(const Stage& stage, const PlannedNode& node, const graph::State& state);
// The edges that were taken when the node was started: a join need not wait for all.
std::vector<std::size_t> started_by(const Stage& stage, const PlannedNode& node, const graph::State& state);
// What the node is started by: the main output of the first edge taken.
Json input_of(const Stage& stage, const PlannedNode& node, const graph::State& state);
// What an edge carries.
Json carried_by(const Stage& stage, const PlannedEdge& edge, const graph::State& state);

// Of a node with several edges: starts it, skips it, or does nothing yet.
graph::NodeFunction gate_of(std::shared_ptr<const Stage> stage, std::size_t place);

}  // namespace dure::flows
