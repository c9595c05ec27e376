// Rows and Row: typed access to a result; a wrong type or name is a mistake in the query's code and throws.
#include "dure/sql/value.hpp"

namespace dure::sql {

namespace {

[[noreturn]] void refuse_cell(std::string_view problem)
{
    throw InvariantBroken("result column " + std::string(problem));
}

}  // namespace

Row Rows::operator[](std::size_t index) const
{
    if (index >= size())
        throw InvariantBroken("result has no row " + std::to_string(index));
    return Row(*this, index);
}

const Rows::Cell& Rows::cell(std::size_t row, std::size_t column) const
{
    if (!columns_ || column >= columns_->size())
        refuse_cell(std::to_string(column) + " does not exist");
    return cells_.at(row * columns_->size() + column);
}

std::size_t Rows::column(std::string_view name) const
{
    for (std::size_t i = 0; columns_ && i < columns_->size(); ++i)
        if ((*columns_)[i] == name)
            return i;
    refuse_cell(std::string(name) + " does not exist");
}

const std::string& Row::text(std::size_t column) const
{
    const auto* found = std::get_if<std::string>(&rows_->cell(index_, column));
    if (!found)
        refuse_cell(std::to_string(column) + " is not a text");
    return *found;
}

std::int64_t Row::integer(std::size_t column) const
{
    const auto* found = std::get_if<std::int64_t>(&rows_->cell(index_, column));
    if (!found)
        refuse_cell(std::to_string(column) + " is not an integer");
    return *found;
}

double Row::real(std::size_t column) const
{
    const auto& cell = rows_->cell(index_, column);
    if (const auto* whole = std::get_if<std::int64_t>(&cell))
        return static_cast<double>(*whole);
    const auto* found = std::get_if<double>(&cell);
    if (!found)
        refuse_cell(std::to_string(column) + " is not a number");
    return *found;
}

bool Row::is_null(std::size_t column) const
{
    return std::holds_alternative<std::nullptr_t>(rows_->cell(index_, column));
}

const std::string& Row::text(std::string_view column) const
{
    return text(rows_->column(column));
}
std::int64_t Row::integer(std::string_view column) const
{
    return integer(rows_->column(column));
}
double Row::real(std::string_view column) const
{
    return real(rows_->column(column));
}
bool Row::is_null(std::string_view column) const
{
    return is_null(rows_->column(column));
}

std::optional<std::string> Row::maybe_text(std::string_view column) const
{
    const auto index = rows_->column(column);
    return is_null(index) ? std::nullopt : std::optional(text(index));
}

std::optional<std::int64_t> Row::maybe_integer(std::string_view column) const
{
    const auto index = rows_->column(column);
    return is_null(index) ? std::nullopt : std::optional(integer(index));
}

}  // namespace dure::sql
