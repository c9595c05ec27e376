// An event of the store: one thing that happened to one aggregate, in the past tense, never changed and never removed.
// The event store and the audit log are the same rows.
#pragma once

#include <cstdint>
#include <string>

#include "dure/base/clock.hpp"
#include "dure/base/json.hpp"

namespace dure::model {

struct Event {
    std::int64_t position = 0;                     // ascending over all events, in the order they became visible
    std::string event_id;
    std::string aggregate_id;
    std::string aggregate_type;                    // Session, User, ApiKey, Role, Workflow, Execution …
    std::int64_t version = 0;                      // of the aggregate: 1, 2, 3 … without a gap
    std::string event_type;                        // SessionCreated, TurnRecorded …
    Json data = Json::object();
    Json metadata = Json::object();
    std::string owner_id;                          // whose data it is about
    std::string user_id;                           // who did it; empty: the server itself
    UnixMillis created_at = 0;
};

// Who asked for a change, and by which request: goes into the metadata of the events it leaves.
struct Actor {
    std::string user_id;
    std::string key_id;                            // empty: no API key
    std::string request_id;
    std::string address;
};

}  // namespace dure::model
