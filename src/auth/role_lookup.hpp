// Permissions of a user's role as they are now: built-in roles from the table, others from the database.
#pragma once

#include <string>
#include <vector>

#include "dure/auth/principal.hpp"
#include "dure/auth/roles.hpp"
#include "dure/store/users.hpp"

namespace dure::auth {

inline Result<std::vector<std::string>> permissions_of_role(sql::Connection& connection, const std::string& role)
{
    if (auto builtin = permissions_of_builtin_role(role))
        return *builtin;
    auto stored = store::Roles(connection).find(role);
    if (!stored)
        return stored.error();
    return stored->permissions.value_or(std::vector<std::string>());
}

// permission_denied unless `by` has every one of them.
Result<void> must_hold(const Principal& by, const std::vector<std::string>& permissions);

}  // namespace dure::auth
