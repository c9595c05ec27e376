// The permission table; see roles.hpp.
#include "dure/auth/roles.hpp"

#include <algorithm>

namespace dure::auth {

const std::vector<std::string>& all_permissions()
{
    static const std::vector<std::string> names = {"chat:create",  "tools:execute", "flows:read",   "flows:execute",
                                                   "flows:manage", "users:manage",  "events:read",  "tools:manage",
                                                   "models:manage", "metrics:read"};
    return names;
}

bool is_permission(std::string_view name)
{
    const auto& all = all_permissions();
    return std::find(all.begin(), all.end(), name) != all.end();
}

std::optional<std::vector<std::string>> permissions_of_builtin_role(std::string_view role)
{
    const auto& all = all_permissions();
    if (role == "user")
        return std::vector<std::string>(all.begin(), all.begin() + 4);
    if (role == "developer")
        return std::vector<std::string>(all.begin(), all.begin() + 5);
    if (role == "admin")
        return all;
    return std::nullopt;
}

}  // namespace dure::auth
