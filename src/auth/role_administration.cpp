// Administration: custom roles; see administration.hpp. The built-in ones stay as they are.
#include <algorithm>

#include "auth/account_rules.hpp"
#include "auth/role_lookup.hpp"
#include "dure/auth/administration.hpp"
#include "dure/auth/authenticator.hpp"
#include "dure/base/text.hpp"
#include "dure/sql/database.hpp"
#include "dure/store/users.hpp"

namespace dure::auth {

namespace custom_roles {

constexpr std::size_t most_roles = 100;

// Begins with a letter or Hangul; a name is part of a path and stands in settings.
bool valid_name(const std::string& name)
{
    const auto size = rules::name_size(name, "-_");
    const auto first = name.empty() ? '\0' : name.front();
    const bool letter = (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z') || (first & 0x80) != 0;
    return size && letter && size->characters <= 64;
}

Error wrong(FieldProblem problem)
{
    return Error(Errc::invalid_argument, "Some fields are not valid.")
        .reason("validation_error")
        .problem(std::move(problem));
}

// Known names without doubles, in the order of the table.
Result<std::vector<std::string>> in_order(const std::vector<std::string>& given)
{
    const auto unknown = std::find_if_not(given.begin(), given.end(), is_permission);
    if (unknown != given.end())
        return wrong({{"body", "permissions"},
                      "there is no permission " + to_valid_utf8(utf8_prefix(*unknown, 64)),
                      "value_error"});
    auto all = all_permissions();
    std::erase_if(all,
                  [&](const std::string& name) { return std::find(given.begin(), given.end(), name) == given.end(); });
    return all;
}

Role shown(const model::StoredRole& row)
{
    auto permissions = row.builtin ? permissions_of_builtin_role(row.name).value_or(std::vector<std::string>())
                                   : row.permissions.value_or(std::vector<std::string>());
    return {row.name, std::move(permissions), row.builtin, row.created_at, row.updated_at};
}

store::NewEvent event(const model::Actor& actor, const std::string& name, const char* type, Json data)
{
    return events::event_by(actor, "Role", name, type, std::move(data), "");
}

Result<model::StoredRole> find_custom(sql::Connection& connection, const std::string& name)
{
    auto role = store::Roles(connection).find(name);
    if (role && role->builtin)
        return Error(Errc::conflict, "A built-in role cannot be changed.").reason("builtin_role");
    return role;
}

}  // namespace custom_roles

std::optional<FieldProblem> problem_of_role_name(const std::string& name)
{
    if (custom_roles::valid_name(name))
        return std::nullopt;
    return FieldProblem{{"body", "name"},
                        "a role's name has 1 to 64 letters (Hangul too), digits, - and _, and begins with a letter",
                        "value_error"};
}

Task<Result<std::vector<Role>>> Administration::roles()
{
    co_return co_await parts_.database.read([](sql::Connection& connection) -> Result<std::vector<Role>> {
        const auto rows = store::Roles(connection).list();
        if (!rows)
            return rows.error();
        std::vector<Role> all;
        for (const auto& row : *rows)
            all.push_back(custom_roles::shown(row));
        return all;
    });
}

Task<Result<Role>> Administration::create_role(Principal by, std::string name, std::vector<std::string> permissions,
                                               model::Actor actor)
{
    if (auto problem = problem_of_role_name(name))
        co_return custom_roles::wrong(std::move(*problem));
    if (permissions_of_builtin_role(ascii_lower(name)))   // "Admin" would be taken for the one that is built in
        co_return Error(Errc::conflict, "There is a role of this name.").reason("role_exists");
    const auto wanted = custom_roles::in_order(permissions);
    if (!wanted)
        co_return wanted.error();
    if (auto fine = must_hold(by, *wanted); !fine)
        co_return fine.error();
    const auto now = parts_.clock.now();
    const model::StoredRole row{name, *wanted, false, now, now};
    co_return co_await parts_.journal.write([&](sql::Connection& connection, events::Batch& batch) -> Result<Role> {
        store::Roles roles(connection);
        const auto all = roles.list();
        if (!all)
            return all.error();
        if (all->size() >= custom_roles::most_roles)
            return Error(Errc::conflict, "There are too many roles.").reason("too_many_roles");
        auto stored = roles.insert(row);
        if (!stored && stored.error().code() == Errc::conflict)
            return Error(Errc::conflict, "There is a role of this name.").reason("role_exists");
        if (!stored)
            return stored.error();
        batch.add(custom_roles::event(actor, name, "RoleCreated", {{"name", name}, {"permissions", *wanted}}));
        return custom_roles::shown(row);
    });
}

Task<Result<Role>> Administration::change_role(Principal by, std::string name, std::vector<std::string> permissions,
                                               model::Actor actor)
{
    const auto wanted = custom_roles::in_order(permissions);
    if (!wanted)
        co_return wanted.error();
    if (auto fine = must_hold(by, *wanted); !fine)
        co_return fine.error();
    const auto now = parts_.clock.now();
    auto changed =
        co_await parts_.journal.write([&](sql::Connection& connection, events::Batch& batch) -> Result<Role> {
            auto row = custom_roles::find_custom(connection, name);
            if (!row)
                return row.error();
            if (auto fine = must_hold(by, row->permissions.value_or(std::vector<std::string>())); !fine)
                return fine.error();
            if (auto stored = store::Roles(connection).set_permissions(name, *wanted, now); !stored)
                return stored.error();
            batch.add(custom_roles::event(actor, name, "RoleUpdated", {{"permissions", *wanted}}));
            row->permissions = *wanted;
            row->updated_at = now;
            return custom_roles::shown(*row);
        });
    if (changed)
        parts_.authenticator.forget_role(name);
    co_return changed;
}

Task<Result<void>> Administration::remove_role(Principal by, std::string name, model::Actor actor)
{
    co_return co_await parts_.journal.write([&](sql::Connection& connection, events::Batch& batch) -> Result<void> {
        const auto row = custom_roles::find_custom(connection, name);
        if (!row)
            return row.error();
        if (auto fine = must_hold(by, row->permissions.value_or(std::vector<std::string>())); !fine)
            return fine;
        const auto users = store::Users(connection).count_in_role(name);
        if (!users)
            return users.error();
        const auto in_use = [] { return Error(Errc::conflict, "The role is still somebody's.").reason("role_in_use"); };
        if (*users > 0)
            return in_use();
        batch.add(custom_roles::event(actor, name, "RoleDeleted", {{"deleted", true}}));
        const auto removed = store::Roles(connection).remove(name);
        return !removed && removed.error().reason() == sql::broken_reference ? in_use() : removed;   // given meanwhile
    });
}

}  // namespace dure::auth
