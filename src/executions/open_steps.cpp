// See open_steps.hpp.
#include "executions/open_steps.hpp"

#include "executions/execution_events.hpp"

namespace dure::executions {

Result<UsedByTask> used_by_open_steps(sql::Connection& connection, const std::string& execution)
{
    // One that failed and may has an output.
    const auto rows = connection.query(
        "SELECT task_id, tokens, cost_nano FROM execution_steps WHERE execution_id = $1 AND status IN ('waiting', "
        "'failed', 'cancelled') AND output = 'null' AND (tokens > 0 OR cost_nano > 0)",
        execution);
    if (!rows)
        return rows.error();
    UsedByTask used;
    for (const auto row : *rows)
        used[row.text(0)] = Used{row.integer(1), row.integer(2)};
    return used;
}

Result<void> cancel_waiting_steps(ExecutionRows& rows, const Execution& execution, events::Batch& batch)
{
    auto cancelled = rows.cancel_waiting_steps(execution.id);
    if (!cancelled)
        return cancelled.error();
    for (auto& step : *cancelled)
        batch.add(step_ended(execution.id, execution.owner_id, std::move(step)));
    return {};
}

}  // namespace dure::executions
