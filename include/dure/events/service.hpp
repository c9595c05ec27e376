// What readers ask of the event store: one aggregate's events, its state as it was, the audit log, following. A reader sees
// the events of what it owns, or everybody's when it may; what it may not see is not there. Thread-safe; awaited on a core.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dure/base/clock.hpp"
#include "dure/base/error.hpp"
#include "dure/base/task.hpp"
#include "dure/events/follower.hpp"
#include "dure/events/replay.hpp"

namespace dure::events {

struct Reader {
    std::string user_id;
    bool sees_everything = false;      // permission events:read
};

// Which aggregate. Without a type its id must be that of one aggregate only.
struct AggregateName {
    std::string id;
    std::optional<std::string> type;
};

struct VersionRange {
    std::int64_t from = 1;
    std::int64_t limit = 50;           // 1 to 100
};

struct AggregatePage {
    std::vector<model::Event> events;  // by version
    std::optional<std::int64_t> next;  // the version the next page begins with
};

struct AuditFilter {
    std::optional<std::string> user_id;
    std::optional<std::string> event_type;
    std::optional<UnixMillis> from;    // inclusive
    std::optional<UnixMillis> to;      // exclusive
    std::optional<std::int64_t> before;
    std::int64_t limit = 50;           // 1 to 100
};

struct AuditPage {
    std::vector<model::Event> events;  // newest first
    std::optional<std::int64_t> next;  // `before` of the next page
};

class EventService {
public:
    EventService(sql::Database& database, Bus& bus) : database_(database), bus_(bus) {}

    // not_found: no event of it, or none the reader may see. invalid_argument (field aggregate_type): several types.
    Task<Result<AggregatePage>> of_aggregate(Reader reader, AggregateName name, VersionRange range);
    // Also not_found: nothing happened to it yet by then. timeout: more events than the deadline leaves time for.
    Task<Result<Replayed>> replay(Reader reader, AggregateName name, ReplayEnd end, Deadline deadline);
    Task<Result<AuditPage>> audit(Reader reader, AuditFilter filter);

    Task<Result<std::int64_t>> last_position();
    Follower follow(Reader reader, std::int64_t after, std::optional<std::string> aggregate_id,
                    boost::asio::any_io_executor executor);
    // Followers are told that the server stops.
    void close() { bus_.close(); }

private:
    Task<Result<std::string>> type_of(const Reader& reader, const AggregateName& name);

    sql::Database& database_;
    Bus& bus_;
};

}  // namespace dure::events
