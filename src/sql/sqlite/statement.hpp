// Statement: one prepared SQLite statement with its parameters resolved. `$n` is a *named* parameter to SQLite,
// numbered by first appearance, so each $n is looked up once when the statement is prepared.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dure/sql/value.hpp"

namespace dure::sql {

// What a SQLite result code means to a caller; `action` goes into the log detail.
Error sqlite_error(int code, sqlite3* handle, std::string_view action);

class Statement {
public:
    // Errors: internal for SQL that does not parse, holds several statements, or has other parameters than $1 … $n.
    static Result<Statement> prepare(sqlite3* handle, std::string_view sql);

    // All of them. invalid_argument for texts that no dialect can keep. The views must stay until reset().
    Result<void> bind(std::span<const Param> params);
    // SQLITE_ROW, SQLITE_DONE, or an error code.
    int step() { return sqlite3_step(statement_.get()); }
    // Gives the bytes of its texts.
    std::size_t append_row(Rows& rows) const;
    Rows empty_rows() const { return Rows(columns_); }
    void reset();

private:
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
    };

    Statement() = default;
    Result<void> resolve_parameters(std::string_view sql);
    void read_columns();

    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
    std::vector<int> positions_;  // of $1, $2 …
    std::shared_ptr<const std::vector<std::string>> columns_;
};

}  // namespace dure::sql
