// The event store: append-only, in the same transaction as the state an event describes.
//   Events(connection).append({.aggregate_id = id, .aggregate_type = "Role", .event_type = "RoleCreated", …})
// Rules: an append takes the lock of the global order, which is held until the commit, so that positions become visible in
// their order and no reader can overtake a late commit. Do it last in a unit, after every other statement, so that units
// neither wait for each other longer than needed nor in a circle; several by one append_all(). events::Journal::write() does both
// and publishes.
#pragma once

#include <optional>
#include <vector>

#include "dure/model/event.hpp"
#include "dure/sql/connection.hpp"
#include "dure/store/page.hpp"

namespace dure::store {

struct NewEvent {
    std::string event_id = {};                     // empty: a new one; given: the same again is stored once
    std::string aggregate_id = {};
    std::string aggregate_type = {};
    std::string event_type = {};
    Json data = Json::object();                    // a merge patch onto the aggregate's state; never a secret
    Json metadata = Json::object();
    std::string owner_id = {};
    std::string user_id = {};                      // who did it; empty: the server itself
    UnixMillis created_at = 0;
    std::string data_text = {};                    // what is stored as data, when the caller has the text already
};

struct EventToAppend {
    NewEvent event;
    std::optional<std::int64_t> expected_version = {};
};

// Which events a reader may see and wants.
struct EventFilter {
    std::optional<std::string> owner_id;           // empty: everybody's; the caller has checked the permission
    std::optional<std::string> aggregate_id;
};

struct AggregateQuery {
    std::string aggregate_id;
    std::optional<std::string> aggregate_type;
    std::optional<std::string> owner_id;           // empty: everybody's; the caller has checked the permission
    std::int64_t from_version = 1;
    std::int64_t limit = 100;                      // 1 to 1000
};

struct AuditQuery {
    std::optional<std::string> owner_id;           // empty: everybody's; the caller has checked the permission
    std::optional<std::string> user_id;
    std::optional<std::string> event_type;
    std::optional<UnixMillis> from;                // inclusive
    std::optional<UnixMillis> to;                  // exclusive
    std::optional<std::int64_t> before;            // position of the last event of the page before
    std::int64_t limit = 50;                       // 1 to 100
};

// Of append(): a wrong version or a taken id, which have changed nothing.
bool is_refusal(const Error& error);

class Events {
public:
    explicit Events(sql::Connection& connection) : connection_(connection) {}

    // conflict "version_conflict": the aggregate's newest version is not expected_version (0: there is none yet).
    // conflict "event_id_taken": the id belongs to an event of another aggregate, type or owner.
    // After these two the unit may go on, nothing was changed; every other error is the error of the whole unit: return it.
    // The same event id again gives the first result and stores nothing, whatever version is expected.
    Result<model::Event> append(NewEvent event, std::optional<std::int64_t> expected_version = {});
    // The same for several, in their order: on PostgreSQL one round trip for up to 16. An outcome for each, stored or refused with one
    // of the two conflicts, or the error of the whole unit.
    Result<std::vector<Result<model::Event>>> append_all(std::vector<EventToAppend> events);

    Result<model::Event> find(std::string_view event_id);
    // Lists are bounded by page_text_bytes too.
    // Oldest first, by version. Without a type: all aggregates of this id, ordered by type.
    Result<Listed<model::Event>> of_aggregate(const AggregateQuery& query);
    // The types of the aggregates with this id, as far as the owner (empty: everybody) has events of them.
    Result<std::vector<std::string>> types_of(std::string_view aggregate_id, const std::optional<std::string>& owner_id);
    // Oldest first: what follows a position.
    Result<Listed<model::Event>> after(std::int64_t position, const EventFilter& filter, std::int64_t limit);
    // Newest first.
    Result<Listed<model::Event>> audit(const AuditQuery& query);
    // Of the newest event; 0: there is none.
    Result<std::int64_t> last_position();

private:
    Result<model::Event> append_alone(EventToAppend fresh);
    Result<std::vector<Result<model::Event>>> append_together(std::vector<EventToAppend> fresh);

    sql::Connection& connection_;
};

// Events::append_all() for a unit that fails when one of them is refused: the events as they were stored.
Result<std::vector<model::Event>> append_every(sql::Connection& connection, std::vector<EventToAppend> events);

}  // namespace dure::store
