// Services: what nodes of flows ask the world for. One call per node: a model's answer (llm, extract, router), an agent with tools, a
// team under a supervisor, a tool, an HTTP request. Finished model and tool calls of agents and teams are kept as steps of the
// task (graph D7): a repeat after a crash does not do them again, and an unfinished tool call has the same idempotency key.
//
// Errors that a node's policy tells apart, by code: timeout · rate_limited · upstream_failed and unavailable (upstream) · everything
// else is the flow's own fault (invalid_argument, not_found, permission_denied, …) and a repeat would not help.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "dure/base/clock.hpp"
#include "dure/base/log.hpp"
#include "dure/config/settings.hpp"
#include "dure/flows/compiler.hpp"
#include "dure/http/client.hpp"
#include "dure/http/egress.hpp"
#include "dure/llm/gateway.hpp"
#include "dure/model/records.hpp"
#include "dure/tools/registry.hpp"

namespace dure::nodes {

// A tool that ran, for the audit.
struct ToolRun {
    std::string name;
    std::string arguments;  // JSON text as it was sent; only a hash of it may be stored
    bool success = false;
    bool approved = false;  // a person was asked for this very call
    std::int64_t duration_ms = 0;
};

struct Parts {
    llm::Gateway& gateway;
    tools::Registry& tools;
    http::Client& client;
    const http::EgressPolicy& egress;
    Logger& logger;
    const config::Settings& settings;
    const Clock& clock;
    // What the owner of a run may do now: may_execute and permissions; RunFacts::rights narrow it. An error: no tool can be used.
    std::function<Task<Result<tools::Caller>>(std::string owner)> rights;
    // One row per model call, however it ended, charged to the run's owner; null: nobody counts.
    std::function<Task<void>(model::UsageRow)> usage = {};
    // After each tool run, before its result is used; an error fails the node, and only the telling is repeated. Null: no audit.
    std::function<Task<Result<void>>(const flows::RunFacts& facts, ToolRun run)> tool_ran = {};
};

// Thread-safe.
class Services final : public flows::NodeServices {
public:
    explicit Services(Parts parts);  // what it refers to outlives it
    ~Services() override;

    Task<Result<Json>> call(flows::NodeCall call) override;
    // [flows] variables and secrets_env of the configuration: the operator's, the same for every owner.
    std::optional<Json> variable(std::string_view owner, std::string_view name) override;
    std::optional<std::string> secret(std::string_view owner, std::string_view name) override;

    struct State;

private:
    std::unique_ptr<State> state_;
};

}  // namespace dure::nodes
