// Attempts at model providers: written in masses (see write_behind.hpp), read by whoever looks into the database.
#pragma once

#include <span>

#include "dure/model/attempt.hpp"
#include "dure/sql/connection.hpp"

namespace dure::store {

class Attempts {
public:
    explicit Attempts(sql::Connection& connection) : connection_(connection) {}

    // Multi-row statements; all of them or none.
    Result<void> insert(std::span<const model::AttemptRow> rows);
    // Of the `most` oldest rows those that began before that time; how many have gone.
    Result<std::int64_t> forget(UnixMillis before, std::int64_t most);

private:
    sql::Connection& connection_;
};

}  // namespace dure::store
