// Paging by position: a page begins behind the last row of the one before, so that rows added meanwhile move nothing.
#pragma once

#include <optional>
#include <string>

#include "dure/base/clock.hpp"

namespace dure::store {

struct Position {
    UnixMillis created_at = 0;
    std::string id;
};

struct Page {
    std::optional<Position> after;   // empty: from the start
    std::int64_t limit = 50;         // 1 to 100; what lies outside is moved there
};

}  // namespace dure::store
