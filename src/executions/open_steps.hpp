// Steps of nodes that have come to no end: those that wait when their execution ends, and what those that run again have used.
#pragma once

#include "executions/budget.hpp"
#include "executions/execution_rows.hpp"

namespace dure::executions {

// Steps that wait are cancelled with their execution; gives them.
Result<std::vector<Step>> cancel_waiting_steps(sql::Connection& connection, const std::string& execution);
// By nodes that run again when the execution goes on: their calls are counted again then.
Result<Used> used_by_open_steps(sql::Connection& connection, const std::string& execution);

}  // namespace dure::executions
