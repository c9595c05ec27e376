// Turns of sessions: one call counts a turn, stores its messages and appends the event that tells of it. It is a unit of its own, or the
// end of one: the event comes last (store/events.hpp).
//   Turns(connection).record(turn, stored) -> the session's row -> messages -> `also` -> event
// On SQLite one thread writes for all: there it is one query and five rows, whose texts whoever asks has made before.
#pragma once

#include <functional>

#include "dure/store/events.hpp"

namespace dure::store {

struct RecordedTurn {
    std::int64_t turn = 0;     // number of the turn
    std::int64_t turns = 0;    // how many the session has now: turn, unless it is an earlier one again
    bool counted = true;       // false: the same turn again (regenerated, continued, a tool loop), or an earlier one
    bool summary_due = false;  // turns_since_summary has reached max_turns
};

struct NewTurn {
    std::string session_id;
    std::string owner_id;
    std::string turn_key;  // not empty and that of a turn of the session: that turn again
    bool key_is_new = false;  // the caller knows that no turn of the session has it: nothing is looked for (on SQLite, which has no index)
    UnixMillis now = 0;
    UnixMillis expires_at = 0;  // the session's time begins anew
    std::string question_id;
    std::string question;  // of a turn recorded again the messages have it already
    std::string answer_id;
    std::string answer;
    std::string metadata;  // of the answer: a JSON object
    std::string model;
    std::int64_t tokens_used = 0;
    std::int64_t cost_nano = 0;
    std::optional<std::string> tools_used = {};  // a JSON list
    NewEvent event;  // its id given, without data and metadata
    std::string event_metadata;  // a JSON object
    std::function<std::string(const RecordedTurn&)> event_data;  // the same, told what the unit has counted
    // Null, or what becomes durable with the turn: before the event, its error is the unit's.
    std::function<Result<void>(sql::Connection&)> also = nullptr;
};

// What tells the states of a session's row apart: every write changes one of them.
struct SessionVersion {
    std::int64_t turns = 0;
    std::int64_t turns_since_summary = 0;
    UnixMillis updated_at = 0;
};

struct StoredTurn {
    RecordedTurn turn;
    SessionVersion before;
    UnixMillis at = 0;  // of the turn's rows: behind everything so far, also when the clock has jumped back
    std::int64_t event_position = 0;  // known when the unit is over, as the version
    std::int64_t event_version = 0;
};

// What the rows keep of a turn's key.
std::int64_t mark_of(std::string_view turn_key);

class Turns {
public:
    explicit Turns(sql::Connection& connection) : connection_(connection) {}

    // SQLite: of all turns of a session.
    Result<std::vector<std::int64_t>> marks(std::string_view session_id);

    // not_found: the session is unknown, deleted, or somebody else's. conflict: the event's id is taken by another one's.
    // Both live as long as the caller waits for the unit, at whose end the event is stored.
    Result<void> record(const NewTurn& turn, StoredTurn& stored);

private:
    Result<void> record_in_chains(const NewTurn& turn, StoredTurn& stored);

    sql::Connection& connection_;
};

}  // namespace dure::store
