// The table of permissions and built-in roles; see roles.hpp.
#include "dure/auth/roles.hpp"

#include <algorithm>

namespace dure::auth {

const std::vector<std::string>& all_permissions()
{
    static const std::vector<std::string> all = {"chat:create",   "tools:execute", "flows:read",  "flows:execute",
                                                 "flows:manage",  "users:manage",  "events:read", "tools:manage",
                                                 "models:manage", "metrics:read"};
    return all;
}

bool is_permission(std::string_view name)
{
    const auto& all = all_permissions();
    return std::find(all.begin(), all.end(), name) != all.end();
}

std::optional<std::vector<std::string>> permissions_of_builtin_role(std::string_view role)
{
    std::vector<std::string> permissions = {"chat:create", "tools:execute", "flows:read", "flows:execute"};
    if (role == "user")
        return permissions;
    if (role == "admin")
        return all_permissions();
    if (role != "developer")
        return std::nullopt;
    permissions.emplace_back("flows:manage");
    return permissions;
}

}  // namespace dure::auth
