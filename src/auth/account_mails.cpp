// Accounts: what goes by mail, forgotten passwords and verified addresses. A token is bound to what it changes, so that it
// works once: a reset token to the password hash and the address it replaces, a verification token to the address.
#include <openssl/crypto.h>

#include "auth/account_rules.hpp"
#include "dure/auth/accounts.hpp"
#include "dure/auth/authenticator.hpp"
#include "dure/auth/guess_limiter.hpp"
#include "dure/auth/passwords.hpp"
#include "dure/auth/tokens.hpp"
#include "dure/base/text.hpp"
#include "dure/mail/mail.hpp"
#include "dure/sql/database.hpp"
#include "dure/store/users.hpp"

namespace dure::auth {

namespace by_mail {

std::string reset_mark(const model::User& user)
{
    return base64url(sha256(user.password_hash.value_or("") + '\n' + ascii_lower(user.email)));
}

std::string verify_mark(const model::User& user)
{
    return base64url(sha256(ascii_lower(user.email)));
}

bool same(const std::string& a, const std::string& b)
{
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

mail::Mail reset_mail(const model::User& user, const SecretString& token)
{
    return {user.email, "Reset your password",
            "Somebody asked for a new password for your account. If it was you, use this code within an hour:\n\n" +
                std::string(token.reveal()) +
                "\n\nIf it was not you, nothing has changed and there is nothing to do.\n"};
}

mail::Mail verify_mail(const model::User& user, const SecretString& token)
{
    return {user.email, "Verify your e-mail address",
            "Use this code within an hour to show that this address is yours:\n\n" + std::string(token.reveal()) +
                "\n\nIf you did not ask for it, there is nothing to do.\n"};
}

// The user of a token that fits him as he is now; not_found in every other case.
template <class Mark>
Result<model::User> holder(sql::Connection& connection, const Claims& claims, Mark mark)
{
    auto user = store::Users(connection).find_for_update(claims.subject);
    if (!user)
        return user.error();
    if (!user->is_active || claims.bound.empty() || !same(mark(*user), claims.bound))
        return Error(Errc::not_found, "The token is of no use any more.");
    return user;
}

}  // namespace by_mail

// The active account behind an address, if a mail may go there. Whatever is found, it costs the same.
Task<Result<std::optional<model::User>>> Accounts::mail_target(const std::string& kind, const std::string& email)
{
    if (!mail::valid_address(email) ||
        co_await parts_.guesses.count(kind, ascii_lower(email), mails_per_hour, std::chrono::hours(1)))
        co_return std::optional<model::User>();
    auto user = co_await parts_.database.read(
        [&](sql::Connection& connection) { return store::Users(connection).find_by_email(email); });
    if (!user && user.error().code() != Errc::not_found)
        co_return user.error();
    if (!user || !user->is_active)
        co_return std::optional<model::User>();
    co_return std::optional<model::User>(std::move(*user));
}

Task<Result<void>> Accounts::forgot_password(std::string email, model::Actor actor)
{
    const auto user = co_await mail_target("forgot", email);
    if (!user)
        co_return user.error();
    if (*user) {
        const auto token = parts_.tokens->reset.sign(
            {(*user)->id, {}, (*user)->token_version, by_mail::reset_mark(**user)}, parts_.clock.now());
        if (!parts_.mail.enqueue(by_mail::reset_mail(**user, token)))
            parts_.logger.warn("reset mail not queued", {{"user_id", (*user)->id}});
    }
    co_return co_await record(*user ? (*user)->id : std::string(), "PasswordForgotten", actor);
}

Task<Result<void>> Accounts::reset_password(SecretString token, SecretString password, model::Actor actor)
{
    if (auto counted = co_await count_guess({}, {}, actor); !counted)
        co_return counted.error();
    const auto checked = parts_.tokens->reset.check(token.reveal(), parts_.clock.now());
    if (checked.fault != TokenFault::none)
        co_return rules::word("RESET_PASSWORD_BAD_TOKEN");
    const auto user = co_await parts_.database.write(
        [&](sql::Connection& connection) { return by_mail::holder(connection, checked.claims, by_mail::reset_mark); });
    if (!user && user.error().code() == Errc::not_found)
        co_return rules::word("RESET_PASSWORD_BAD_TOKEN");
    if (!user)
        co_return user.error();
    co_await parts_.guesses.succeeded({}, actor.address);
    if (auto fine = check_new_password(password.reveal(), user->email); !fine)
        co_return fine.error();
    const auto hash = co_await parts_.passwords.hash(std::move(password));
    if (!hash)
        co_return hash.error();
    actor.user_id = user->id;
    auto changed =
        co_await parts_.journal.write([&](sql::Connection& connection, events::Batch& batch) -> Result<void> {
            auto now_user =
                by_mail::holder(connection, checked.claims, by_mail::reset_mark);  // of two at once, one wins
            if (!now_user)
                return now_user.error();
            Json data = Json::object();
            rules::apply(*now_user, {}, *hash, parts_.clock.now(), data);
            batch.add(rules::user_event(actor, *now_user, "UserPasswordReset", std::move(data)));
            return store::Users(connection).update(*now_user);
        });
    parts_.authenticator.forget_user(user->id);
    if (!changed && changed.error().code() == Errc::not_found)
        co_return rules::word("RESET_PASSWORD_BAD_TOKEN");
    co_return changed;
}

Task<Result<void>> Accounts::request_verification(std::string email, model::Actor actor)
{
    const auto user = co_await mail_target("verify", email);
    if (!user)
        co_return user.error();
    if (*user && !(*user)->is_verified) {
        const auto token = parts_.tokens->verify.sign(
            {(*user)->id, {}, (*user)->token_version, by_mail::verify_mark(**user)}, parts_.clock.now());
        if (!parts_.mail.enqueue(by_mail::verify_mail(**user, token)))
            parts_.logger.warn("verification mail not queued", {{"user_id", (*user)->id}});
    }
    co_return co_await record(*user ? (*user)->id : std::string(), "VerificationRequested", actor);
}

Task<Result<Account>> Accounts::verify(SecretString token, model::Actor actor)
{
    if (auto counted = co_await count_guess({}, {}, actor); !counted)
        co_return counted.error();
    const auto checked = parts_.tokens->verify.check(token.reveal(), parts_.clock.now());
    if (checked.fault != TokenFault::none)
        co_return rules::word("VERIFY_USER_BAD_TOKEN");
    actor.user_id = checked.claims.subject;
    auto verified =
        co_await parts_.journal.write([&](sql::Connection& connection, events::Batch& batch) -> Result<Account> {
            auto user = by_mail::holder(connection, checked.claims, by_mail::verify_mark);
            if (!user && user.error().code() == Errc::not_found)
                return rules::word("VERIFY_USER_BAD_TOKEN");
            if (!user)
                return user.error();
            if (user->is_verified)
                return rules::word("VERIFY_USER_ALREADY_VERIFIED");
            AccountChange change;
            change.is_verified = true;
            Json data = Json::object();
            rules::apply(*user, change, {}, parts_.clock.now(), data);
            if (auto stored = store::Users(connection).update(*user); !stored)
                return stored.error();
            batch.add(rules::user_event(actor, *user, "UserVerified", std::move(data)));
            return rules::with_permissions(connection, std::move(*user));
        });
    if (verified)
        co_await parts_.guesses.succeeded({}, actor.address);
    co_return verified;
}

}  // namespace dure::auth
