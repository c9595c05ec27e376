// Sessions: SQL beside each method; every one of them names the owner and sees live sessions only.
#include "dure/store/sessions.hpp"

#include "store/columns.hpp"
#include "store/session_access.hpp"

namespace dure::store {

namespace {

const std::string session_columns =
    "id, token, owner_id, title, model, flow_id, client_chat_id, created_at, updated_at, expires_at, is_active, "
    "conversation_turns, max_turns, turns_since_summary, last_turn_key";
const std::string insert_session = "INSERT INTO sessions (" + session_columns +
                                   ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
constexpr std::string_view session_word = "session";

model::Session session_from(const sql::Row& row)
{
    model::Session session;
    session.id = row.text("id");
    session.token = row.text("token");
    session.owner_id = row.text("owner_id");
    session.title = row.text("title");
    session.model = row.text("model");
    session.flow_id = row.maybe_text("flow_id");
    session.client_chat_id = row.maybe_text("client_chat_id");
    session.created_at = row.integer("created_at");
    session.updated_at = row.integer("updated_at");
    session.expires_at = row.integer("expires_at");
    session.is_active = row.flag("is_active");
    session.conversation_turns = row.integer("conversation_turns");
    session.max_turns = row.integer("max_turns");
    session.turns_since_summary = row.integer("turns_since_summary");
    session.last_turn_key = row.text("last_turn_key");
    return session;
}

Result<std::int64_t> store_session(sql::Connection& connection, const std::string& sql, const model::Session& session)
{
    return connection.execute(sql, session.id, session.token, session.owner_id, session.title, session.model,
                              session.flow_id, session.client_chat_id, session.created_at, session.updated_at,
                              session.expires_at, session.is_active, session.conversation_turns, session.max_turns,
                              session.turns_since_summary, session.last_turn_key);
}

}  // namespace

Result<void> require_session(sql::Connection& connection, std::string_view id, std::string_view owner_id)
{
    const auto rows =
        connection.query("SELECT 1 FROM sessions WHERE id = $1 AND owner_id = $2 AND is_active = 1", id, owner_id);
    if (!rows)
        return rows.error();
    if (rows->empty())
        return missing(session_word);
    return {};
}

Result<void> Sessions::insert(const model::Session& session)
{
    return without_count(store_session(connection_, insert_session, session));
}

Result<model::Session> Sessions::find(std::string_view id, std::string_view owner_id)
{
    static const std::string sql =
        "SELECT " + session_columns + " FROM sessions WHERE id = $1 AND owner_id = $2 AND is_active = 1";
    return read_one(connection_.query(sql, id, owner_id), session_from, session_word);
}

Result<model::Session> Sessions::find_by_client_chat(std::string_view client_chat_id, std::string_view owner_id)
{
    static const std::string sql =
        "SELECT " + session_columns + " FROM sessions WHERE client_chat_id = $1 AND owner_id = $2 AND is_active = 1";
    return read_one(connection_.query(sql, client_chat_id, owner_id), session_from, session_word);
}

Result<model::Session> Sessions::find_or_create(const model::Session& fresh)
{
    if (!fresh.client_chat_id)
        return Error(Errc::invalid_argument, "A session is found by the client's chat id, which is missing.");
    static const std::string sql = insert_session + " ON CONFLICT DO NOTHING";
    if (auto stored = store_session(connection_, sql, fresh); !stored)
        return stored.error();
    return find_by_client_chat(*fresh.client_chat_id, fresh.owner_id);
}

Result<std::vector<model::Session>> Sessions::list(std::string_view owner_id, const Page& page)
{
    static const std::string sql = "SELECT " + session_columns +
                                   " FROM sessions WHERE owner_id = $1 AND is_active = 1 "
                                   "AND (created_at, id) < ($2, $3) ORDER BY created_at DESC, id DESC LIMIT $4";
    const auto start = descending_start(page);
    return read_all(connection_.query(sql, owner_id, start.created_at, start.id, limit_of(page)), session_from);
}

Result<std::int64_t> Sessions::count(std::string_view owner_id)
{
    return read_number(
        connection_.query("SELECT COUNT(*) FROM sessions WHERE owner_id = $1 AND is_active = 1", owner_id));
}

Result<void> Sessions::remove(std::string_view id, std::string_view owner_id, UnixMillis now)
{
    const auto changed = connection_.execute(
        "UPDATE sessions SET is_active = 0, updated_at = $3 WHERE id = $1 AND owner_id = $2 AND is_active = 1", id,
        owner_id, now);
    return must_change(changed, session_word);
}

Result<bool> Sessions::reset_turns_since_summary(std::string_view id, std::string_view owner_id,
                                                 std::int64_t up_to_turn, UnixMillis now)
{
    const auto changed = connection_.execute(
        "UPDATE sessions SET turns_since_summary = "
        "CASE WHEN conversation_turns > $3 THEN conversation_turns - $3 ELSE 0 END, "
        "updated_at = CASE WHEN updated_at > $4 THEN updated_at ELSE $4 END "
        "WHERE id = $1 AND owner_id = $2 AND is_active = 1 AND conversation_turns - turns_since_summary < $3",
        id, owner_id, up_to_turn, now);
    if (!changed)
        return changed.error();
    if (*changed > 0)
        return true;
    if (auto there = find(id, owner_id); !there)
        return there.error();
    return false;
}

}  // namespace dure::store
