// The one place that decides who a caller is, from the Authorization header. A key that was found is remembered for a few
// seconds, so that a busy client costs the database one look-up per period; revoking forgets it at once.
//   header -> form and CRC -> cache by hash -> database (key, owner, role) -> Principal
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "dure/auth/principal.hpp"
#include "dure/base/clock.hpp"
#include "dure/base/error.hpp"
#include "dure/base/log.hpp"
#include "dure/base/task.hpp"
#include "dure/config/settings.hpp"

namespace dure::sql {
class Database;
}

namespace dure::auth {

class Authenticator {
public:
    struct Options {
        std::chrono::milliseconds remembered{5000};  // a change made elsewhere counts after this at the latest
        std::size_t entries = 10000;
    };

    // database, clock and logger must outlive it.
    Authenticator(sql::Database& database, const Clock& clock, Logger& logger, const config::Auth& settings);
    Authenticator(sql::Database& database, const Clock& clock, Logger& logger, const config::Auth& settings,
                  Options options);
    ~Authenticator();

    // Everything but a good key of an active owner is unauthenticated (reason "invalid_api_key"). Without accounts every
    // caller is the built-in local developer and the header is not read. unavailable when the database cannot answer.
    Task<Result<Principal>> authenticate(std::optional<std::string_view> authorization);

    // Nobody is let in by what was remembered of this key or user any more. Thread-safe, at once.
    void forget_key(std::string_view hash);
    void forget_user(std::string_view user_id);

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace dure::auth
