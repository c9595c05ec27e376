// Appends on PostgreSQL: the function append_event() of migration 0092 takes the lock of the global order, checks and inserts; several of
// them are one statement, so that the lock is held over one answer to this process, and then the commit's.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dure/model/event.hpp"
#include "dure/sql/connection.hpp"

namespace dure::store {

struct EventRow {
    const model::Event* event;
    std::string data;  // JSON
    std::optional<std::int64_t> expected_version;
};

struct AppendedRow {
    std::optional<std::int64_t> position;  // none: refused, nothing was changed
    std::int64_t version = 0;  // the event's, or the newest of its aggregate when it was refused
};

// One for each row, in their order.
Result<std::vector<AppendedRow>> append_rows(sql::Connection& connection, std::span<const EventRow> rows);

}  // namespace dure::store
