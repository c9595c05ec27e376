// See session_events.hpp.
#include "sessions/session_events.hpp"

#include "dure/base/text.hpp"
#include "dure/events/journal.hpp"

namespace dure::sessions {

namespace {

store::NewEvent session_event(const model::Actor& by, const std::string& id, const std::string& owner_id,
                              std::string type, Json data)
{
    return events::event_by(by, "Session", id, std::move(type), std::move(data), owner_id);
}

// The audit record of tool runs: name, hash of the arguments, outcome.
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

}  // namespace

store::NewEvent session_created(const model::Session& session, const model::Actor& by)
{
    Json data{{"title", session.title}, {"model", session.model},  {"created_at", rfc3339(session.created_at)},
              {"is_active", true},      {"conversation_turns", 0}, {"max_turns", session.max_turns}};
    if (session.client_chat_id)
        data["client_chat_id"] = *session.client_chat_id;
    return session_event(by, session.id, session.owner_id, "SessionCreated", std::move(data));
}

// Made for every turn on the thread that writes: member by member, in their order, where a list in braces copies each twice.
store::NewEvent turn_recorded(const TurnRecord& record, const store::RecordedTurn& turn,
                              const std::vector<const model::ChatMessage*>& written)
{
    Json::array_t messages;
    messages.reserve(written.size());
    for (const auto* message : written)
        messages.emplace_back(message->id);
    Json::object_t last;
    const auto add = [](Json::object_t& to, const char* name, auto&& value) {
        to.emplace_hint(to.end(), name, std::forward<decltype(value)>(value));
    };
    add(last, "cost_nano", record.totals.cost_nano);
    add(last, "counted", turn.counted);
    add(last, "messages", std::move(messages));
    add(last, "model", record.model);
    add(last, "status", record.cut ? "cut" : "complete");
    add(last, "tokens", record.totals.tokens_used);
    add(last, "tools", tool_runs(record.totals.tools_used));
    add(last, "turn", turn.turn);
    Json::object_t data;
    add(data, "conversation_turns", turn.turn);
    add(data, "last_turn", std::move(last));
    return session_event(record.by, record.session_id, record.owner_id, "TurnRecorded", std::move(data));
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
