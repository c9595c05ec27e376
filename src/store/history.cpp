// History: a row per turn, SQL beside each method, the session's owner checked first. A row is found through the answer among
// the messages, whose id it has: it needs no index by session, which each turn would write to.
#include "dure/store/messages.hpp"
#include "dure/base/json_write.hpp"
#include "store/columns.hpp"
#include "store/session_access.hpp"

namespace dure::store {

namespace {

const std::string history_columns = "id, session_id, owner_id, turn, user_message, assistant_message, tools_used, "
                                    "model_used, tokens_used, cost_nano, created_at, metadata";

model::ChatHistory history_from(const sql::Row& row)
{
    model::ChatHistory turn;
    turn.id = row.text("id");
    turn.session_id = row.text("session_id");
    turn.owner_id = row.text("owner_id");
    turn.turn = row.integer("turn");
    turn.user_message = row.text("user_message");
    turn.assistant_message = row.text("assistant_message");
    turn.tools_used = Json::parse(row.text("tools_used"));
    turn.model_used = row.text("model_used");
    turn.tokens_used = row.integer("tokens_used");
    turn.cost_nano = row.integer("cost_nano");
    turn.created_at = row.integer("created_at");
    turn.metadata = Json::parse(row.text("metadata"));
    return turn;
}

}  // namespace

Result<void> History::append(const model::ChatHistory& turn)
{
    // Without types PostgreSQL takes the numbers for texts.
    static const std::string sql = "INSERT INTO chat_history (" + history_columns +
                                   ") SELECT $1, $2, $3, CAST($4 AS BIGINT), $5, $6, $7, $8, CAST($9 AS BIGINT), "
                                   "CAST($10 AS BIGINT), CAST($11 AS BIGINT), $12" +
                                   std::string(if_session_is_there);
    return must_change(connection_.execute(sql, turn.id, turn.session_id, turn.owner_id, turn.turn, turn.user_message,
                                           turn.assistant_message, json_text(turn.tools_used), turn.model_used,
                                           turn.tokens_used, turn.cost_nano, turn.created_at, json_text(turn.metadata)),
                       "session");
}

Result<std::vector<model::ChatHistory>> History::list(std::string_view session_id, std::string_view owner_id,
                                                      const Page& page)
{
    if (auto there = require_session(connection_, session_id, owner_id); !there)
        return there.error();
    static const std::string sql =
        "SELECT h.id, h.session_id, h.owner_id, h.turn, h.user_message, h.assistant_message, "
        "h.tools_used, h.model_used, h.tokens_used, h.cost_nano, h.created_at, h.metadata "
        "FROM chat_messages m JOIN chat_history h ON h.id = m.id "
        "WHERE m.session_id = $1 AND m.owner_id = $2 "
        "AND (m.created_at, m.id) > ($3, $4) ORDER BY m.created_at, m.id LIMIT $5";
    const auto start = ascending_start(page);
    return read_all(connection_.query(sql, session_id, owner_id, start.created_at, start.id, limit_of(page)),
                    history_from);
}

}  // namespace dure::store
