// See turn_rows.hpp.
#include "sessions/turn_rows.hpp"

#include "dure/base/json_write.hpp"
#include "dure/base/text.hpp"
#include "dure/events/journal.hpp"
#include "sessions/session_events.hpp"

namespace dure::sessions {

namespace {

std::string_view status_of(const TurnRecord& record)
{
    return record.cut ? "cut" : "complete";
}

// Of the answer. Most have four members at most: those are put together without a tree.
std::string metadata_text_of(TurnRecord& record)
{
    if (record.metadata.empty() && record.totals.tools_used.empty()) {
        std::string text;
        text.reserve(180);
        text += '{';
        const auto add = [&text](std::string_view name, std::string_view value) {
            text.append(text.size() > 1 ? ",\"" : "\"").append(name).append("\":");
            append_json_string(text, value);
        };
        if (record.finish_reason)
            add("finish_reason", *record.finish_reason);
        add("model", record.model);
        if (record.request_id)
            add("request_id", *record.request_id);
        add("status", status_of(record));
        text += '}';
        return text;
    }
    auto metadata = std::move(record.metadata);
    if (record.finish_reason)
        metadata["finish_reason"] = *record.finish_reason;
    if (record.request_id)
        metadata["request_id"] = *record.request_id;
    metadata["status"] = status_of(record);
    metadata["model"] = record.model;
    if (!record.totals.tools_used.empty())
        metadata["tools_used"] = record.totals.tools_used;
    return json_text(metadata);
}

}  // namespace

std::string storable(std::string text)
{
    if (text.find('\0') == std::string::npos)
        return text;
    std::string out;
    for (const char c : text)
        if (c == '\0')
            out += "\uFFFD";
        else
            out += c;
    return out;
}

TurnRows::TurnRows(TurnRecord& record, UnixMillis now, UnixMillis expires_at)
{
    turn_.session_id = std::move(record.session_id);
    turn_.owner_id = std::move(record.owner_id);
    turn_.turn_key = std::move(record.turn_key);
    turn_.now = now;
    turn_.expires_at = expires_at;
    turn_.question_id = new_id();
    turn_.question = std::move(record.user_text);
    turn_.answer_id = new_id();
    turn_.answer = storable(std::move(record.assistant_text));
    turn_.metadata = metadata_text_of(record);
    turn_.tokens_used = record.totals.tokens_used;
    turn_.cost_nano = record.totals.cost_nano;
    if (!record.totals.tools_used.empty())
        turn_.tools_used = json_text(record.totals.tools_used);
    turn_.also = std::move(record.also);
    make_event(record);
    turn_.model = std::move(record.model);
}

void TurnRows::make_event(const TurnRecord& record)
{
    event_facts_.reserve(120);
    event_facts_ = R"(],"model":)";
    append_json_string(event_facts_, record.model);
    event_facts_.append(R"(,"status":")").append(status_of(record)).append(R"(","tokens":)");
    event_facts_ += std::to_string(turn_.tokens_used);
    event_facts_ += R"(,"tools":)";
    if (record.totals.tools_used.empty())
        event_facts_ += "[]";
    else
        append_json(event_facts_, tool_runs(record.totals.tools_used));
    event_facts_ += R"(,"turn":)";
    turn_.event.event_id = new_id();
    turn_.event.aggregate_id = turn_.session_id;
    turn_.event.aggregate_type = "Session";
    turn_.event.event_type = "TurnRecorded";
    turn_.event.owner_id = turn_.owner_id;
    turn_.event.user_id = record.by.user_id;
    turn_.event.created_at = turn_.now;
    turn_.event_metadata = events::metadata_text_of(record.by);
    turn_.event_data = [this](const store::RecordedTurn& turn) { return event_data(turn); };
}

std::string TurnRows::event_data(const store::RecordedTurn& turn) const
{
    std::string text;
    text.reserve(200 + event_facts_.size());
    text.append(R"({"conversation_turns":)").append(std::to_string(turn.turns));
    text.append(R"(,"last_turn":{"cost_nano":)").append(std::to_string(turn_.cost_nano));
    text.append(turn.counted ? R"(,"counted":true,"messages":[")" : R"(,"counted":false,"messages":[")");
    if (turn.counted)
        text.append(turn_.question_id).append(R"(",")");
    text.append(turn_.answer_id).append(1, '"').append(event_facts_).append(std::to_string(turn.turn)).append("}}");
    return text;
}

model::Event TurnRows::event(const store::StoredTurn& stored) const
{
    const auto& fresh = turn_.event;
    return {stored.event_position,
            fresh.event_id,
            fresh.aggregate_id,
            fresh.aggregate_type,
            stored.event_version,
            fresh.event_type,
            Json::parse(event_data(stored.turn)),
            Json::parse(turn_.event_metadata),
            fresh.owner_id,
            fresh.user_id,
            fresh.created_at};
}

std::vector<LiveMessage> TurnRows::live_messages(const store::StoredTurn& stored)
{
    std::vector<LiveMessage> messages;
    if (stored.turn.counted)
        messages.push_back({"user", std::move(turn_.question), stored.at, stored.turn.turn});
    messages.push_back(
        {"assistant", std::move(turn_.answer), stored.at, stored.turn.turn, Json::parse(turn_.metadata)});
    return messages;
}

}  // namespace dure::sessions
