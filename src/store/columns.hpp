// What the repositories share: pages, lists kept as JSON texts, and the outcomes of statements.
#pragma once

#include <algorithm>
#include <limits>
#include <vector>

#include "dure/base/json.hpp"
#include "dure/sql/outcomes.hpp"
#include "dure/store/page.hpp"

namespace dure::store {

using sql::missing;
using sql::must_change;
using sql::read_all;
using sql::read_number;
using sql::read_one;
using sql::without_count;

inline std::int64_t limit_of(const Page& page)
{
    return std::clamp<std::int64_t>(page.limit, 1, 100);
}

// Where a page begins when the rows come oldest first, or newest first.
inline Position ascending_start(const Page& page)
{
    return page.after.value_or(Position{std::numeric_limits<std::int64_t>::min(), ""});
}

inline Position descending_start(const Page& page)
{
    return page.after.value_or(Position{std::numeric_limits<std::int64_t>::max(), ""});
}

inline std::optional<std::string> list_text(const std::optional<std::vector<std::string>>& list)
{
    return list ? std::optional(dump(Json(*list))) : std::nullopt;
}

inline std::optional<std::vector<std::string>> list_of(const std::optional<std::string>& text)
{
    return text ? std::optional(Json::parse(*text).get<std::vector<std::string>>()) : std::nullopt;
}

// Of a query with a bound of texts.
template <class Read>
auto read_listed(const Result<sql::Rows>& rows, Read read) -> Result<Listed<decltype(read(rows->front()))>>
{
    if (!rows)
        return rows.error();
    Listed<decltype(read(rows->front()))> listed;
    listed.cut = rows->cut();
    listed.reserve(rows->size());
    for (const auto row : *rows)
        listed.push_back(read(row));
    return listed;
}

}  // namespace dure::store
