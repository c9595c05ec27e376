// Accounts and roles as administrators manage them. Nobody gives away, or takes charge of, more than they have: whoever
// holds users:manage without being admin cannot make admins, change admins, or write roles beyond their own permissions.
// The last active admin can be neither demoted, deactivated nor deleted.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dure/auth/accounts.hpp"

namespace dure::auth {

struct UserPage {
    struct Position {
        UnixMillis created_at = 0;
        std::string id;
    };
    std::optional<Position> after;  // empty: from the start
    std::int64_t limit = 50;
};

struct Role {
    std::string name;
    std::vector<std::string> permissions;
    bool builtin = false;
    UnixMillis created_at = 0;
    UnixMillis updated_at = 0;
};

// Nothing: a role may have this name.
std::optional<FieldProblem> problem_of_role_name(const std::string& name);

class Administration {
public:
    explicit Administration(AccountParts parts) : parts_(std::move(parts)) {}

    // Oldest first.
    Task<Result<std::vector<Account>>> list(UserPage page);
    Task<Result<Account>> find(std::string user_id);
    Task<Result<Account>> change(Principal by, std::string user_id, AccountChange change, model::Actor actor);
    Task<Result<void>> remove(Principal by, std::string user_id, model::Actor actor);

    Task<Result<std::vector<Role>>> roles();
    Task<Result<Role>> create_role(Principal by, std::string name, std::vector<std::string> permissions,
                                   model::Actor actor);
    Task<Result<Role>> change_role(Principal by, std::string name, std::vector<std::string> permissions,
                                   model::Actor actor);
    Task<Result<void>> remove_role(Principal by, std::string name, model::Actor actor);

private:
    AccountParts parts_;
};

}  // namespace dure::auth
