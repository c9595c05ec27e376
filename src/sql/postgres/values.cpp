// Texts of values, and values of texts; see values.hpp.
#include "sql/postgres/values.hpp"

#include <array>
#include <charconv>

namespace dure::sql {

namespace {

// From pg_type: the fixed numbers of built-in types.
namespace pg_type {
constexpr pqxx::oid boolean = 16;
constexpr pqxx::oid int8 = 20;
constexpr pqxx::oid int2 = 21;
constexpr pqxx::oid int4 = 23;
constexpr pqxx::oid float4 = 700;
constexpr pqxx::oid float8 = 701;
constexpr pqxx::oid numeric = 1700;
}  // namespace pg_type

template <class Number>
std::optional<Number> number_in(std::string_view text)
{
    Number number{};
    const auto* end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, number);
    if (read.ec != std::errc() || read.ptr != end)
        return std::nullopt;
    return number;
}

Rows::Cell numeric_cell(std::string_view text)
{
    if (const auto whole = number_in<std::int64_t>(text))
        return *whole;
    if (const auto real = number_in<double>(text))
        return *real;
    return std::string(text);
}

}  // namespace

std::string postgres_text(const Param::Value& value)
{
    if (const auto* number = std::get_if<std::int64_t>(&value))
        return std::to_string(*number);
    if (const auto* real = std::get_if<double>(&value)) {
        std::array<char, 64> text{};
        return {text.data(), std::to_chars(text.data(), text.data() + text.size(), *real).ptr};
    }
    if (const auto* text = std::get_if<std::string_view>(&value))
        return std::string(*text);
    return {};
}

Rows::Cell postgres_cell(const pqxx::field& field, pqxx::oid type)
{
    if (field.is_null())
        return nullptr;
    const std::string_view text(field.c_str(), field.size());
    switch (type) {
    case pg_type::boolean: return std::int64_t{text == "t"};
    case pg_type::int8:
    case pg_type::int2:
    case pg_type::int4:
    case pg_type::numeric: return numeric_cell(text);
    case pg_type::float4:
    case pg_type::float8:
        if (const auto real = number_in<double>(text))
            return *real;
        break;
    default: break;
    }
    return std::string(text);
}

}  // namespace dure::sql
