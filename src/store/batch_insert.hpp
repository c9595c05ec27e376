// BatchInsert: rows of a table written in masses, as multi-row statements of a few sizes, so that there are few prepared
// statements. Texts are put together from fixed pieces; values are always bound.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "dure/sql/connection.hpp"

namespace dure::store {

class BatchInsert {
public:
    // `into`: "INSERT INTO table (…) VALUES ", naming as many columns.
    BatchInsert(const std::string& into, std::size_t columns)
    {
        for (std::size_t i = 0; i < sizes.size(); ++i)
            texts_[i] = text(into, columns, sizes[i]);
    }

    // append(params, row) binds the columns of a row in their order. The first error ends it.
    template <class Row, class Append>
    Result<void> insert(sql::Connection& connection, std::span<const Row> rows, Append append) const
    {
        std::vector<sql::Param> params;
        for (std::size_t i = 0; i < sizes.size(); ++i) {
            while (rows.size() >= sizes[i]) {
                params.clear();
                for (const auto& row : rows.first(sizes[i]))
                    append(params, row);
                if (auto inserted = connection.execute_with(texts_[i], params); !inserted)
                    return inserted.error();
                rows = rows.subspan(sizes[i]);
            }
        }
        return {};
    }

private:
    static constexpr std::array<std::size_t, 4> sizes{64, 16, 4, 1};

    static std::string text(std::string sql, std::size_t columns, std::size_t rows)
    {
        for (std::size_t row = 0; row < rows; ++row) {
            for (std::size_t column = 0; column < columns; ++column)
                sql += (column ? ", $" : row ? ", ($" : "($") + std::to_string(row * columns + column + 1);
            sql += ")";
        }
        return sql;
    }

    std::array<std::string, sizes.size()> texts_;
};

}  // namespace dure::store
