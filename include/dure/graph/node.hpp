// What a node function sees and gives: async def node(state, runtime) in C++.
#pragma once

#include <any>
#include <functional>
#include <string>

#include "dure/base/clock.hpp"
#include "dure/base/error.hpp"
#include "dure/base/task.hpp"
#include "dure/graph/policy.hpp"
#include "dure/graph/state.hpp"

namespace dure::graph {

class TaskExecution;
class Store;

// Lives as long as the execution of the node.
class NodeContext {
public:
    explicit NodeContext(TaskExecution& execution) : execution_(execution) {}

    // The snapshot taken before the superstep (S9), limited to the node's input channels (S7).
    const State& state() const;
    // The input of a sent task (C1); null for a task triggered by an edge.
    const Json* argument() const;
    // The caller's services: what RunOptions::context points to (X3).
    template <class T>
    T& context() const
    {
        return *std::any_cast<T*>(services());
    }
    const std::string& node() const;
    std::int64_t step() const;               // number of the superstep on its thread
    std::int64_t remaining_steps() const;    // supersteps left after this one (P6)
    int attempt() const;                     // 1, 2 …
    const std::string& task_id() const;      // D5
    const std::string& run_id() const;
    const std::string& thread_id() const;    // empty without a thread
    const std::string& ns() const;           // G2
    Store* store() const;                    // null when the run has none
    // For the j-th call that leaves the process (D6): the same when the task is executed again.
    std::string idempotency_key(std::string_view call) const;
    Deadline deadline() const;

    Task<Result<void>> emit_message(Json chunk);   // mode messages, with this node as metadata
    Task<Result<void>> emit_custom(Json data);     // mode custom
    void heartbeat();                              // refreshes the idle timeout (F5)

    // Asks a person (I2): gives the answer if there is one; else an error, INTERRUPTED, which the node returns at once. On
    // resume the node runs again from its start and its k-th call gives the k-th answer (I3). MISSING_CHECKPOINTER (I9).
    Task<Result<Json>> interrupt(Json value);

    // Runs `work` once: its result is durable under (task, name), and given back without running it when the task is
    // executed again (D7). An error is not kept. invalid_argument: the name was used before in this execution.
    Task<Result<Json>> step(std::string name, std::function<Task<Result<Json>>()> work);

private:
    const std::any& services() const;

    TaskExecution& execution_;
};

using NodeFunction = std::function<Task<Result<Update>>(NodeContext&)>;
// Sees the state with the update of its own node applied (E4). Returns labels when the edges declare some, else nodes.
// Its error is the failure of the node (E5).
using RouteFunction = std::function<Result<Routes>(const State&)>;

}  // namespace dure::graph
