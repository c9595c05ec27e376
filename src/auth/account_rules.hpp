// What both services of accounts check and do alike: names, changes, what becomes of a user's row, the audit's words.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "dure/auth/accounts.hpp"
#include "dure/events/journal.hpp"
#include "dure/sql/connection.hpp"

namespace dure::auth::rules {

// A refusal with one of FastAPI Users' words, as message and reason.
Error word(const char* text);
Error no_such_role();

// The user with the permissions of the role as they are now.
Result<Account> with_permissions(sql::Connection& connection, model::User user);

// Size of a name of ASCII letters, digits, Hangul and `marks`; none: it holds something else.
struct NameSize {
    std::size_t characters = 0;
    std::size_t syllables = 0;   // of Hangul, among the characters
};
std::optional<NameSize> name_size(std::string_view name, std::string_view marks);

// Validation problems (422) of what was given: address, user name.
Result<void> check_names(const std::optional<std::string>& email, const std::optional<std::string>& username);

// Applies a change to the row, but for the password, which has been hashed before (empty: none). A new password, another
// role and deactivation end every token; a new address has to be verified again. What changed is added to `data`.
void apply(model::User& user, const AccountChange& change, const std::optional<std::string>& new_hash, UnixMillis now,
           Json& data);

// Checks and hashes, then changes the row in one unit with its event. `allowed` sees the row as it stands in that unit and
// may refuse. not_found; UPDATE_USER_EMAIL_ALREADY_EXISTS for a taken name; invalid_password.
Task<Result<Account>> change_user(AccountParts parts, std::string user_id, AccountChange change, model::Actor actor,
                                  std::function<Result<void>(sql::Connection&, const model::User&)> allowed);

store::NewEvent user_event(const model::Actor& actor, const model::User& user, std::string type, Json data);

}  // namespace dure::auth::rules
