// How a database means to answer a query, as text that names the indexes it takes.
#pragma once

#include <stdexcept>
#include <string>

#include "dure/sql/database.hpp"

namespace dure::test {

inline std::string query_plan(sql::Database& database, const std::string& query)
{
    const bool sqlite = database.dialect() == sql::Dialect::sqlite;
    const auto rows = database.run_now([&](sql::Connection& c) -> Result<sql::Rows> {
        if (!sqlite)   // of an empty table everything is read faster
            if (auto off = c.run_script("SET LOCAL enable_seqscan = off"); !off)
                return off.error();
        return c.query((sqlite ? "EXPLAIN QUERY PLAN " : "EXPLAIN ") + query);
    });
    if (!rows)
        throw std::runtime_error(rows.error().message());
    std::string plan;
    for (const auto row : *rows)
        plan += row.text(sqlite ? "detail" : "QUERY PLAN") + "\n";
    return plan;
}

}  // namespace dure::test
