// Steps of nodes that have come to no end: what those that run again have used, and what becomes of those that wait when their
// execution ends.
#pragma once

#include "dure/events/journal.hpp"
#include "dure/sql/connection.hpp"
#include "executions/budget.hpp"
#include "executions/execution_rows.hpp"

namespace dure::executions {

// By task. Those that run again when the execution goes on count it again then; an item that failed and was skipped never does.
using UsedByTask = std::map<std::string, Used>;
Result<UsedByTask> used_by_open_steps(sql::Connection& connection, const std::string& execution);

// Of an execution that no worker has: they are cancelled, and each is told.
Result<void> cancel_waiting_steps(ExecutionRows& rows, const Execution& execution, events::Batch& batch);

}  // namespace dure::executions
