// Administration: users; see administration.hpp. Roles stand in role_administration.cpp.
#include "dure/auth/administration.hpp"

#include "auth/account_rules.hpp"
#include "auth/role_lookup.hpp"
#include "dure/auth/authenticator.hpp"
#include "dure/sql/database.hpp"
#include "dure/store/users.hpp"

namespace dure::auth {

namespace administration {

// Whether `by` has every permission of the role.
Result<void> must_cover(sql::Connection& connection, const Principal& by, const std::string& role)
{
    const auto permissions = permissions_of_role(connection, role);
    if (!permissions && permissions.error().code() == Errc::not_found)
        return rules::no_such_role();
    if (!permissions)
        return permissions.error();
    return must_hold(by, *permissions);
}

// The server must stay manageable.
Result<void> must_leave_an_admin(sql::Connection& connection, const model::User& user)
{
    if (user.role != "admin" || !user.is_active)
        return {};
    const auto another = store::Users(connection).any_admin_but(user.id);
    if (!another)
        return another.error();
    if (!*another)
        return Error(Errc::conflict, "This is the last active administrator.").reason("last_admin");
    return {};
}

}  // namespace administration

Result<void> must_hold(const Principal& by, const std::vector<std::string>& permissions)
{
    for (const auto& permission : permissions)
        if (!by.may(permission))
            return Error(Errc::permission_denied, "Insufficient permissions").reason("insufficient_permissions");
    return {};
}

Task<Result<std::vector<Account>>> Administration::list(UserPage page)
{
    co_return co_await parts_.database.read([&](sql::Connection& connection) -> Result<std::vector<Account>> {
        store::Page rows;
        rows.limit = page.limit;
        if (page.after)
            rows.after = store::Position{page.after->created_at, page.after->id};
        auto users = store::Users(connection).list(rows);
        if (!users)
            return users.error();
        std::vector<Account> accounts;
        for (auto& user : *users) {
            auto account = rules::with_permissions(connection, std::move(user));
            if (!account)
                return account.error();
            accounts.push_back(std::move(*account));
        }
        return accounts;
    });
}

Task<Result<Account>> Administration::find(std::string user_id)
{
    co_return co_await parts_.database.read([&](sql::Connection& connection) -> Result<Account> {
        auto user = store::Users(connection).find(user_id);
        if (!user)
            return user.error();
        return rules::with_permissions(connection, std::move(*user));
    });
}

Task<Result<Account>> Administration::change(Principal by, std::string user_id, AccountChange change,
                                             model::Actor actor)
{
    auto allowed = [by = std::move(by), change](sql::Connection& connection, const model::User& user) -> Result<void> {
        if (auto fine = administration::must_cover(connection, by, user.role); !fine)
            return fine;
        if (change.role && *change.role != user.role)
            if (auto fine = administration::must_cover(connection, by, *change.role); !fine)
                return fine;
        const bool demoted = change.role && *change.role != "admin";
        const bool closed = change.is_active && !*change.is_active;
        return demoted || closed ? administration::must_leave_an_admin(connection, user) : Result<void>();
    };
    co_return co_await rules::change_user(parts_, std::move(user_id), std::move(change), std::move(actor),
                                          std::move(allowed));
}

Task<Result<void>> Administration::remove(Principal by, std::string user_id, model::Actor actor)
{
    auto removed =
        co_await parts_.journal.write([&](sql::Connection& connection, events::Batch& batch) -> Result<void> {
            store::Users users(connection);
            const auto user = users.find_for_update(user_id);
            if (!user)
                return user.error();
            if (auto fine = administration::must_cover(connection, by, user->role); !fine)
                return fine;
            if (auto fine = administration::must_leave_an_admin(connection, *user); !fine)
                return fine;
            batch.add(rules::user_event(actor, *user, "UserDeleted", {{"deleted", true}}));
            return users.remove(user_id);
        });
    if (removed)
        parts_.authenticator.forget_user(user_id);
    co_return removed;
}

}  // namespace dure::auth
