// The events of a session: what each one carries. Their data are merge patches onto the session's state (docs/events.md);
// texts of messages stay in their tables, events name them by id.
#pragma once

#include <string>
#include <vector>

#include "dure/model/records.hpp"
#include "dure/sessions/service.hpp"
#include "dure/store/events.hpp"
#include "dure/store/sessions.hpp"

namespace dure::sessions {

store::NewEvent session_created(const model::Session& session, const model::Actor& by);
store::NewEvent turn_recorded(const TurnRecord& record, const store::RecordedTurn& turn,
                              const std::vector<const model::ChatMessage*>& written);
store::NewEvent session_summarised(const model::ConversationSummary& summary);
store::NewEvent session_deleted(const std::string& id, const std::string& owner_id, UnixMillis now, const model::Actor& by);

}  // namespace dure::sessions
