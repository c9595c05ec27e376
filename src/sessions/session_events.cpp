// See session_events.hpp.
#include "sessions/session_events.hpp"

#include "dure/base/text.hpp"
#include "dure/events/journal.hpp"

namespace dure::sessions {

namespace {

// As GET of the session shows it.
Json text_or_null(const std::string& text)
{
    return text.empty() ? Json(nullptr) : Json(text);
}

store::NewEvent session_event(const model::Actor& by, const std::string& id, const std::string& owner_id,
                              std::string type, Json data)
{
    return events::event_by(by, "Session", id, std::move(type), std::move(data), owner_id);
}

}  // namespace

Json tool_runs(const Json& tools_used)
{
    auto runs = Json::array();
    for (const auto& tool : tools_used) {
        const auto arguments = tool.value("arguments", std::string());
        runs.push_back({{"name", tool.value("name", std::string())},
                        {"arguments_sha256", hex(sha256(arguments))},
                        {"success", tool.value("success", false)},
                        {"duration_ms", tool.value("duration_ms", std::int64_t{0})}});
    }
    return runs;
}

store::NewEvent session_created(const model::Session& session, const model::Actor& by)
{
    Json data{{"title", text_or_null(session.title)},
              {"model", text_or_null(session.model)},
              {"flow_id", text_or_null(session.flow_id.value_or(""))},
              {"client_chat_id", text_or_null(session.client_chat_id.value_or(""))},
              {"created_at", rfc3339(session.created_at)},
              {"is_active", true},
              {"conversation_turns", 0},
              {"max_turns", session.max_turns}};
    return session_event(by, session.id, session.owner_id, "SessionCreated", std::move(data));
}

store::NewEvent session_summarised(const model::ConversationSummary& summary)
{
    return session_event(
        {}, summary.session_id, summary.owner_id, "SessionSummarised",
        {{"summary", {{"id", summary.id}, {"up_to_turn", summary.up_to_turn}, {"model", summary.model}}}});
}

store::NewEvent session_deleted(const std::string& id, const std::string& owner_id, UnixMillis now,
                                const model::Actor& by)
{
    return session_event(by, id, owner_id, "SessionDeleted", {{"is_active", false}, {"deleted_at", rfc3339(now)}});
}

}  // namespace dure::sessions
