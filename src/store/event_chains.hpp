// EventChains: the events of an aggregate on SQLite, where each names the one before it. An index of all of them would have a page
// of its own for every aggregate that is active, and each append would write it; so the row of the aggregate names the last
// event, and an index has one of 32: a read begins at the next of those behind its end and walks back.
// Types of events are few: a table has a row for each that is among the events of 64 positions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dure/sql/connection.hpp"
#include "dure/store/events.hpp"

namespace dure::store {

// The events, with their blocks of a type: a query of it names `type`, and has no order but that of `block` and `position`.
inline const std::string events_of_blocks =
    "event_type_blocks CROSS JOIN events ON position BETWEEN block * 64 AND block * 64 + 63";
inline constexpr std::int64_t positions_of_block = 64;

class EventChains {
public:
    explicit EventChains(sql::Connection& connection) : connection_(connection) {}

    // The last event of an aggregate.
    struct End {
        std::int64_t version = 0;
        std::int64_t position = 0;
    };
    // Gives the event its position and version and stores it. False: an event of this id is there already, nothing was changed.
    Result<bool> append(model::Event& event, const std::string& data);
    // The same behind a known end (none: it is the first of its aggregate), of an event whose id is given; the new end, or nothing.
    Result<std::optional<End>> append_behind(const std::optional<End>& last, const NewEvent& event,
                                             const std::string& data, const std::string& metadata);
    // Of the aggregate's last event; 0: there is none.
    Result<std::int64_t> newest_version(std::string_view aggregate_id, std::string_view aggregate_type);
    // The reads of Events.
    Result<Listed<model::Event>> of_aggregate(const AggregateQuery& query);
    Result<std::vector<std::string>> types_of(std::string_view aggregate_id,
                                              const std::optional<std::string>& owner_id);
    // Of the aggregate that the filter names.
    Result<Listed<model::Event>> after(std::int64_t position, const EventFilter& filter, std::int64_t limit);

private:
    struct Fields {
        std::string_view event_id, aggregate_id, aggregate_type, event_type, data, metadata, owner_id, user_id;
        UnixMillis created_at;
    };
    Result<std::optional<End>> insert(const std::optional<End>& last, const Fields& event);
    Result<void> note_type(std::string_view type, std::int64_t position);

    struct Head {
        std::string aggregate_type;
        std::int64_t version = 0;
        std::int64_t position = 0;
    };
    struct Range {
        std::int64_t from_version = 1;
        std::int64_t after_position = 0;
        const std::optional<std::string>& owner_id;
        std::size_t limit = 0;
    };
    Result<std::vector<Head>> heads(std::string_view aggregate_id, const std::optional<std::string>& type);
    // What was read of one or several aggregates, and what of their texts there may still be.
    struct Found {
        Listed<model::Event> events;
        std::int64_t text_bytes_left = page_text_bytes;
        bool full(std::size_t limit) const { return events.cut || events.size() >= limit; }
    };
    // Oldest first, appended until it is full.
    Result<void> read(std::string_view aggregate_id, const Head& head, const Range& range, Found& into);
    // A version from which on every event behind the position is found, at most 32 before the first of them.
    Result<std::int64_t> version_near(std::string_view aggregate_id, const Head& head, std::int64_t position);
    // Of the event that the index has.
    Result<std::int64_t> position_of(std::string_view aggregate_id, const Head& head, std::int64_t version);

    sql::Connection& connection_;
};

}  // namespace dure::store
