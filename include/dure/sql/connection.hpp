// A connection inside one transaction, as a unit of work sees it. Parameters are $1, $2 …; statements are prepared
// once per connection and kept. Synchronous: used on the database's threads only, never on a core. Errors: a unique
// or foreign key violation is conflict; a text with U+0000 or invalid UTF-8 is invalid_argument; busy, lost or
// failing storage is unavailable; a full disk storage_full; the statement time limit timeout; anything else internal.
// After the first failed statement the unit's transaction is over: later statements repeat that error, and the unit
// is rolled back whatever it returns. Units that expect a conflict use ON CONFLICT.
#pragma once

#include <array>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "dure/sql/value.hpp"

namespace dure::sql {

// The reason of a conflict that is a foreign key's: the row refers to one that is not there, or is still referred to.
inline constexpr std::string_view broken_reference = "broken_reference";
// Of an embedded file whose pages contradict each other, or that never was a database.
inline constexpr std::string_view damaged_database = "damaged_database";

enum class Dialect { sqlite, postgres };
std::string_view name_of(Dialect dialect);

// How much text a query may give, and what PostgreSQL has to know to count it without reading it.
struct TextBound {
    std::int64_t bytes;
    std::string_view lengths;  // SQL of the row's bytes, in columns of the result: "octet_length(content)"
    std::string_view order;  // the ORDER BY of the query, in columns of the result: "created_at, id"
};

class Connection {
public:
    virtual ~Connection() = default;

    // Rows changed.
    template <class... Params>
    Result<std::int64_t> execute(std::string_view sql, const Params&... params)
    {
        const std::array<Param, sizeof...(Params)> list{Param(params)...};
        return execute_with(sql, list);
    }

    // The result set; also of INSERT/UPDATE … RETURNING.
    template <class... Params>
    Result<Rows> query(std::string_view sql, const Params&... params)
    {
        const std::array<Param, sizeof...(Params)> list{Param(params)...};
        return query_with(sql, list);
    }

    virtual Result<std::int64_t> execute_with(std::string_view sql, std::span<const Param> params) = 0;
    virtual Result<Rows> query_with(std::string_view sql, std::span<const Param> params) = 0;
    // The first rows, as far as the one that brings their texts to the bound, so one at least when there are any; Rows::cut()
    // tells whether there are more. What lies behind is not read.
    virtual Result<Rows> query_up_to(const TextBound& bound, std::string_view sql, std::span<const Param> params) = 0;
    // Several statements without parameters and without the statement time limit: migrations only.
    virtual Result<void> run_script(std::string_view sql) = 0;
    // SQLite: the number (INTEGER PRIMARY KEY) of the row that this connection has inserted last. 0 elsewhere: there RETURNING tells it.
    virtual std::int64_t inserted_number() const { return 0; }
    // For what takes a lock that everybody waits for: done when everything else of the transaction is, also of the units that share it,
    // and just before the commit. Where nobody else writes it is done at once. An error it gives now is the unit's to return; one it
    // gives later becomes the unit's. What it refers to lives as long as the caller waits for the unit.
    virtual Result<void> at_end(std::function<Result<void>(Connection&)> work) { return work(*this); }
    // What is known to be stored, for whoever would store it again with every row. Forgotten when anything is undone; a driver where others
    // write too keeps nothing.
    virtual bool knows(std::string_view) const { return false; }
    virtual void learn(std::string) {}
    virtual Dialect dialect() const = 0;
};

}  // namespace dure::sql
