// History: a row per turn, which is a view of the turn's messages; the session's owner checked first.
#include "dure/store/messages.hpp"
#include "store/columns.hpp"
#include "store/message_chains.hpp"
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

Result<std::vector<model::ChatHistory>> History::list(std::string_view session_id, std::string_view owner_id,
                                                      const Page& page)
{
    if (auto there = require_session(connection_, session_id, owner_id); !there)
        return there.error();
    static const std::string sql = "SELECT " + history_columns +
                                   " FROM chat_history WHERE session_id = $1 AND owner_id = $2 "
                                   "AND (created_at, id) > ($3, $4) ORDER BY created_at, id LIMIT $5";
    static const std::string walked = walk_to_end() + "SELECT " + history_columns +
                                      " FROM chat_history WHERE message IN (SELECT number FROM walk) AND owner_id = $2 "
                                      "AND (created_at, id) > ($3, $4) "
                                      "ORDER BY created_at, id LIMIT $5";
    const auto start = ascending_start(page);
    const bool chained = connection_.dialect() == sql::Dialect::sqlite;
    return read_all(
        connection_.query(chained ? walked : sql, session_id, owner_id, start.created_at, start.id, limit_of(page)),
        history_from);
}

}  // namespace dure::store
