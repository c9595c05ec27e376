// Steps of nodes that have come to no end: what those that run again have used.
#pragma once

#include "dure/sql/connection.hpp"
#include "executions/budget.hpp"

namespace dure::executions {

// By nodes that run again when the execution goes on: their calls are counted again then.
Result<Used> used_by_open_steps(sql::Connection& connection, const std::string& execution);

}  // namespace dure::executions
