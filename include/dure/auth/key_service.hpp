// API keys of users: made, listed, revoked, rotated. A key is shown once, when it is made; afterwards only its prefix.
// Every change is an event of the key, in the same transaction.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dure/auth/principal.hpp"
#include "dure/base/clock.hpp"
#include "dure/base/error.hpp"
#include "dure/base/secret.hpp"
#include "dure/base/task.hpp"
#include "dure/model/event.hpp"
#include "dure/model/records.hpp"

namespace dure::events {
class Batch;
class Journal;
}  // namespace dure::events
namespace dure::sql {
class Connection;
class Database;
}  // namespace dure::sql

namespace dure::auth {

class Authenticator;

struct NewKey {
    std::string name;
    std::optional<std::vector<std::string>> permissions;   // empty: all of the owner's, as they are at each use
    std::optional<std::vector<std::string>> models;        // empty: all
    std::optional<UnixMillis> expires_at;
    model::SpendLimits limits = {};                        // of its calls, beside those of the owner
};

struct MadeKey {
    model::ApiKey record;
    SecretString key;
};

struct KeyList {
    std::vector<model::ApiKey> keys;
    std::int64_t total = 0;                                // of the owner, on all pages
};

class KeyService {
public:
    static constexpr std::int64_t most_keys = 100;         // of one owner, in force
    static constexpr std::chrono::hours overlap{24};       // of the old and the new key of a rotation, unless said

    KeyService(sql::Database& database, events::Journal& journal, Authenticator& authenticator, const Clock& clock)
        : database_(database), journal_(journal), authenticator_(authenticator), clock_(clock)
    {}

    // invalid_argument with the field in param(); permission_denied: a permission the owner does not have; not_found: no such
    // owner; conflict: too many keys.
    Task<Result<MadeKey>> create(std::string owner_id, NewKey wanted, model::Actor actor = {});
    // Newest first, the ended ones too: `limit` of them behind the first `passed`.
    Task<Result<KeyList>> list(std::string owner_id, std::int64_t limit, std::int64_t passed = 0);
    // Counts at once in this process.
    Task<Result<void>> revoke(std::string owner_id, std::string key_id, model::Actor actor = {});
    // Anybody's key, by somebody who may manage users. permission_denied: its owner has a permission that `by` has not.
    Task<Result<void>> revoke_of_anybody(Principal by, std::string key_id, model::Actor actor = {});
    // A new key like the old one, which goes on until `old_until` (absent: `overlap` from now), or its own end if that is
    // sooner. A key with an end gets one as far away as it was when it was made. conflict: it is no longer in force.
    Task<Result<MadeKey>> rotate(std::string owner_id, std::string key_id, std::optional<UnixMillis> old_until,
                                 model::Actor actor);

    // The same inside of a unit of work that the caller runs, who stores the batch: first start, command line.
    static Result<MadeKey> create_in(sql::Connection& connection, events::Batch& batch, const std::string& owner_id,
                                     const NewKey& wanted, UnixMillis now, const model::Actor& actor = {});

private:
    // The key is there and may be revoked, or why not.
    using FindKey = std::function<Result<model::ApiKey>(sql::Connection&)>;
    Task<Result<void>> revoke_found(FindKey find, std::string key_id, model::Actor actor);

    sql::Database& database_;
    events::Journal& journal_;
    Authenticator& authenticator_;
    const Clock& clock_;
};

}  // namespace dure::auth
