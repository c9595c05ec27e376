// Rows of the events table, for those who read them.
#pragma once

#include <string>

#include "dure/model/event.hpp"
#include "dure/sql/connection.hpp"
#include "dure/store/page.hpp"

namespace dure::store {

inline const std::string event_columns = "position, event_id, aggregate_id, aggregate_type, version, event_type, data, "
                                         "metadata, owner_id, user_id, created_at";
inline constexpr std::int64_t events_limit = 1000;   // that a read gives at once

// A bound of their texts, for events in this order.
inline sql::TextBound bound_of_events(std::string_view order, std::int64_t bytes = page_text_bytes)
{
    return {bytes, "octet_length(data) + octet_length(metadata)", order};
}

model::Event event_from(const sql::Row& row);

}  // namespace dure::store
