// Permission names and what the three built-in roles hold: the one table, as in the route reference.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dure::auth {

// Every permission that exists, in the order of the route reference.
const std::vector<std::string>& all_permissions();
bool is_permission(std::string_view name);

// "user", "developer" or "admin"; empty on any other name (those are rows of the database).
std::optional<std::vector<std::string>> permissions_of_builtin_role(std::string_view role);

}  // namespace dure::auth
