// What goes into a statement and what comes out: Param (a view of a bound value) and Rows / Row (an owned result).
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "dure/base/error.hpp"

namespace dure::sql {

// A bound value. Texts are viewed, not copied: they must outlive the call they are given to.
class Param {
public:
    using Value = std::variant<std::nullptr_t, std::int64_t, double, std::string_view>;

    Param(std::nullptr_t) : value_(nullptr) {}
    Param(std::nullopt_t) : value_(nullptr) {}
    Param(std::integral auto number) : value_(static_cast<std::int64_t>(number)) {}   // bool: 0 or 1
    Param(std::floating_point auto number) : value_(static_cast<double>(number)) {}
    Param(std::string_view text) : value_(text) {}
    Param(const std::string& text) : value_(std::string_view(text)) {}
    Param(const char* text) : value_(std::string_view(text)) {}
    template <class T>
    Param(const std::optional<T>& maybe) : value_(maybe ? Param(*maybe).value_ : Value(nullptr))
    {}

    const Value& value() const { return value_; }

private:
    Value value_;
};

class Rows;

// One row of a result; valid as long as its Rows. A getter of another type than the column's, an unknown column name
// and NULL in a getter that is not `maybe_…` are broken invariants and throw.
class Row {
public:
    Row(const Rows& rows, std::size_t index) : rows_(&rows), index_(index) {}

    const std::string& text(std::string_view column) const;
    std::int64_t integer(std::string_view column) const;
    double real(std::string_view column) const;   // integers too
    bool flag(std::string_view column) const { return integer(column) != 0; }
    std::optional<std::string> maybe_text(std::string_view column) const;
    std::optional<std::int64_t> maybe_integer(std::string_view column) const;
    bool is_null(std::string_view column) const;

    const std::string& text(std::size_t column) const;
    std::int64_t integer(std::size_t column) const;
    double real(std::size_t column) const;
    bool is_null(std::size_t column) const;

private:
    const Rows* rows_;
    std::size_t index_;
};

class Rows {
public:
    using Cell = std::variant<std::nullptr_t, std::int64_t, double, std::string>;

    Rows() = default;
    // For drivers, which share the names between the results of one statement; cells come row by row.
    explicit Rows(std::shared_ptr<const std::vector<std::string>> columns) : columns_(std::move(columns))
    {
        cells_.reserve(columns_->size());
    }
    void append(Cell cell) { cells_.push_back(std::move(cell)); }
    void set_cut() { cut_ = true; }
    // Of a query with a bound of texts: there are rows behind the last.
    bool cut() const { return cut_; }

    std::size_t size() const { return cells_.empty() ? 0 : cells_.size() / columns_->size(); }
    bool empty() const { return cells_.empty(); }
    Row operator[](std::size_t index) const;
    Row front() const { return (*this)[0]; }

    class Iterator {
    public:
        Iterator(const Rows& rows, std::size_t index) : rows_(&rows), index_(index) {}
        Row operator*() const { return Row(*rows_, index_); }
        Iterator& operator++()
        {
            ++index_;
            return *this;
        }
        bool operator==(const Iterator& other) const { return index_ == other.index_; }

    private:
        const Rows* rows_;
        std::size_t index_;
    };
    Iterator begin() const { return {*this, 0}; }
    Iterator end() const { return {*this, size()}; }

    const Cell& cell(std::size_t row, std::size_t column) const;
    std::size_t column(std::string_view name) const;

private:
    std::shared_ptr<const std::vector<std::string>> columns_;
    std::vector<Cell> cells_;
    bool cut_ = false;
};

}  // namespace dure::sql
