// Roles: the three built-in ones come with the first migration and stay as they are.
#include "dure/store/users.hpp"
#include "store/columns.hpp"

namespace dure::store {

namespace {

model::StoredRole role_from(const sql::Row& row)
{
    return {row.text("name"), list_of(row.maybe_text("permissions")), row.flag("builtin"), row.integer("created_at"),
            row.integer("updated_at")};
}

Result<void> must_be_custom(const Result<model::StoredRole>& role)
{
    if (!role)
        return role.error();
    if (role->builtin)
        return Error(Errc::conflict, "A built-in role cannot be changed.");
    return {};
}

}  // namespace

Result<void> Roles::insert(const model::StoredRole& role)
{
    return without_count(connection_.execute(
        "INSERT INTO roles (name, permissions, builtin, created_at, updated_at) VALUES ($1, $2, $3, $4, $5)", role.name,
        list_text(role.permissions), role.builtin, role.created_at, role.updated_at));
}

Result<model::StoredRole> Roles::find(std::string_view name)
{
    return read_one(
        connection_.query("SELECT name, permissions, builtin, created_at, updated_at FROM roles WHERE name = $1", name),
        role_from, "role");
}

Result<std::vector<model::StoredRole>> Roles::list()
{
    return read_all(
        connection_.query("SELECT name, permissions, builtin, created_at, updated_at FROM roles ORDER BY name"),
        role_from);
}

Result<void> Roles::set_permissions(std::string_view name, const std::vector<std::string>& permissions, UnixMillis now)
{
    if (auto custom = must_be_custom(find(name)); !custom)
        return custom;
    return must_change(connection_.execute("UPDATE roles SET permissions = $2, updated_at = $3 WHERE name = $1", name,
                                           dump(Json(permissions)), now),
                       "role");
}

Result<void> Roles::remove(std::string_view name)
{
    if (auto custom = must_be_custom(find(name)); !custom)
        return custom;
    return must_change(connection_.execute("DELETE FROM roles WHERE name = $1", name), "role");
}

}  // namespace dure::store
