// See open_steps.hpp.
#include "executions/open_steps.hpp"

namespace dure::executions {

Result<std::vector<Step>> cancel_waiting_steps(sql::Connection& connection, const std::string& execution)
{
    const auto closed = connection.query("UPDATE execution_steps SET status = 'cancelled' WHERE execution_id = $1 AND "
                                         "status = 'waiting' RETURNING task_id",
                                         execution);
    if (!closed)
        return closed.error();
    if (closed->empty())
        return std::vector<Step>();
    std::set<std::string> tasks;
    for (const auto row : *closed)
        tasks.insert(row.text(0));
    auto steps = ExecutionRows(connection).steps(execution);
    if (steps)
        std::erase_if(*steps,
                      [&](const Step& step) { return step.status != "cancelled" || !tasks.contains(step.task_id); });
    return steps;
}

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

}  // namespace dure::executions
