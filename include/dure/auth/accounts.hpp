// Accounts as their owners use them: register, log in and out, forgotten passwords, verified addresses, own profile. The
// wire words are those of FastAPI Users (LOGIN_BAD_CREDENTIALS …), as the error's message and reason.
//   login: limits -> row -> argon2id on its own pool -> token
// Nothing here tells a stranger whether an account exists: unknown names cost the same hash, forgotten passwords of
// unknown addresses the same answer. (Registration does tell, as FastAPI Users does; it is limited per address.)
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dure/auth/principal.hpp"
#include "dure/base/error.hpp"
#include "dure/base/log.hpp"
#include "dure/base/secret.hpp"
#include "dure/base/task.hpp"
#include "dure/config/settings.hpp"
#include "dure/model/event.hpp"
#include "dure/model/records.hpp"

namespace dure::events {
class Batch;
class Journal;
}  // namespace dure::events
namespace dure::mail {
class Outgoing;
}
namespace dure::sql {
class Connection;
class Database;
}  // namespace dure::sql

namespace dure::auth {

class Authenticator;
class GuessLimiter;
class Passwords;
struct Tokens;

// A user with what the role allows now.
struct Account {
    model::User user;
    std::vector<std::string> permissions;
};

// What is wrong with an address and a user name, each where it stands in a body.
std::vector<FieldProblem> problems_of_names(const std::optional<std::string>& email,
                                            const std::optional<std::string>& username);

struct Registration {
    std::string email;
    SecretString password;
    std::optional<std::string> username;
};

// What is absent stays as it is.
struct AccountChange {
    std::optional<std::string> email;
    std::optional<std::string> username;
    std::optional<SecretString> password;
    // For administrators only; never read from a request about oneself.
    std::optional<std::string> role;
    std::optional<bool> is_active;
    std::optional<bool> is_verified;
};

struct AccountParts {
    sql::Database& database;
    events::Journal& journal;
    const Clock& clock;
    Logger& logger;
    Authenticator& authenticator;
    Passwords& passwords;
    GuessLimiter& guesses;
    mail::Outgoing& mail;
    std::shared_ptr<const Tokens> tokens;
    const config::Auth& settings;
};

class Accounts {
public:
    static constexpr std::int64_t registrations_per_hour = 20;  // of one address
    static constexpr std::int64_t mails_per_hour = 5;  // of one kind to one account

    // What the parts refer to outlives it.
    explicit Accounts(AccountParts parts) : parts_(std::move(parts)) {}

    Task<Result<Account>> enroll(Registration wanted, model::Actor actor);
    // `name`: e-mail address or user name. The access token.
    Task<Result<SecretString>> login(std::string name, SecretString password, model::Actor actor);
    // Ends the token; with `everywhere`, every token of the user.
    Task<Result<void>> logout(Principal caller, bool everywhere, model::Actor actor);

    // Succeeds whatever the address is; a mail goes out only if it is one of an active account.
    Task<Result<void>> forgot_password(std::string email, model::Actor actor);
    Task<Result<void>> reset_password(SecretString token, SecretString password, model::Actor actor);
    Task<Result<void>> request_verification(std::string email, model::Actor actor);
    Task<Result<Account>> verify(SecretString token, model::Actor actor);

    Task<Result<Account>> find(std::string user_id);
    // E-mail, user name and password only.
    Task<Result<Account>> change_own(std::string user_id, AccountChange change, model::Actor actor);

private:
    Task<Result<model::User>> known_by_login(const std::string& name);
    Task<Result<void>> count_guess(const std::string& account, const std::string& user_id, const model::Actor& actor);
    Task<Result<bool>> password_fits(const std::optional<model::User>& user, SecretString password);
    Task<void> rehash(const model::User& user, SecretString password);
    Task<Result<void>> record(const std::string& user_id, const char* type, const model::Actor& actor);
    Task<Result<std::optional<model::User>>> mail_target(const std::string& kind, const std::string& email);

    AccountParts parts_;
};

}  // namespace dure::auth
