// See flow_nodes.hpp.
#include "app/flow_nodes.hpp"

#include <algorithm>

namespace dure::app {

namespace {

Task<Result<tools::Caller>> tool_caller(const auth::Rights& rights, std::string owner)
{
    auto permissions = co_await rights.of(owner);
    if (!permissions)
        co_return permissions.error();
    tools::Caller caller;
    caller.user_id = std::move(owner);
    caller.may_execute =
        std::find(permissions->begin(), permissions->end(), tools::execute_permission) != permissions->end();
    caller.permissions = std::move(*permissions);
    co_return caller;
}

Task<Result<void>> tell_tool_run(events::AccessAudit& audit, const flows::RunFacts& facts, nodes::ToolRun run)
{
    model::Actor actor;
    actor.user_id = facts.owner;
    actor.request_id = facts.execution_id;
    std::vector<events::ToolRun> runs;
    runs.push_back({std::move(run.name), std::move(run.arguments), run.success, run.duration_ms, run.approved});
    co_return co_await audit.tool_runs(std::move(actor), std::move(runs));
}

}  // namespace

FlowNodes::FlowNodes(Parts parts) : rights_(parts.database, parts.settings.auth)
{
    services_ = std::make_unique<nodes::Services>(
        nodes::Parts{parts.gateway, parts.tools, parts.client, parts.egress, parts.logger, parts.settings, parts.clock,
                     [this](std::string owner) { return tool_caller(rights_, std::move(owner)); },
                     [&usage = parts.usage](model::UsageRow row) -> Task<void> { co_await usage.add(std::move(row)); },
                     [&audit = parts.audit](const flows::RunFacts& facts, nodes::ToolRun run) {
                         return tell_tool_run(audit, facts, std::move(run));
                     }});
}

}  // namespace dure::app
