// What is stored, as plain structs: accounts, keys, sessions, messages, summaries, usage. Times are UTC milliseconds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dure/base/clock.hpp"
#include "dure/base/json.hpp"
#include "dure/model/spend_limits.hpp"

namespace dure::model {

struct User {
    std::string id;
    std::string email;                             // as typed; unique without regard to case
    std::optional<std::string> username;           // unique without regard to case
    std::string role = "user";
    std::optional<std::string> password_hash;      // empty: cannot log in by password
    bool is_active = true;
    bool is_verified = false;
    std::int64_t token_version = 1;                // raising it ends every token of the user
    UnixMillis created_at = 0;
    UnixMillis updated_at = 0;
};

struct StoredRole {
    std::string name;
    std::optional<std::vector<std::string>> permissions;   // empty: built in, the server defines its permissions
    bool builtin = false;
    UnixMillis created_at = 0;
    UnixMillis updated_at = 0;
};

struct ApiKey {
    std::string id;
    std::string owner_id;
    std::string name;
    std::string hash;                              // SHA-256 of the key, hex
    std::string prefix;                            // its first 8 characters
    std::optional<std::vector<std::string>> permissions;   // empty: all of the owner's
    std::optional<std::vector<std::string>> models;        // empty: all
    UnixMillis created_at = 0;
    std::optional<UnixMillis> expires_at;
    std::optional<UnixMillis> last_used_at;
    std::optional<UnixMillis> revoked_at;
    SpendLimits limits;                            // beside those of the owner
};

struct Session {
    std::string id;
    std::string token;
    std::string owner_id;
    std::string title;
    std::string model;
    std::optional<std::string> flow_id;
    std::optional<std::string> client_chat_id;     // a chat client's id of the conversation; unique per owner
    UnixMillis created_at = 0;
    UnixMillis updated_at = 0;
    UnixMillis expires_at = 0;                     // of the live copy; the durable one stays
    bool is_active = true;                         // false: deleted
    std::int64_t conversation_turns = 0;
    std::int64_t max_turns = 3;
    std::int64_t turns_since_summary = 0;
    std::string last_turn_key;                     // see store::Turns
};

struct ChatMessage {
    std::string id;
    std::string session_id;
    std::string owner_id;
    std::string role;                              // user, assistant, system, tool
    std::string content;
    std::int64_t turn = 0;
    UnixMillis created_at = 0;
    Json metadata = Json::object();                // of an answer: {"status": "complete" | "cut", …}
};

struct ConversationSummary {
    std::string id;
    std::string session_id;
    std::string owner_id;
    std::string content;
    std::int64_t up_to_turn = 0;                   // the last turn it covers
    std::string model;
    UnixMillis created_at = 0;
};

// One model request that was answered or tried.
struct UsageRow {
    std::string user_id;
    std::string key_id;                            // empty: no key
    std::string model;                             // as the client asked
    std::string target;                            // "provider/model" that answered; empty: none did
    std::optional<std::string> session_id;
    std::string status;                            // ok, cut, error code …
    std::int64_t prompt_tokens = 0;
    std::int64_t completion_tokens = 0;
    std::int64_t cached_tokens = 0;
    std::int64_t reasoning_tokens = 0;
    bool estimated = false;
    std::int64_t cost_nano = 0;
    UnixMillis created_at = 0;
    std::string request_id;
    std::int64_t duration_ms = 0;
    std::string endpoint;
};

// A sum over usage rows; what was not grouped by is empty.
struct UsageTotal {
    std::string day;                               // "2026-11-21", UTC
    std::string model;
    std::string user_id;
    std::string key_id;
    std::int64_t requests = 0;
    std::int64_t prompt_tokens = 0;
    std::int64_t completion_tokens = 0;
    std::int64_t cached_tokens = 0;
    std::int64_t reasoning_tokens = 0;
    std::int64_t cost_nano = 0;
};

}  // namespace dure::model
