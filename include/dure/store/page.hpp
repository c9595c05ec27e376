// Paging by position: a page begins behind the last row of the one before, so that rows added meanwhile move nothing.
#pragma once

#include <optional>
#include <string>
#include <vector>

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

// The entry that brings the texts of a list to this many bytes is its last, whatever its limit.
inline constexpr std::int64_t page_text_bytes = 8 << 20;

// A part of a list. Cut: its texts ended it before its limit, there are more entries behind the last.
template <class T>
struct Listed : std::vector<T> {
    bool cut = false;
};

}  // namespace dure::store
