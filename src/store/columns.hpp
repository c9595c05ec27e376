// What the repositories share: pages, lists kept as JSON texts, and the outcome of statements that must hit one row.
#pragma once

#include <algorithm>
#include <limits>
#include <vector>

#include "dure/base/json.hpp"
#include "dure/sql/connection.hpp"
#include "dure/store/page.hpp"

namespace dure::store {

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

inline Error missing(std::string_view what)
{
    return Error(Errc::not_found, "No such " + std::string(what) + ".");
}

// not_found unless the statement changed a row.
inline Result<void> must_change(const Result<std::int64_t>& changed, std::string_view what)
{
    if (!changed)
        return changed.error();
    if (*changed == 0)
        return missing(what);
    return {};
}

inline Result<void> without_count(const Result<std::int64_t>& changed)
{
    if (!changed)
        return changed.error();
    return {};
}

template <class Read>
auto read_all(const Result<sql::Rows>& rows, Read read) -> Result<std::vector<decltype(read(rows->front()))>>
{
    if (!rows)
        return rows.error();
    std::vector<decltype(read(rows->front()))> all;
    all.reserve(rows->size());
    for (const auto row : *rows)
        all.push_back(read(row));
    return all;
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

template <class Read>
auto read_one(const Result<sql::Rows>& rows, Read read, std::string_view what) -> Result<decltype(read(rows->front()))>
{
    if (!rows)
        return rows.error();
    if (rows->empty())
        return missing(what);
    return read(rows->front());
}

inline Result<std::int64_t> read_number(const Result<sql::Rows>& rows)
{
    if (!rows)
        return rows.error();
    return rows->front().integer(0);
}

}  // namespace dure::store
