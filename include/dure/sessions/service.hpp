// Sessions: the durable copy in SQL is the truth, the live copy makes the next turn cheap.
//   conversation() -> live copy of the row's version, or rebuilt    record_turn() -> one write, then the live copy
// Nothing is lost when a live copy is: its hour is over, it was pushed out, or the process died. Every call names the owner;
// somebody else's session is not_found. Thread-safe; awaited on a core.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dure/base/clock.hpp"
#include "dure/base/error.hpp"
#include "dure/base/task.hpp"
#include "dure/config/settings.hpp"
#include "dure/model/event.hpp"
#include "dure/model/records.hpp"
#include "dure/sessions/chat_ids.hpp"
#include "dure/sessions/live_sessions.hpp"
#include "dure/sessions/turn_marks.hpp"

namespace dure::events {
class Journal;
}
namespace dure::sql {
class Connection;
class Database;
}
namespace dure::store {
struct StoredTurn;
}

namespace dure::sessions {

class TurnRows;

struct NewSession {
    std::string title;
    std::string model;
    std::string flow_id = {};      // of the flow that answers its turns; the model is then its flow:<slug>
};

// A page begins behind this row.
struct PagePosition {
    UnixMillis created_at = 0;
    std::string id;
};
struct PageRequest {
    std::optional<PagePosition> after;
    std::int64_t limit = 50;       // 1 to 100
};

struct SessionPage {
    std::vector<model::Session> sessions;
    std::optional<PagePosition> next;
};

struct HistoryPage {
    std::vector<model::ChatMessage> messages;
    std::vector<model::ConversationSummary> summaries;
    std::optional<PagePosition> next;
};

struct TurnTotals {
    std::int64_t tokens_used = 0;
    std::int64_t cost_nano = 0;    // USD * 1e-9
    Json tools_used = nullptr;     // a list, or null: none
};

// What one turn leaves.
struct TurnRecord {
    std::string session_id;
    std::string owner_id;
    std::string turn_key;          // equal to that of a turn of the session: that turn again; empty: always a new one
    std::string user_text;
    std::string assistant_text;
    bool cut = false;              // the answer did not come to its end
    std::string model;
    TurnTotals totals;
    std::optional<std::string> finish_reason = {};  // these two go into the answer's metadata
    std::optional<std::string> request_id = {};
    Json metadata = nullptr;       // an object of more of it, or null
    model::Actor by;
    // Null, or what becomes durable with the turn, in the same unit; it may be called again, its error undoes the turn.
    std::function<Result<void>(sql::Connection&)> also = nullptr;
};

struct RecordedTurn {
    std::int64_t turn = 0;
    bool summary_due = false;
};

class SessionService {
public:
    // Every change is an event of the session, in the same transaction.
    SessionService(sql::Database& database, events::Journal& journal, std::unique_ptr<LiveSessions> live,
                   const config::Sessions& settings, const Clock& clock);
    ~SessionService();

    Task<Result<model::Session>> create(std::string owner_id, NewSession fresh, model::Actor by = {});
    Task<Result<model::Session>> find(std::string owner_id, std::string id);
    Task<Result<SessionPage>> list(std::string owner_id, PageRequest page);
    Task<Result<void>> remove(std::string owner_id, std::string id, model::Actor by = {});
    Task<Result<HistoryPage>> history(std::string owner_id, std::string id, PageRequest page);

    // The session behind a chat client's own conversation id, made when it is new.
    Task<Result<model::Session>> for_client_chat(std::string owner_id, std::string client_chat_id, std::string model,
                                                model::Actor by = {});
    // The same when only its id is wanted: where this process is the only one that can remove a session (SQLite), an id that
    // is known is not asked for again.
    Task<Result<std::string>> id_for_client_chat(std::string owner_id, std::string client_chat_id, std::string model,
                                                 model::Actor by = {});
    // What a model has to know of the session: newest summary and the messages behind it.
    Task<Result<LiveSession>> conversation(std::string owner_id, std::string id);
    // The newest summary and the newest messages (sessions.keep_messages), whether a summary has them or not.
    Task<Result<LiveSession>> newest_messages(std::string owner_id, std::string id);
    // What its next summary is made of: this conversation with every message behind the newest summary, as far as `bytes` of
    // texts go.
    Task<Result<LiveSession>> since_summary(LiveSession conversation, std::int64_t bytes);
    Task<Result<RecordedTurn>> record_turn(TurnRecord record);
    // Does nothing when the turns have a summary already: two replicas may make one at the same time.
    Task<Result<void>> add_summary(std::string owner_id, std::string id, std::string text, std::int64_t up_to_turn,
                                   std::string model);

private:
    // No other process writes this database.
    bool is_only_process() const;
    // Makes sure that the marks of its session are known, where they help.
    Task<Result<void>> learn_marks(const TurnRecord& record);
    Task<void> follow_turn(TurnRows& rows, const store::StoredTurn& stored);

    sql::Database& database_;
    events::Journal& journal_;
    std::unique_ptr<LiveSessions> live_;
    const config::Sessions settings_;
    const Clock& clock_;
    ChatIds chats_;
    TurnMarks marks_;
};

}  // namespace dure::sessions
