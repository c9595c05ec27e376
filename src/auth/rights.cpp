// See rights.hpp.
#include "dure/auth/rights.hpp"

#include "auth/role_lookup.hpp"
#include "dure/sql/database.hpp"

namespace dure::auth {

namespace rights_of_people {

Error nobody()
{
    return Error(Errc::permission_denied, "The owner has no active account.").reason("owner_inactive");
}

}  // namespace rights_of_people

Task<Result<std::vector<std::string>>> Rights::of(std::string user_id) const
{
    if (!accounts_)
        co_return permissions_of_builtin_role("developer").value();
    co_return co_await database_.read([&user_id](sql::Connection& connection) -> Result<std::vector<std::string>> {
        const auto user = store::Users(connection).find(user_id);
        if (!user)
            return user.error().code() == Errc::not_found ? rights_of_people::nobody() : user.error();
        if (!user->is_active)
            return rights_of_people::nobody();
        return permissions_of_role(connection, user->role);
    });
}

}  // namespace dure::auth
