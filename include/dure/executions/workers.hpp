// Workers: take executions from their rows and run them, on every core of the process (runs/worker.hpp): claims under a lease,
// so that any replica may take any execution, and recovery is the same claim. Also looks after what nobody asks for.
//   Workers workers(service, node_services, cores, …); workers.start(); … workers.stop(deadline);
#pragma once

#include <memory>

#include "dure/base/cores.hpp"
#include "dure/executions/service.hpp"
#include "dure/flows/compiler.hpp"
#include "dure/runs/worker.hpp"

namespace dure::executions {

struct WorkersOptions {
    std::size_t workers = 0;  // 0: one per core; each works on one core
    std::size_t most_runs = 5120;  // at once, of all workers together
    std::size_t claim_ahead = 32;  // of each worker, before they work: when it dies, the others can be taken at once
    std::chrono::milliseconds lease{15'000};
    bool only_process = false;  // what the last process held is taken over at once (SQLite)
};

class Workers {
public:
    // All outlive it; the service's journal publishes on `bus`.
    Workers(ExecutionService& service, flows::NodeServices& nodes, events::Bus& bus, Cores& cores,
            WorkersOptions options);
    ~Workers();  // stop() was called, or start() never

    // When the cores run.
    void start();
    // Takes no more; runs stop at their next boundary and go back into the queue, at the deadline they are cancelled. Blocks:
    // not on a core.
    void stop(Deadline deadline);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace dure::executions
