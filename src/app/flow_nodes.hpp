// Nodes of flows in this process: Services with what the house has: rights of people, usage rows, the audit.
#pragma once

#include <memory>

#include "dure/auth/rights.hpp"
#include "dure/events/access_audit.hpp"
#include "dure/nodes/services.hpp"
#include "dure/store/usage_writer.hpp"

namespace dure::app {

class FlowNodes {
public:
    struct Parts {
        llm::Gateway& gateway;
        tools::Registry& tools;
        http::Client& client;
        const http::EgressPolicy& egress;
        Logger& logger;
        const config::Settings& settings;
        const Clock& clock;
        sql::Database& database;
        store::UsageWriter& usage;
        events::AccessAudit& audit;
    };
    // All outlive it.
    explicit FlowNodes(Parts parts);

    flows::NodeServices& services() { return *services_; }

private:
    auth::Rights rights_;
    std::unique_ptr<nodes::Services> services_;
};

}  // namespace dure::app
