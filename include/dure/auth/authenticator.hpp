// The one place that decides who a caller is, from the Authorization header: an API key, or an access token of somebody
// who logged in. Who was found is remembered for a few seconds, so that a busy client costs the database one look-up per
// period; revoking and logging out forget at once.
//   header -> key: form and CRC   -> cache by hash -> database (key, owner, role)           -> Principal
//          -> token: signature    -> cache by hash -> database (user, version, ended, role) -> Principal
#pragma once

#include <chrono>
#include <functional>
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

namespace dure::events {
class Journal;
}
namespace dure::sql {
class Database;
}

namespace dure::auth {

class GuessLimiter;
struct Tokens;

class Authenticator {
public:
    struct Options {
        std::shared_ptr<const Tokens> tokens = nullptr;   // null: no access tokens, keys only
        GuessLimiter* guesses = nullptr;                   // null: guessing is not limited
        events::Journal* journal = nullptr;               // null: the first use of a key leaves no event
        std::chrono::milliseconds remembered{5000};  // a change made elsewhere counts after this at the latest
        std::size_t entries = 10000;
    };

    // database, clock and logger must outlive it.
    Authenticator(sql::Database& database, const Clock& clock, Logger& logger, const config::Auth& settings);
    Authenticator(sql::Database& database, const Clock& clock, Logger& logger, const config::Auth& settings,
                  Options options);
    ~Authenticator();

    // Who was found a moment ago, without waiting. Null: authenticate() says who calls, or why nobody is let in.
    std::shared_ptr<const Principal> remembered(std::optional<std::string_view> authorization) const;

    // Everything but a good credential of an active user is unauthenticated (reason "invalid_api_key"). Without accounts
    // every caller is the built-in local developer and the header is not read. unavailable when the database cannot
    // answer; rate_limited for guesses from an address that has made too many of them. Address and request id are also for the
    // event of a key's first use.
    Task<Result<Principal>> authenticate(std::optional<std::string_view> authorization, std::string_view address = {},
                                         std::string_view request_id = {});

    // While the database cannot say who calls: who was last found with this credential within the last hour, unless it was seen to have
    // ended. For what has to be seen then, as the server's numbers (threat-model §9); a revocation by another replica may be missed.
    std::shared_ptr<const Principal> last_known(std::optional<std::string_view> authorization) const;

    // Nobody is let in by what was remembered of this key or user any more. Thread-safe, at once.
    void forget_key(std::string_view hash);
    void forget_user(std::string_view user_id);
    void forget_role(std::string_view role);

    // Hands everything that is forgotten here to `announce`, for the other replicas. Before the first request.
    void announce_with(std::function<void(std::string announcement)> announce);
    // What another replica announced; not announced again. Anything else is ignored.
    void hear(std::string_view announcement);

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace dure::auth
