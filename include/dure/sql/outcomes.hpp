// What repositories make of the outcome of a statement: records of its rows, and not_found where there is none.
#pragma once

#include <vector>

#include "dure/sql/connection.hpp"

namespace dure::sql {

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
auto read_all(const Result<Rows>& rows, Read read) -> Result<std::vector<decltype(read(rows->front()))>>
{
    if (!rows)
        return rows.error();
    std::vector<decltype(read(rows->front()))> all;
    all.reserve(rows->size());
    for (const auto row : *rows)
        all.push_back(read(row));
    return all;
}

template <class Read>
auto read_one(const Result<Rows>& rows, Read read, std::string_view what) -> Result<decltype(read(rows->front()))>
{
    if (!rows)
        return rows.error();
    if (rows->empty())
        return missing(what);
    return read(rows->front());
}

inline Result<std::int64_t> read_number(const Result<Rows>& rows)
{
    if (!rows)
        return rows.error();
    return rows->front().integer(0);
}

}  // namespace dure::sql
