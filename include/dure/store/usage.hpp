// Usage rows: written in masses (see usage_writer.hpp), read as sums.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "dure/model/records.hpp"
#include "dure/sql/connection.hpp"

namespace dure::store {

struct UsageQuery {
    std::optional<std::string> user_id;    // empty: everybody's; the caller has checked the permission
    std::optional<std::string> key_id;
    UnixMillis from = 0;                   // inclusive
    UnixMillis to = 0;                     // exclusive
    bool by_day = false;
    bool by_model = false;
    bool by_user = false;
    bool by_key = false;
    std::int64_t limit = 1000;             // rows of the answer, at most 10 000
};

class Usage {
public:
    explicit Usage(sql::Connection& connection) : connection_(connection) {}

    // Multi-row statements; all of them or none.
    Result<void> insert(std::span<const model::UsageRow> rows);
    // Of the `most` oldest rows those before that time; how many have gone.
    Result<std::int64_t> forget(UnixMillis before, std::int64_t most);
    // Ordered by day, model, user, key.
    Result<std::vector<model::UsageTotal>> totals(const UsageQuery& query);

private:
    sql::Connection& connection_;
};

}  // namespace dure::store
