// The webhook of an execution (graph-semantics X5): each time it ends, or stops to wait for a person, what the API shows of it,
// without its steps, is to be posted to the address it began with (runs/webhooks.hpp).
#pragma once

#include "dure/executions/execution.hpp"
#include "dure/sql/connection.hpp"

namespace dure::executions {

// Within the unit of work that ended it; nothing when it has no address or is back in the queue.
Result<void> tell_webhook(sql::Connection& connection, const Execution& ended, UnixMillis now);

}  // namespace dure::executions
