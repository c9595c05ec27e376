// LocalHouse: models and tools of the configuration without a server, for commands that work on flows. No database, no accounts:
// who runs the command may do everything.
#pragma once

#include <memory>

#include "dure/base/cores.hpp"
#include "dure/base/log.hpp"
#include "dure/http/client.hpp"
#include "dure/http/egress.hpp"
#include "dure/llm/gateway.hpp"
#include "dure/metrics/registry.hpp"
#include "dure/tools/registry.hpp"
#include "dure/tools/toolbox.hpp"

namespace dure::app {

class LocalHouse {
public:
    // Starts the core and connects the tool servers; the settings outlive it.
    static Result<std::unique_ptr<LocalHouse>> make(const config::Settings& settings);
    ~LocalHouse();
    LocalHouse(const LocalHouse&) = delete;
    LocalHouse& operator=(const LocalHouse&) = delete;

    Logger logger;
    metrics::Registry metrics;
    Cores cores{1};
    http::Client client;
    http::EgressPolicy egress;
    llm::Gateway gateway;
    tools::Registry tools;

private:
    LocalHouse(const config::Settings& settings, http::EgressPolicy policy);

    std::unique_ptr<tools::Toolbox> toolbox_;
};

}  // namespace dure::app
