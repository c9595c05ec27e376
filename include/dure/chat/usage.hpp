// Reports over the usage rows: tokens, cost and requests of a time, grouped as asked. Thread-safe; awaited on a core.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dure/base/error.hpp"
#include "dure/base/task.hpp"
#include "dure/model/records.hpp"

namespace dure::sql {
class Database;
}

namespace dure::chat {

struct UsageQuestion {
    std::optional<std::string> user_id;    // empty: everybody's; the caller has checked the permission
    UnixMillis from = 0;                   // inclusive
    UnixMillis to = 0;                     // exclusive
    bool by_day = false;
    bool by_model = false;
    bool by_user = false;
    bool by_key = false;
};

class UsageReports {
public:
    static constexpr std::int64_t most_rows = 5000;

    explicit UsageReports(sql::Database& database) : database_(database) {}

    // Ordered by day, model, user, key. invalid_argument "too_many_rows": nothing is cut off silently.
    Task<Result<std::vector<model::UsageTotal>>> totals(UsageQuestion question);

private:
    sql::Database& database_;
};

}  // namespace dure::chat
