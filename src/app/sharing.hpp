// What replicas share: live sessions, rate limits, limits on guessing, events and revocations, through Redis when there is one, else in this
// process; tickets also through PostgreSQL.
#pragma once

#include <memory>

#include "dure/auth/authenticator.hpp"
#include "dure/auth/budgets.hpp"
#include "dure/auth/guess_limiter.hpp"
#include "dure/auth/rate_limiter.hpp"
#include "dure/auth/tickets.hpp"
#include "dure/base/cores.hpp"
#include "dure/config/settings.hpp"
#include "dure/events/bus.hpp"
#include "dure/model/spending.hpp"
#include "dure/redis/client.hpp"
#include "dure/sessions/live_sessions.hpp"
#include "dure/sql/database.hpp"

namespace dure::app {

struct Sharing {
    std::shared_ptr<redis::Client> redis;  // null: this process is alone
    std::unique_ptr<sessions::LiveSessions> live_sessions;
    std::unique_ptr<auth::RateLimiter> limiter;
    std::unique_ptr<auth::GuessLimiter> guesses;
    std::unique_ptr<events::Bus> bus;
    std::unique_ptr<auth::Tickets> tickets;
};

// invalid_argument when redis.url is malformed. That Redis does not answer is no reason not to start.
Result<Sharing> make_sharing(const config::Settings& settings, sql::Database& database, Cores& cores,
                             const Clock& clock, Logger& logger);

// Limits on tokens and cost. What they refer to outlives them.
std::unique_ptr<model::Budget> make_budget(const Sharing& sharing, auth::BudgetParts parts);

// What one replica forgets, all forget. The authenticator must outlive the cores' threads.
void share_revocations(const Sharing& sharing, auth::Authenticator& authenticator);

}  // namespace dure::app
