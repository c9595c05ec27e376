// State of scope session: what an execution begins with and what it leaves. Executions of one session may go at once:
// one that ends after another has left its state adds its own changes to that, so that none of them is lost.
#pragma once

#include "executions/execution_rows.hpp"

namespace dure::executions {

// What the left state is to an execution of a flow that declares `state` (Document::state) in this version: values by
// name.
Json session_values(const LeftState& left, const Json& state, std::int64_t flow_version);
bool has_session_state(const Json& state);

// In the place of the result's "session_changes": those of an execution in a session, with what leave_session_state()
// has to know.
void tell_session_changes(Json& output, const Execution& execution, const Json& state);
// In the transaction that ends the execution, before its row is left. Takes "session_changes" out of the output.
Result<void> leave_session_state(ExecutionRows& rows, Outcome& outcome);

}  // namespace dure::executions
