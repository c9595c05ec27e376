// Messages and summaries of a session: SQL beside each method, the session's owner checked first. A turn's messages come after
// Sessions::record_turn in the same unit, which has checked it.
#include "dure/store/messages.hpp"

#include "dure/base/json_write.hpp"
#include "store/columns.hpp"
#include "store/session_access.hpp"

namespace dure::store {

namespace {

const std::string message_columns = "id, session_id, owner_id, role, content, turn, created_at, metadata";
const std::string summary_columns = "id, session_id, owner_id, content, up_to_turn, model, created_at";
const std::string if_there(if_session_is_there);
// Without types PostgreSQL takes the numbers for texts.
const std::string insert_messages = "INSERT INTO chat_messages (" + message_columns +
                                    ") SELECT $1, $2, $3, $4, $5, CAST($6 AS BIGINT), CAST($7 AS BIGINT), $8";
const std::string insert_question =
    "INSERT INTO chat_messages (" + message_columns + ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const std::string insert_answer = "INSERT INTO chat_messages (" + message_columns +
                                  ", tokens_used, cost_nano, model_used, tools_used, asked) VALUES ";
const std::string values_of_answer = "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
constexpr std::string_view session_said_in = "session";
constexpr std::int64_t newest_messages_limit = 1000;
constexpr std::int64_t summaries_limit = 100;

model::ChatMessage message_from(const sql::Row& row)
{
    model::ChatMessage message;
    message.id = row.text("id");
    message.session_id = row.text("session_id");
    message.owner_id = row.text("owner_id");
    message.role = row.text("role");
    message.content = row.text("content");
    message.turn = row.integer("turn");
    message.created_at = row.integer("created_at");
    message.metadata = Json::parse(row.text("metadata"));
    return message;
}

model::ConversationSummary summary_from(const sql::Row& row)
{
    return {row.text("id"),           row.text("session_id"),    row.text("owner_id"),
            row.text("content"),      row.integer("up_to_turn"), row.text("model"),
            row.integer("created_at")};
}

}  // namespace

Result<void> Messages::append(const model::ChatMessage& message)
{
    static const std::string sql = insert_messages + if_there;
    return must_change(connection_.execute(sql, message.id, message.session_id, message.owner_id, message.role,
                                           message.content, message.turn, message.created_at,
                                           json_text(message.metadata)),
                       session_said_in);
}

Result<void> Messages::append_turn(const model::ChatMessage* question, const model::ChatMessage& answer,
                                   const TurnFacts& facts)
{
    // On SQLite two inserts of one row each: one of two rows copies every page it touches, so that it can be undone alone.
    static const std::string two_rows =
        insert_answer + values_of_answer + ", ($14, $2, $3, $15, $16, $6, $7, $17, NULL, NULL, NULL, NULL, NULL)";
    const auto metadata = json_text(answer.metadata);
    const bool apart = connection_.dialect() == sql::Dialect::sqlite;
    if (question && apart)
        if (auto stored = connection_.execute(insert_question, question->id, question->session_id, question->owner_id,
                                              question->role, question->content, question->turn, question->created_at,
                                              json_text(question->metadata));
            !stored)
            return stored.error();
    if (question && !apart)
        return without_count(connection_.execute(
            two_rows, answer.id, answer.session_id, answer.owner_id, answer.role, answer.content, answer.turn,
            answer.created_at, metadata, facts.tokens_used, facts.cost_nano, facts.model, facts.tools_used, nullptr,
            question->id, question->role, question->content, json_text(question->metadata)));
    static const std::string one_row = insert_answer + values_of_answer;
    const auto asked = question ? std::nullopt : std::optional(facts.user_text);
    return without_count(connection_.execute(one_row, answer.id, answer.session_id, answer.owner_id, answer.role,
                                             answer.content, answer.turn, answer.created_at, metadata,
                                             facts.tokens_used, facts.cost_nano, facts.model, facts.tools_used, asked));
}

Result<std::vector<model::ChatMessage>> Messages::list(std::string_view session_id, std::string_view owner_id,
                                                       const Page& page)
{
    if (auto there = require_session(connection_, session_id, owner_id); !there)
        return there.error();
    static const std::string sql = "SELECT " + message_columns +
                                   " FROM chat_messages WHERE session_id = $1 AND owner_id = $2 "
                                   "AND (created_at, id) > ($3, $4) ORDER BY created_at, id LIMIT $5";
    const auto start = ascending_start(page);
    return read_all(connection_.query(sql, session_id, owner_id, start.created_at, start.id, limit_of(page)),
                    message_from);
}

Result<std::vector<model::ChatMessage>> Messages::newest(std::string_view session_id, std::string_view owner_id,
                                                         std::int64_t count, std::int64_t after_turn)
{
    if (auto there = require_session(connection_, session_id, owner_id); !there)
        return there.error();
    static const std::string sql = "SELECT " + message_columns +
                                   " FROM chat_messages WHERE session_id = $1 AND owner_id = $2 AND turn > $3 "
                                   "ORDER BY created_at DESC, id DESC LIMIT $4";
    const auto most = std::clamp<std::int64_t>(count, 0, newest_messages_limit);
    auto messages = read_all(connection_.query(sql, session_id, owner_id, after_turn, most), message_from);
    if (messages)
        std::reverse(messages->begin(), messages->end());
    return messages;
}

Result<void> Summaries::append(const model::ConversationSummary& summary)
{
    if (auto there = require_session(connection_, summary.session_id, summary.owner_id); !there)
        return there;
    return without_count(connection_.execute(
        "INSERT INTO conversation_summaries (id, session_id, owner_id, content, up_to_turn, model, created_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7)",
        summary.id, summary.session_id, summary.owner_id, summary.content, summary.up_to_turn, summary.model,
        summary.created_at));
}

Result<std::vector<model::ConversationSummary>> Summaries::list(std::string_view session_id, std::string_view owner_id)
{
    if (auto there = require_session(connection_, session_id, owner_id); !there)
        return there.error();
    static const std::string sql = "SELECT " + summary_columns +
                                   " FROM conversation_summaries WHERE session_id = $1 AND owner_id = $2 "
                                   "ORDER BY created_at DESC, id DESC LIMIT $3";
    auto summaries = read_all(connection_.query(sql, session_id, owner_id, summaries_limit), summary_from);
    if (summaries)
        std::reverse(summaries->begin(), summaries->end());
    return summaries;
}

Result<std::optional<model::ConversationSummary>> Summaries::newest(std::string_view session_id,
                                                                    std::string_view owner_id)
{
    if (auto there = require_session(connection_, session_id, owner_id); !there)
        return there.error();
    static const std::string sql = "SELECT " + summary_columns +
                                   " FROM conversation_summaries WHERE session_id = $1 AND owner_id = $2 "
                                   "ORDER BY up_to_turn DESC, created_at DESC, id DESC LIMIT 1";
    const auto rows = connection_.query(sql, session_id, owner_id);
    if (!rows)
        return rows.error();
    return rows->empty() ? std::nullopt : std::optional(summary_from(rows->front()));
}

}  // namespace dure::store
