// See turns.hpp. On SQLite messages and events are chains (message_chains.hpp, event_chains.hpp), and the rows name each other by their
// numbers, which the connection tells: no statement looks for what another has just written. On PostgreSQL the session's row is counted
// and locked by one statement, and its messages are stored by one.
#include "dure/store/turns.hpp"

#include "store/columns.hpp"
#include "store/event_chains.hpp"

namespace dure::store {

namespace {

constexpr std::string_view recorded_in = "session";

// The session as far as a turn needs it, and the last event of it.
struct ChainedSession {
    std::int64_t row = 0;
    std::int64_t max_turns = 0;
    std::int64_t messages = 0;
    std::optional<std::int64_t> last_message;
    std::optional<std::int64_t> again;  // the turn that this one is
    SessionVersion version;
    std::optional<EventChains::End> last_event;
};

std::optional<std::int64_t> maybe_number(const sql::Row& row, std::size_t column)
{
    return row.is_null(column) ? std::nullopt : std::optional(row.integer(column));
}

// Down the chain of messages that ends with number $1.
constexpr std::string_view walk_of_marks =
    "WITH RECURSIVE walk(previous, turn, mark) AS ("
    "SELECT previous, turn, turn_mark FROM chat_messages WHERE number = $1 UNION ALL "
    "SELECT m.previous, m.turn, m.turn_mark FROM walk CROSS JOIN chat_messages m ON m.number = walk.previous) ";

// The turn of the session that has the key, if one has.
Result<void> find_again(sql::Connection& connection, const NewTurn& turn, bool is_last, ChainedSession& session)
{
    if (is_last)
        session.again = session.version.turns;   // unless it was an earlier one again then
    if (turn.turn_key.empty() || turn.key_is_new || !session.last_message)
        return {};
    static const std::string sql = std::string(walk_of_marks) + "SELECT turn FROM walk WHERE mark = $2 LIMIT 1";
    const auto rows = connection.query(sql, *session.last_message, mark_of(turn.turn_key));
    if (!rows)
        return rows.error();
    if (!rows->empty())
        session.again = rows->front().integer(0);
    return {};
}

Result<ChainedSession> find_session(sql::Connection& connection, const NewTurn& turn)
{
    const auto rows = connection.query(
        "SELECT s.rowid, s.conversation_turns, s.max_turns, s.turns_since_summary, s.updated_at, s.messages, "
        "s.last_message, $3 <> '' AND s.last_turn_key = $3, a.version, a.position FROM sessions s LEFT JOIN "
        "event_aggregates a ON a.aggregate_id = $1 AND a.aggregate_type = $4 WHERE s.id = $1 AND s.owner_id = $2 AND "
        "s.is_active = 1",
        turn.session_id, turn.owner_id, turn.turn_key, turn.event.aggregate_type);
    if (!rows)
        return rows.error();
    if (rows->empty())
        return missing(recorded_in);
    const auto row = rows->front();
    ChainedSession session;
    session.row = row.integer(0);
    session.version = {row.integer(1), row.integer(3), row.integer(4)};
    session.max_turns = row.integer(2);
    session.messages = row.integer(5);
    session.last_message = maybe_number(row, 6);
    if (!row.is_null(8))
        session.last_event = {row.integer(8), row.integer(9)};
    if (auto looked = find_again(connection, turn, row.integer(7) != 0, session); !looked)
        return looked.error();
    return session;
}

StoredTurn counted(const NewTurn& turn, const SessionVersion& before, std::int64_t max_turns,
                   std::optional<std::int64_t> again)
{
    StoredTurn stored;
    stored.before = before;
    stored.turn.turns = before.turns + (again ? 0 : 1);
    stored.turn.turn = again.value_or(stored.turn.turns);
    stored.turn.counted = !again;
    stored.turn.summary_due = max_turns > 0 && before.turns_since_summary + (again ? 0 : 1) >= max_turns;
    stored.at = std::max(turn.now, before.updated_at + 1);
    return stored;
}

std::optional<std::int64_t> mark_to_store(const NewTurn& turn)
{
    return turn.turn_key.empty() ? std::nullopt : std::optional(mark_of(turn.turn_key));
}

Result<void> store_question(sql::Connection& connection, const NewTurn& turn, const StoredTurn& stored,
                            const ChainedSession& session)
{
    return without_count(connection.execute("INSERT INTO chat_messages (id, session_id, owner_id, previous, place, "
                                            "turn, created_at, role, content, metadata, turn_mark) "
                                            "VALUES ($1, $2, $3, $4, $5, $6, $7, 'user', $8, '{}', $9)",
                                            turn.question_id, turn.session_id, turn.owner_id, session.last_message,
                                            session.messages + 1, stored.turn.turn, stored.at, turn.question,
                                            mark_to_store(turn)));
}

Result<void> store_answer(sql::Connection& connection, const NewTurn& turn, const StoredTurn& stored,
                          const std::optional<std::int64_t>& previous, std::int64_t place)
{
    const auto asked = stored.turn.counted ? std::nullopt : std::optional<std::string_view>(turn.question);
    return without_count(connection.execute(
        "INSERT INTO chat_messages (id, session_id, owner_id, previous, place, turn, created_at, role, content, "
        "metadata, "
        "tokens_used, cost_nano, model_used, tools_used, asked) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, 'assistant', $8, $9, $10, $11, $12, $13, $14)",
        turn.answer_id, turn.session_id, turn.owner_id, previous, place, stored.turn.turn, stored.at, turn.answer,
        turn.metadata, turn.tokens_used, turn.cost_nano, turn.model, turn.tools_used, asked));
}

// One row for each message: a statement of two rows copies every page it touches, so that it can be undone alone.
Result<void> store_messages(sql::Connection& connection, const NewTurn& turn, const StoredTurn& stored,
                            const ChainedSession& session)
{
    auto previous = session.last_message;
    auto place = session.messages;
    if (stored.turn.counted) {
        if (auto asked = store_question(connection, turn, stored, session); !asked)
            return asked;
        previous = connection.inserted_number();
        ++place;
    }
    ++place;
    if (auto answered = store_answer(connection, turn, stored, previous, place); !answered)
        return answered;
    return without_count(connection.execute(
        "UPDATE sessions SET conversation_turns = $2, turns_since_summary = $3, last_turn_key = $4, updated_at = $5, "
        "expires_at = $6, messages = $7, last_message = $8 WHERE rowid = $1",
        session.row, stored.turn.turns, stored.before.turns_since_summary + (stored.turn.counted ? 1 : 0), turn.turn_key,
        stored.at, turn.expires_at, place, connection.inserted_number()));
}

// PostgreSQL: the session as it was, and locked: turns of one are counted one after the other.
Result<StoredTurn> lock_and_count(sql::Connection& connection, const NewTurn& turn)
{
    const auto rows = connection.query(
        "WITH locked AS (SELECT id, conversation_turns, max_turns, turns_since_summary, updated_at, "
        "CASE WHEN $3 <> '' AND last_turn_key = $3 THEN conversation_turns END AS last_again FROM sessions "
        "WHERE id = $1 AND owner_id = $2 AND is_active = 1 FOR UPDATE), "
        "earlier AS (SELECT locked.*, COALESCE((SELECT m.turn FROM chat_messages m WHERE m.session_id = $1 "
        "AND m.turn_mark = $6 LIMIT 1), last_again) AS again FROM locked) "
        "UPDATE sessions SET conversation_turns = earlier.conversation_turns + CASE WHEN again IS NULL THEN 1 ELSE 0 END, "
        "turns_since_summary = earlier.turns_since_summary + CASE WHEN again IS NULL THEN 1 ELSE 0 END, "
        "last_turn_key = $3, updated_at = GREATEST($4, earlier.updated_at + 1), expires_at = $5 "
        "FROM earlier WHERE sessions.id = earlier.id RETURNING earlier.*",
        turn.session_id, turn.owner_id, turn.turn_key, turn.now, turn.expires_at, mark_to_store(turn));
    if (!rows)
        return rows.error();
    if (rows->empty())
        return missing(recorded_in);
    const auto row = rows->front();
    const SessionVersion before{row.integer("conversation_turns"), row.integer("turns_since_summary"),
                                row.integer("updated_at")};
    return counted(turn, before, row.integer("max_turns"),
                   row.is_null("again") ? std::nullopt : std::optional(row.integer("again")));
}

// PostgreSQL. The messages have the question of a turn recorded again: what was asked this time stands in the answer's row.
Result<void> append_messages(sql::Connection& connection, const NewTurn& turn, const StoredTurn& stored)
{
    static const std::string answer =
        "INSERT INTO chat_messages (id, session_id, owner_id, turn, created_at, role, content, metadata, tokens_used, "
        "cost_nano, model_used, tools_used, asked, turn_mark) "
        "VALUES ($1, $2, $3, $4, $5, 'assistant', $6, $7, $8, $9, $10, $11, ";
    static const std::string alone = answer + "$12, NULL)";
    static const std::string with_question =
        answer + "NULL, NULL), ($12, $2, $3, $4, $5, 'user', $13, '{}', NULL, NULL, NULL, NULL, NULL, $14)";
    const auto execute = [&](const std::string& sql, const auto&... asked) {
        return without_count(connection.execute(sql, turn.answer_id, turn.session_id, turn.owner_id, stored.turn.turn,
                                                stored.at, turn.answer, turn.metadata, turn.tokens_used, turn.cost_nano,
                                                turn.model, turn.tools_used, asked...));
    };
    if (stored.turn.counted)
        return execute(with_question, turn.question_id, turn.question, mark_to_store(turn));
    return execute(alone, turn.question);
}

Result<void> append_event(sql::Connection& connection, const NewTurn& turn, StoredTurn& stored)
{
    auto event = turn.event;
    event.data_text = turn.event_data(stored.turn);
    event.metadata = Json::parse(turn.event_metadata);
    const auto appended = Events(connection).append(std::move(event));
    if (!appended)
        return appended.error();
    stored.event_position = appended->position;
    stored.event_version = appended->version;
    return {};
}

}  // namespace

// FNV-1a: keys are hashes or ids already, and a mark is compared with those of one session only.
std::int64_t mark_of(std::string_view turn_key)
{
    std::uint64_t mark = 0xcbf29ce484222325;
    for (const char c : turn_key)
        mark = (mark ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return static_cast<std::int64_t>(mark);
}

Result<std::vector<std::int64_t>> Turns::marks(std::string_view session_id)
{
    static const std::string sql = "SELECT last_message FROM sessions WHERE id = $1 AND last_message IS NOT NULL";
    const auto last = connection_.query(sql, session_id);
    if (!last)
        return last.error();
    if (last->empty())
        return std::vector<std::int64_t>();
    static const std::string walked = std::string(walk_of_marks) + "SELECT mark FROM walk WHERE mark IS NOT NULL";
    return read_all(connection_.query(walked, last->front().integer(0)),
                    [](const sql::Row& row) { return row.integer(0); });
}

Result<void> Turns::record(const NewTurn& turn, StoredTurn& stored)
{
    if (connection_.dialect() == sql::Dialect::sqlite)
        return record_in_chains(turn, stored);
    auto known = lock_and_count(connection_, turn);
    if (!known)
        return known.error();
    stored = *known;
    if (auto messages = append_messages(connection_, turn, stored); !messages)
        return messages.error();
    if (auto more = turn.also ? turn.also(connection_) : Result<void>(); !more)
        return more.error();
    return connection_.at_end([&turn, &stored](sql::Connection& c) { return append_event(c, turn, stored); });
}

Result<void> Turns::record_in_chains(const NewTurn& turn, StoredTurn& stored)
{
    const auto session = find_session(connection_, turn);
    if (!session)
        return session.error();
    stored = counted(turn, session->version, session->max_turns, session->again);
    if (auto messages = store_messages(connection_, turn, stored, *session); !messages)
        return messages.error();
    if (auto more = turn.also ? turn.also(connection_) : Result<void>(); !more)
        return more.error();
    const auto appended =
        EventChains(connection_)
            .append_behind(session->last_event, turn.event, turn.event_data(stored.turn), turn.event_metadata);
    if (!appended)
        return appended.error();
    if (!*appended)
        return Error(Errc::conflict, "This event id is taken.").reason("event_id_taken");
    stored.event_position = (*appended)->position;
    stored.event_version = (*appended)->version;
    return {};
}

}  // namespace dure::store
