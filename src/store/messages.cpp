// Messages and summaries of a session: SQL beside each method, the session's owner checked first. On SQLite
// messages are a chain; see message_chains.hpp.
#include "dure/store/messages.hpp"

#include <array>

#include "store/columns.hpp"
#include "store/message_chains.hpp"
#include "store/session_access.hpp"

namespace dure::store {

namespace {

const std::string message_columns = "id, session_id, owner_id, role, content, turn, created_at, metadata";
const std::string summary_columns = "id, session_id, owner_id, content, up_to_turn, model, created_at";
// PostgreSQL knows it of a text without reading the text.
constexpr sql::TextBound page_of_messages{page_text_bytes, "octet_length(content) + octet_length(metadata)", "created_at, id"};
constexpr std::int64_t newest_messages_limit = 1000;
constexpr std::int64_t room_beside_texts = 1 << 20;
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

bool is_chained(const sql::Connection& connection)
{
    return connection.dialect() == sql::Dialect::sqlite;
}

}  // namespace

// On SQLite in the order of the numbers, which is that of time and id in a session: so nothing is sorted, and what lies behind the
// page's last message is not read.
Result<Listed<model::ChatMessage>> Messages::list(std::string_view session_id, std::string_view owner_id,
                                                  const Page& page)
{
    if (auto there = require_session(connection_, session_id, owner_id); !there)
        return there.error();
    static const std::string sql = "SELECT " + message_columns +
                                   " FROM chat_messages WHERE session_id = $1 AND owner_id = $2 "
                                   "AND (created_at, id) > ($3, $4) ORDER BY created_at, id LIMIT $5";
    static const std::string walked = walk_of_page() + "SELECT " + message_columns +
                                      " FROM chat_messages WHERE number IN (SELECT number FROM walk) AND owner_id = $2 "
                                      "AND (created_at, id) > ($3, $4) ORDER BY number LIMIT $5";
    const auto start = ascending_start(page);
    const std::array<sql::Param, 5> values{session_id, owner_id, start.created_at, start.id, limit_of(page)};
    return read_listed(
        connection_.query_up_to(page_of_messages, is_chained(connection_) ? walked : sql, values), message_from);
}

Result<sql::Rows> Messages::select_newest(std::string_view session_id, std::string_view owner_id, std::int64_t count,
                                          std::int64_t after_turn, std::optional<std::int64_t> bytes)
{
    if (auto there = require_session(connection_, session_id, owner_id); !there)
        return there.error();
    static const std::string sql = "SELECT " + message_columns +
                                   " FROM chat_messages WHERE session_id = $1 AND owner_id = $2 AND turn > $3 "
                                   "ORDER BY created_at DESC, id DESC LIMIT $4";
    static const std::string walked =
        walk_of_newest() + "SELECT " + message_columns +
        " FROM chat_messages WHERE number IN (SELECT number FROM walk) AND owner_id = $2 AND turn > $3 "
        "ORDER BY number DESC";
    const auto most = std::clamp<std::int64_t>(count, 0, newest_messages_limit);
    const auto& text = is_chained(connection_) ? walked : sql;
    if (!bytes)
        return connection_.query(text, session_id, owner_id, after_turn, most);
    const std::array<sql::Param, 4> values{session_id, owner_id, after_turn, most};
    return connection_.query_up_to({*bytes, "octet_length(content)", "created_at DESC, id DESC"}, text, values);
}

namespace {

Result<std::vector<model::ChatMessage>> oldest_first(const Result<sql::Rows>& newest_first)
{
    auto messages = read_all(newest_first, message_from);
    if (messages)
        std::reverse(messages->begin(), messages->end());
    return messages;
}

}  // namespace

Result<std::vector<model::ChatMessage>> Messages::newest(std::string_view session_id, std::string_view owner_id,
                                                         std::int64_t count, std::int64_t after_turn)
{
    return oldest_first(select_newest(session_id, owner_id, count, after_turn, {}));
}

// What is read is bounded with what stands beside the texts; what is given, by the texts alone.
Result<std::vector<model::ChatMessage>> Messages::newest_within(std::string_view session_id, std::string_view owner_id,
                                                                std::int64_t bytes, std::int64_t after_turn)
{
    auto messages =
        oldest_first(select_newest(session_id, owner_id, newest_messages_limit, after_turn, bytes + room_beside_texts));
    if (!messages)
        return messages;
    std::int64_t together = 0;
    const auto too_long = std::find_if(messages->rbegin(), messages->rend(), [&](const model::ChatMessage& message) {
        together += static_cast<std::int64_t>(message.content.size());
        return together > bytes && &message != &messages->back();
    });
    messages->erase(messages->begin(), too_long.base());
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
    static constexpr sql::TextBound bound{page_text_bytes, "octet_length(content)", "created_at DESC, id DESC"};
    const std::array<sql::Param, 3> values{session_id, owner_id, summaries_limit};
    auto summaries = read_all(connection_.query_up_to(bound, sql, values), summary_from);
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
