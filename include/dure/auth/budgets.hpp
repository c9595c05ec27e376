// Limits on tokens and cost: of a user across all keys ([limits.<role>] tokens_per_minute, tokens_per_day, cost_per_day), and of
// one key beside them (KeyService). A call is charged to both accounts, or refused by either.
//   gateway -> reserve(estimate) -> the call -> settle(what it used)
// What is reserved counts as used until it is settled, so many calls at once never pass a limit together. Tokens of a minute
// refill evenly, like the buckets of requests; days are those of UTC and begin with what the usage rows of that day sum up
// to, so a restart gives nothing back. In this process, or through one Redis script that replicas share: a reservation whose
// replica died runs out there after longest_call. Without Redis each replica allows half of what is left.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string_view>

#include "dure/base/clock.hpp"
#include "dure/config/settings.hpp"
#include "dure/model/spending.hpp"

namespace dure::redis {
class Client;
}
namespace dure::sql {
class Database;
}

namespace dure::auth {

struct BudgetParts {
    sql::Database& database;
    const Clock& clock;
    const config::Settings& settings;
    // Told of each refusal: "tokens" or "cost". From any core.
    std::function<void(std::string_view scope)> refused;
};

inline constexpr std::chrono::minutes longest_call{10};

// What the parts refer to outlives it. A reservation that is settled after it has gone does nothing.
std::unique_ptr<model::Budget> in_process_budget(BudgetParts parts);
std::unique_ptr<model::Budget> redis_budget(redis::Client& redis, BudgetParts parts,
                                            std::chrono::milliseconds lease = longest_call);

}  // namespace dure::auth
