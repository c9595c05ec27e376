// What both budgets need: which limits a spender has, what was spent today by the usage rows, and the road through the
// accounts of this process.
#pragma once

#include "auth/spending.hpp"

namespace dure::auth {

class BudgetBook {
public:
    explicit BudgetBook(BudgetParts parts);

    bool limits(const model::Spender& spender) const;
    // Who is charged for a spender's call; empty: nothing limits it. An error when the role cannot be looked up.
    Task<Result<std::vector<Payer>>> payers(model::Spender spender);
    // By the usage rows of this day (since 1970).
    Task<Result<model::Spend>> spent(const Payer& payer, std::int64_t day) const;

    // Through the accounts of this process. `used` hears of each settlement; may be empty.
    using Used = std::function<void(std::span<const Payer>, const model::Spend&)>;
    Task<Result<std::unique_ptr<model::Reservation>>> reserve_here(std::vector<Payer> payers, model::Wish wish,
                                                                   std::int64_t divisor, Used used = {});
    Task<std::optional<model::TokenLevel>> level_here(Payer payer);
    void forget_here(std::string_view name) { accounts_->forget(name); }

    Error refuse(SpendRefusal refusal) const;

private:
    struct KnownRole {
        std::string role;
        Steady::time_point until;
    };
    Task<Result<std::string>> role_of(std::string_view user_id);
    const config::RoleLimits& role_limits(std::string_view role) const;

    const BudgetParts parts_;
    const bool any_;
    std::shared_ptr<SpendingAccounts> accounts_;
    std::mutex guard_;
    BoundedMap<KnownRole> roles_;
};

}  // namespace dure::auth
