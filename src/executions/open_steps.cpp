// See open_steps.hpp.
#include "executions/open_steps.hpp"

#include "executions/execution_events.hpp"

namespace dure::executions {

Result<Used> used_by_open_steps(sql::Connection& connection, const std::string& execution)
{
    // PostgreSQL sums whole numbers as NUMERIC. One that failed and may has an output.
    const auto rows = connection.query(
        "SELECT CAST(COALESCE(SUM(tokens), 0) AS BIGINT), CAST(COALESCE(SUM(cost_nano), 0) AS BIGINT) FROM "
        "execution_steps WHERE execution_id = $1 AND status IN ('waiting', 'failed', 'cancelled') AND output = 'null'",
        execution);
    if (!rows)
        return rows.error();
    return Used{rows->front().integer(0), rows->front().integer(1)};
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
