// Where tools come from that are not built in: tool files and OpenAPI documents of tools.directory, and MCP servers.
// Made once; it fills the registry at start and again on reload().
#pragma once

#include <memory>
#include <vector>

#include "dure/base/cores.hpp"
#include "dure/base/log.hpp"
#include "dure/config/settings.hpp"
#include "dure/http/client.hpp"
#include "dure/http/egress.hpp"
#include "dure/tools/registry.hpp"

namespace dure::tools {

struct ReloadReport {
    std::size_t tools = 0;               // in the registry now, of every source
    std::vector<LoadProblem> failed;
};

struct ToolboxParts {
    Cores& cores;
    http::Client& client;
    const http::EgressPolicy& egress;
    Registry& registry;
    Logger& logger;
    const config::Tools& settings;
};

class Toolbox {
public:
    // Adds weather and search to the registry. invalid_argument: a URL of the configuration cannot be parsed.
    static Result<std::unique_ptr<Toolbox>> make(const ToolboxParts& parts);
    ~Toolbox();   // after stop(), or before start()

    // Reads the tool files on this thread and connects the MCP servers in the background; the cores must run. Waits up to
    // `patience` for the servers' first attempts, so that their tools are usually there with the first request.
    void start(Steady::duration patience);
    // Reads the files again, lists the tools of every MCP server again. Awaited on a core; reloads go one after the other. A
    // server that has not answered after `patience` is among the failed; it goes on being asked.
    Task<ReloadReport> reload(Steady::duration patience = std::chrono::seconds(20));
    // Ends the MCP sessions and their processes; from the main thread.
    void stop(Deadline deadline);

private:
    struct State;
    explicit Toolbox(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace dure::tools
