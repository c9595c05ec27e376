// Removes the oldest rows of a table whose ids ascend with time. Only the first rows by id are looked at: no index over the
// times is needed, and the work of one call is bounded.
#pragma once

#include <string>

#include "dure/base/clock.hpp"
#include "dure/sql/connection.hpp"

namespace dure::store {

// `table` and `time` are fixed names of this module, never input.
inline Result<std::int64_t> forget_oldest(sql::Connection& connection, const std::string& table,
                                          const std::string& time, UnixMillis before, std::int64_t most)
{
    return connection.execute("DELETE FROM " + table + " WHERE id IN (SELECT id FROM (SELECT id, " + time + " FROM " +
                                  table + " ORDER BY id LIMIT $2) AS oldest WHERE " + time + " < $1)",
                              before, most);
}

}  // namespace dure::store
