// The events of a session: what each one carries. Their data are merge patches onto the session's state (docs/events.md);
// texts of messages stay in their tables, events name them by id.
#pragma once

#include <string>

#include "dure/model/records.hpp"
#include "dure/sessions/service.hpp"
#include "dure/store/events.hpp"

namespace dure::sessions {

store::NewEvent session_created(const model::Session& session, const model::Actor& by);
store::NewEvent session_summarised(const model::ConversationSummary& summary);
store::NewEvent session_deleted(const std::string& id, const std::string& owner_id, UnixMillis now, const model::Actor& by);
// The audit record of a turn's tools in its event TurnRecorded (turn_rows.hpp): name, hash of the arguments, outcome.
Json tool_runs(const Json& tools_used);

}  // namespace dure::sessions
