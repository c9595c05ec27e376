// What runs flows in this process: the executions service over the flow service, the compiler, the sessions' memory, and the
// workers that take executions from their rows. Also posts the webhooks of runs that ended.
#pragma once

#include <memory>

#include "dure/base/cores.hpp"
#include "dure/executions/service.hpp"
#include "dure/executions/workers.hpp"
#include "dure/flows/service.hpp"
#include "dure/http/client.hpp"
#include "dure/http/egress.hpp"
#include "dure/runs/runs.hpp"
#include "dure/sessions/service.hpp"

namespace dure::app {

class FlowRunning {
public:
    struct Parts {
        sql::Database& database;
        events::Journal& journal;
        events::Bus& bus;
        flows::FlowService& flows;
        flows::NodeServices& nodes;
        sessions::SessionService& sessions;
        const config::Settings& settings;
        const Clock& clock;
        Logger& logger;
        Cores& cores;
        http::Client& client;
        const http::EgressPolicy& egress;
    };
    // All outlive it.
    explicit FlowRunning(Parts parts);
    ~FlowRunning();

    executions::ExecutionService& executions();
    // When the cores run.
    void start();
    // Runs stop at their next boundary and go back into the queue. Blocks: not on a core.
    void stop(Deadline deadline);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace dure::app
