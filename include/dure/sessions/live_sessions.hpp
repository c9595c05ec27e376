// Live sessions: the newest messages of conversations that go on, kept ready for a sliding hour (product S1), in this
// process or in Redis. A copy may be gone or old at any time: SessionService uses it only while it is of the same version as
// the row in SQL, and rebuilds it otherwise.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dure/base/clock.hpp"
#include "dure/base/json.hpp"
#include "dure/base/task.hpp"
#include "dure/model/records.hpp"

namespace dure {
class Logger;
}
namespace dure::redis {
class Client;
}

namespace dure::sessions {

struct LiveMessage {
    std::string role;
    std::string content;
    UnixMillis timestamp = 0;
    std::int64_t turn = 0;
    Json metadata = Json::object();
};

struct LiveSession {
    model::Session session;
    std::string summary;                    // of the turns up to summary_up_to_turn; empty: none
    std::int64_t summary_up_to_turn = 0;
    std::vector<LiveMessage> messages;      // oldest first, at most keep_messages

    // {session_id, created_at, messages[{role, content, timestamp, metadata}], context{current_tool, last_action}}; the tool is
    // the last one of the newest answer.
    OrderedJson to_json() const;
    // Every write of the session in SQL changes one of these.
    bool same_version(const model::Session& row) const
    {
        return session.conversation_turns == row.conversation_turns && session.updated_at == row.updated_at &&
               session.turns_since_summary == row.turns_since_summary;
    }
};

// Thread-safe.
class LiveSessions {
public:
    virtual ~LiveSessions() = default;
    virtual Task<std::optional<LiveSession>> get(std::string session_id) = 0;
    virtual Task<void> put(LiveSession session) = 0;
    virtual Task<void> forget(std::string session_id) = 0;
};

// One of more bytes is rebuilt from SQL for each turn rather than kept.
inline constexpr std::size_t largest_live_session = 1u << 20;

// At most `capacity` sessions of `most_bytes` together; the one used least recently goes first.
std::unique_ptr<LiveSessions> in_process_sessions(const Clock& clock, std::chrono::milliseconds time_to_live,
                                                  std::size_t capacity = 10000, std::size_t most_bytes = 256u << 20);

// Shared by every replica. Of `session` only id, owner, times and counters are kept: the row in SQL has the rest. While Redis
// is away, or holds what is no session, get() finds nothing.
std::unique_ptr<LiveSessions> redis_sessions(redis::Client& redis, Logger& logger,
                                             std::chrono::milliseconds time_to_live);

}  // namespace dure::sessions
