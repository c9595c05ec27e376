// What a node function sees and gives: async def node(state, runtime) in C++.
#pragma once

#include <any>
#include <functional>
#include <string>

#include "dure/base/clock.hpp"
#include "dure/base/error.hpp"
#include "dure/base/task.hpp"
#include "dure/graph/state.hpp"

namespace dure::graph {

class Emitter;

// Lives as long as the execution of the node.
class NodeContext {
public:
    NodeContext(const std::string& node, const State& state, const Value& argument, const std::any& context,
                Emitter& emitter, Deadline deadline, std::int64_t step, std::int64_t remaining)
        : node_(node), state_(state), argument_(argument), context_(context), emitter_(emitter), deadline_(deadline),
          step_(step), remaining_(remaining)
    {
    }

    // The snapshot taken before the superstep (S9).
    const State& state() const { return state_; }
    // The input of a sent task (C1); null for a task triggered by an edge.
    const Json* argument() const { return argument_.get(); }
    // The caller's services: what RunOptions::context points to (X3).
    template <class T>
    T& context() const
    {
        return *std::any_cast<T*>(context_);
    }
    const std::string& node() const { return node_; }
    std::int64_t step() const { return step_; }
    std::int64_t remaining_steps() const { return remaining_; }   // supersteps left after this one
    Deadline deadline() const { return deadline_; }

    Task<Result<void>> emit_message(Json chunk);   // mode messages, with this node as metadata
    Task<Result<void>> emit_custom(Json data);     // mode custom

private:
    const std::string& node_;
    const State& state_;
    const Value& argument_;
    const std::any& context_;
    Emitter& emitter_;
    Deadline deadline_;
    std::int64_t step_;
    std::int64_t remaining_;
};

using NodeFunction = std::function<Task<Result<Update>>(NodeContext&)>;
// Sees the state with the update of its own node applied (E4). Returns labels when the edges declare some, else nodes.
using RouteFunction = std::function<Routes(const State&)>;

}  // namespace dure::graph
