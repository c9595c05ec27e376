// Accounts: register, log in, log out, own profile; see accounts.hpp. What goes by mail stands in account_mails.cpp.
#include "dure/auth/accounts.hpp"

#include "auth/account_rules.hpp"
#include "dure/auth/authenticator.hpp"
#include "dure/auth/guess_limiter.hpp"
#include "dure/auth/passwords.hpp"
#include "dure/auth/tokens.hpp"
#include "dure/base/text.hpp"
#include "dure/sql/database.hpp"
#include "dure/store/ended_tokens.hpp"
#include "dure/store/users.hpp"

namespace dure::auth {

namespace entrance {

constexpr std::size_t longest_name = 320;

Error too_many(std::chrono::seconds wait)
{
    return Error(Errc::rate_limited, "Too many attempts, try again later.")
        .reason("too_many_attempts")
        .retry_after(wait);
}

// Whose guesses these are: both names of an account count as one.
std::string guessed_account(const std::optional<model::User>& user, const std::string& name)
{
    return user ? "user " + user->id : "name " + ascii_lower(utf8_prefix(name, longest_name));
}

}  // namespace entrance

Task<Result<Account>> Accounts::enroll(Registration wanted, model::Actor actor)
{
    if (parts_.settings.registration != "open")
        co_return Error(Errc::permission_denied, "Registration is closed.").reason("registration_closed");
    const auto wait =
        co_await parts_.guesses.count("register", actor.address, registrations_per_hour, std::chrono::hours(1));
    if (wait)
        co_return entrance::too_many(*wait);
    if (auto fine = rules::check_names(wanted.email, wanted.username); !fine)
        co_return fine.error();
    if (auto fine = check_new_password(wanted.password.reveal(), wanted.email); !fine)
        co_return fine.error();
    auto hash = co_await parts_.passwords.hash(wanted.password);
    if (!hash)
        co_return hash.error();
    model::User user;
    user.id = new_id();
    user.email = wanted.email;
    user.username = wanted.username;
    user.password_hash = std::move(*hash);
    user.created_at = user.updated_at = parts_.clock.now();
    actor.user_id = user.id;
    co_return co_await parts_.journal.write([&](sql::Connection& connection, events::Batch& batch) -> Result<Account> {
        auto stored = store::Users(connection).insert(user);
        if (!stored && stored.error().code() == Errc::conflict)
            return rules::word("REGISTER_USER_ALREADY_EXISTS");
        if (!stored)
            return stored.error();
        batch.add(rules::user_event(
            actor, user, "UserRegistered",
            {{"email", user.email}, {"role", user.role}, {"is_active", true}, {"is_verified", false}}));
        return rules::with_permissions(connection, user);
    });
}

// not_found for whatever cannot be a name.
Task<Result<model::User>> Accounts::known_by_login(const std::string& name)
{
    if (name.empty() || name.size() > entrance::longest_name || !valid_utf8(name) ||
        name.find('\0') != std::string::npos)
        co_return Error(Errc::not_found, "No such user.");
    co_return co_await parts_.database.read(
        [&](sql::Connection& connection) { return store::Users(connection).find_by_login(name); });
}

Task<Result<void>> Accounts::count_guess(const std::string& account, const std::string& user_id,
                                         const model::Actor& actor)
{
    const auto verdict = co_await parts_.guesses.begin(account, actor.address);
    if (!verdict.wait)
        co_return Result<void>();
    if (verdict.first_refusal)
        if (auto recorded = co_await record(user_id, "UserLoginLimited", actor); !recorded)
            co_return recorded;
    co_return entrance::too_many(*verdict.wait);
}

// For names nobody has, the event stands alone: what was typed may be a password in the wrong field and is not kept.
Task<Result<void>> Accounts::record(const std::string& user_id, const char* type, const model::Actor& actor)
{
    auto event = events::event_by(actor, user_id.empty() ? "LoginAttempt" : "User",
                                  user_id.empty() ? new_id() : user_id, type, Json::object(), user_id);
    auto recorded = co_await parts_.journal.append(std::move(event));
    if (!recorded)
        co_return recorded.error();
    co_return Result<void>();
}

// The same work whether the user is known or not.
Task<Result<bool>> Accounts::password_fits(const std::optional<model::User>& user, SecretString password)
{
    if (!user || !user->password_hash)
        co_return co_await parts_.passwords.verify_nothing(std::move(password));
    auto fits = co_await parts_.passwords.verify(std::move(password), *user->password_hash);
    if (!fits)
        co_return fits.error();
    co_return *fits && user->is_active;
}

Task<Result<SecretString>> Accounts::login(std::string name, SecretString password, model::Actor actor)
{
    auto found = co_await known_by_login(name);
    if (!found && found.error().code() != Errc::not_found)
        co_return found.error();
    const auto user = found ? std::optional(std::move(*found)) : std::nullopt;
    const auto user_id = user ? user->id : std::string();
    const auto account = entrance::guessed_account(user, name);
    if (auto counted = co_await count_guess(account, user_id, actor); !counted)
        co_return counted.error();
    auto fits = co_await password_fits(user, password);
    if (!fits) {
        co_await parts_.guesses.undo(account, actor.address);
        co_return fits.error();
    }
    if (!*fits) {
        if (auto recorded = co_await record(user_id, "UserLoginFailed", actor); !recorded)
            co_return recorded.error();
        co_return rules::word("LOGIN_BAD_CREDENTIALS");
    }
    co_await parts_.guesses.succeeded(account, actor.address);
    actor.user_id = user_id;
    auto recorded = co_await parts_.journal.append(rules::user_event(actor, *user, "UserLoggedIn", Json::object()));
    if (!recorded)
        co_return recorded.error();
    co_await rehash(*user, std::move(password));
    Claims claims;
    claims.subject = user->id;
    claims.version = user->token_version;
    co_return parts_.tokens->access.sign(std::move(claims), parts_.clock.now());
}

// Parameters rise with the years; only at a login is the password there to follow them.
Task<void> Accounts::rehash(const model::User& user, SecretString password)
{
    if (!parts_.passwords.needs_rehash(*user.password_hash))
        co_return;
    const auto hash = co_await parts_.passwords.hash(std::move(password));
    Result<void> stored;
    if (hash)
        stored = co_await parts_.database.write([&](sql::Connection& connection) {
            return store::Users(connection).replace_hash(user.id, *user.password_hash, *hash);
        });
    if (!hash || !stored)   // the old hash is still good
        parts_.logger.warn("password hash not renewed", {{"user_id", user.id}});
}

Task<Result<void>> Accounts::logout(Principal caller, bool everywhere, model::Actor actor)
{
    const auto now = parts_.clock.now();
    auto ended = co_await parts_.journal.write([&](sql::Connection& connection, events::Batch& batch) -> Result<void> {
        store::Users users(connection);
        auto user = users.find_for_update(caller.user_id);
        if (!user)
            return user.error();
        batch.add(
            rules::user_event(actor, *user, everywhere ? "UserLoggedOutEverywhere" : "UserLoggedOut", Json::object()));
        if (!everywhere)
            return store::EndedTokens(connection).end(caller.token_id, caller.user_id, caller.token_expires_at, now);
        ++user->token_version;
        return users.update(*user);
    });
    parts_.authenticator.forget_user(caller.user_id);
    co_return ended;
}

Task<Result<Account>> Accounts::find(std::string user_id)
{
    co_return co_await parts_.database.read([&](sql::Connection& connection) -> Result<Account> {
        auto user = store::Users(connection).find(user_id);
        if (!user)
            return user.error();
        return rules::with_permissions(connection, std::move(*user));
    });
}

Task<Result<Account>> Accounts::change_own(std::string user_id, AccountChange change, model::Actor actor)
{
    change.role.reset();
    change.is_active.reset();
    change.is_verified.reset();
    co_return co_await rules::change_user(parts_, std::move(user_id), std::move(change), std::move(actor),
                                          [](sql::Connection&, const model::User&) { return Result<void>(); });
}

}  // namespace dure::auth
