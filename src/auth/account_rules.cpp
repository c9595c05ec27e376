// See account_rules.hpp.
#include "auth/account_rules.hpp"

#include <algorithm>

#include "auth/role_lookup.hpp"
#include "dure/auth/authenticator.hpp"
#include "dure/auth/passwords.hpp"
#include "dure/base/text.hpp"
#include "dure/mail/mail.hpp"
#include "dure/sql/database.hpp"
#include "dure/store/users.hpp"

namespace dure::auth::rules {

std::optional<NameSize> name_size(std::string_view name, std::string_view marks)
{
    if (!valid_utf8(name))
        return std::nullopt;
    NameSize size;
    for (std::size_t at = 0; at < name.size(); ++size.characters) {
        const auto c = static_cast<unsigned char>(name[at]);
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                           marks.find(name[at]) != std::string_view::npos;
        const auto three = name.substr(at, 3);
        const bool hangul = three >= "\uAC00" && three <= "\uD7A3" && (c & 0xF0) == 0xE0;
        if (!plain && !hangul)
            return std::nullopt;
        size.syllables += hangul ? 1 : 0;
        at += plain ? 1 : 3;
    }
    return size;
}

namespace {

// 3 to 64 of letters, digits, Hangul, dot, hyphen, underscore, or two where Hangul is among them (most Korean given names
// have two syllables): nothing that could be taken for an address.
bool valid_user_name(std::string_view name)
{
    const auto size = name_size(name, ".-_");
    return size && size->characters >= (size->syllables > 0 ? 2u : 3u) && size->characters <= 64;
}

template <class T>
bool replace(T& value, const std::optional<T>& wanted)
{
    if (!wanted || value == *wanted)
        return false;
    value = *wanted;
    return true;
}

}  // namespace

Error word(const char* text)
{
    return Error(Errc::invalid_argument, text).reason(text);
}

Error no_such_role()
{
    return Error(Errc::invalid_argument, "Some fields are not valid.")
        .reason("validation_error")
        .problem({{"body", "role"}, "there is no such role", "value_error"});
}

Result<Account> with_permissions(sql::Connection& connection, model::User user)
{
    auto permissions = permissions_of_role(connection, user.role);
    if (!permissions)
        return permissions.error();
    return Account{std::move(user), std::move(*permissions)};
}

Result<void> check_names(const std::optional<std::string>& email, const std::optional<std::string>& username)
{
    auto problems = problems_of_names(email, username);
    if (problems.empty())
        return {};
    return Error(Errc::invalid_argument, "Some fields are not valid.")
        .reason("validation_error")
        .problems(std::move(problems));
}

void apply(model::User& user, const AccountChange& change, const std::optional<std::string>& new_hash, UnixMillis now,
           Json& data)
{
    if (replace(user.email, change.email)) {
        data["email"] = user.email;
        data["is_verified"] = user.is_verified = false;
    }
    if (change.username && user.username != change.username) {
        user.username = change.username;
        data["username"] = *user.username;
    }
    bool tokens_end = false;
    if (replace(user.role, change.role)) {
        data["role"] = user.role;
        tokens_end = true;
    }
    if (replace(user.is_active, change.is_active)) {
        data["is_active"] = user.is_active;
        tokens_end = tokens_end || !user.is_active;
    }
    if (replace(user.is_verified, change.is_verified))
        data["is_verified"] = user.is_verified;
    if (new_hash) {
        user.password_hash = *new_hash;
        data["password_changed_at"] = rfc3339(now);
        tokens_end = true;
    }
    if (tokens_end)
        ++user.token_version;
    user.updated_at = now;
}

namespace {

Result<Account> store_change(sql::Connection& connection, events::Batch& batch, const model::Actor& actor,
                             model::User user, const AccountChange& change, const std::optional<std::string>& hash,
                             UnixMillis now)
{
    Json data = Json::object();
    apply(user, change, hash, now, data);
    if (data.empty())
        return with_permissions(connection, std::move(user));
    auto stored = store::Users(connection).update(user);
    if (!stored && stored.error().reason() == sql::broken_reference)   // removed since it was looked up
        return no_such_role();
    if (!stored && stored.error().code() == Errc::conflict)
        return word("UPDATE_USER_EMAIL_ALREADY_EXISTS");
    if (!stored)
        return stored.error();
    batch.add(user_event(actor, user, "UserUpdated", std::move(data)));
    return with_permissions(connection, std::move(user));
}

// The name of the address that will be in force must not stand in the password.
Task<Result<std::string>> hash_of_new(AccountParts& parts, const std::string& user_id, const AccountChange& change)
{
    auto user = co_await parts.database.read(
        [&](sql::Connection& connection) { return store::Users(connection).find(user_id); });
    if (!user)
        co_return user.error();
    if (auto fine = check_new_password(change.password->reveal(), change.email.value_or(user->email)); !fine)
        co_return fine.error();
    co_return co_await parts.passwords.hash(*change.password);
}

}  // namespace

Task<Result<Account>> change_user(AccountParts parts, std::string user_id, AccountChange change, model::Actor actor,
                                  std::function<Result<void>(sql::Connection&, const model::User&)> allowed)
{
    if (auto fine = check_names(change.email, change.username); !fine)
        co_return fine.error();
    std::optional<std::string> hash;
    if (change.password) {
        auto made = co_await hash_of_new(parts, user_id, change);
        if (!made)
            co_return made.error();
        hash = std::move(*made);
    }
    auto changed =
        co_await parts.journal.write([&](sql::Connection& connection, events::Batch& batch) -> Result<Account> {
            auto user = store::Users(connection).find_for_update(user_id);
            if (!user)
                return user.error();
            if (auto fine = allowed(connection, *user); !fine)
                return fine.error();
            return store_change(connection, batch, actor, std::move(*user), change, hash, parts.clock.now());
        });
    if (changed)
        parts.authenticator.forget_user(user_id);
    co_return changed;
}

store::NewEvent user_event(const model::Actor& actor, const model::User& user, std::string type, Json data)
{
    return events::event_by(actor, "User", user.id, std::move(type), std::move(data), user.id);
}

}  // namespace dure::auth::rules

namespace dure::auth {

std::vector<FieldProblem> problems_of_names(const std::optional<std::string>& email,
                                            const std::optional<std::string>& username)
{
    std::vector<FieldProblem> problems;
    if (email && !mail::valid_address(*email))
        problems.push_back({{"body", "email"}, "value is not a valid email address", "value_error"});
    if (username && !rules::valid_user_name(*username))
        problems.push_back({{"body", "username"},
                            "a user name has 3 to 64 letters, digits, dots, hyphens or underscores (2 with Hangul)",
                            "value_error"});
    return problems;
}

}  // namespace dure::auth
