// Values on their way to and from PostgreSQL; both directions are text.
#pragma once

#include <pqxx/result>
#include <string>

#include "dure/sql/value.hpp"

namespace dure::sql {

// Of a value that is not NULL.
std::string postgres_text(const Param::Value& value);

// A column's value as the type its declaration promises: whole numbers (also sums, which PostgreSQL widens to NUMERIC,
// and booleans) are integers, other numbers reals, everything else is text.
Rows::Cell postgres_cell(const pqxx::field& field, pqxx::oid type);

}  // namespace dure::sql

// Lets libpqxx bind a Param as it is.
template <>
struct pqxx::string_traits<dure::sql::Param> {
    static constexpr const char* name() noexcept { return "parameter"; }
    static constexpr bool has_null() noexcept { return true; }
    static bool is_null(const dure::sql::Param& param) { return std::holds_alternative<std::nullptr_t>(param.value()); }
    static dure::sql::Param null() { return nullptr; }
    static std::string to_string(const dure::sql::Param& param) { return dure::sql::postgres_text(param.value()); }
};
