// API keys of users: made, listed, revoked. A key is shown once, when it is made; afterwards only its prefix.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dure/auth/principal.hpp"
#include "dure/base/clock.hpp"
#include "dure/base/error.hpp"
#include "dure/base/secret.hpp"
#include "dure/base/task.hpp"
#include "dure/model/records.hpp"

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
};

struct MadeKey {
    model::ApiKey record;
    SecretString key;
};

class KeyService {
public:
    static constexpr std::int64_t most_keys = 100;         // of one owner, in force

    KeyService(sql::Database& database, Authenticator& authenticator, const Clock& clock)
        : database_(database), authenticator_(authenticator), clock_(clock)
    {}

    // invalid_argument with the field in param(); permission_denied: a permission the owner does not have; not_found: no such
    // owner; conflict: too many keys.
    Task<Result<MadeKey>> create(std::string owner_id, NewKey wanted);
    Task<Result<std::vector<model::ApiKey>>> list(std::string owner_id);  // newest first, at most 100
    Task<Result<void>> revoke(std::string owner_id, std::string key_id);  // counts at once in this process

    // The same inside of a unit of work that the caller runs: first start, command line.
    static Result<MadeKey> create_in(sql::Connection& connection, const std::string& owner_id, const NewKey& wanted,
                                     UnixMillis now);

private:
    sql::Database& database_;
    Authenticator& authenticator_;
    const Clock& clock_;
};

}  // namespace dure::auth
