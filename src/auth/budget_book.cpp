// See budget_book.hpp.
#include "auth/budget_book.hpp"

#include "dure/auth/rate_limiter.hpp"
#include "dure/sql/database.hpp"
#include "dure/store/usage.hpp"
#include "dure/store/users.hpp"

namespace dure::auth {

namespace books {

constexpr std::size_t remembered_accounts = 100'000;
constexpr std::size_t remembered_roles = 10'000;
constexpr std::chrono::seconds role_is_good_for{5};  // as the Authenticator's memory
constexpr int most_tellings = 4;  // a day may begin in between
constexpr std::string_view user_prefix = "user:";
constexpr std::string_view key_prefix = "key:";

class LocalReservation final : public model::Reservation {
public:
    LocalReservation(std::weak_ptr<SpendingAccounts> accounts, SpendingAccounts::Grant grant, std::vector<Payer> payers,
                     BudgetBook::Used used)
        : accounts_(std::move(accounts)), grant_(std::move(grant)), payers_(std::move(payers)), used_(std::move(used))
    {}
    ~LocalReservation() override
    {
        if (!settled_)
            end({});
    }
    model::Spend amount() const override { return grant_.amount; }
    void settle(const model::Spend& used) override
    {
        end(used);
        if (used_)
            used_(payers_, used);
    }

private:
    void end(const model::Spend& used)
    {
        settled_ = true;
        if (const auto accounts = accounts_.lock())
            accounts->settle(grant_.accounts, grant_.amount, used);
    }

    std::weak_ptr<SpendingAccounts> accounts_;
    SpendingAccounts::Grant grant_;
    std::vector<Payer> payers_;
    BudgetBook::Used used_;
    bool settled_ = false;
};

bool any_limit(const config::Limits& limits)
{
    return spend_limits(limits.user).any() || spend_limits(limits.developer).any() || spend_limits(limits.admin).any();
}

Error never_known()
{
    return Error(Errc::unavailable, "What was spent today could not be read. Try again.").reason("budget_unavailable");
}

}  // namespace books

BudgetBook::BudgetBook(BudgetParts parts)
    : parts_(std::move(parts)), any_(books::any_limit(parts_.settings.limits)),
      accounts_(std::make_shared<SpendingAccounts>(parts_.clock, books::remembered_accounts)),
      roles_(books::remembered_roles)
{}

const config::RoleLimits& BudgetBook::role_limits(std::string_view role) const
{
    return limits_of_role(parts_.settings.limits, role);
}

bool BudgetBook::limits(const model::Spender& spender) const
{
    return spender.of_key.any() || (any_ && (spender.role.empty() || spend_limits(role_limits(spender.role)).any()));
}

// Somebody who is gone has the limits of a user.
Task<Result<std::string>> BudgetBook::role_of(std::string_view user_id)
{
    if (!parts_.settings.auth.accounts)
        co_return std::string("developer");
    {
        const std::lock_guard lock(guard_);
        if (const auto* known = roles_.find(user_id); known != nullptr && Steady::now() < known->until)
            co_return known->role;
    }
    auto role = co_await parts_.database.read([user_id](sql::Connection& connection) -> Result<std::string> {
        auto user = store::Users(connection).find(user_id);
        if (!user && user.error().code() != Errc::not_found)
            return user.error();
        return user ? std::move(user->role) : std::string("user");
    });
    if (!role)
        co_return role.error();
    const std::lock_guard lock(guard_);
    roles_.use(user_id) = {*role, Steady::now() + books::role_is_good_for};
    co_return role;
}

Task<Result<std::vector<Payer>>> BudgetBook::payers(model::Spender spender)
{
    std::vector<Payer> all;
    if (spender.user_id.empty())
        co_return all;
    if (spender.of_key.any() && !spender.key_id.empty())
        all.push_back({std::string(books::key_prefix) + std::string(spender.key_id), spender.of_key});
    if (!any_)
        co_return all;
    std::string role(spender.role);
    if (role.empty()) {
        auto found = co_await role_of(spender.user_id);
        if (!found)
            co_return found.error();
        role = std::move(*found);
    }
    if (const auto limits = spend_limits(role_limits(role)); limits.any())
        all.push_back({std::string(books::user_prefix) + std::string(spender.user_id), limits});
    co_return all;
}

Task<Result<model::Spend>> BudgetBook::spent(const Payer& payer, std::int64_t day) const
{
    store::UsageQuery query;
    if (payer.name.starts_with(books::key_prefix))
        query.key_id = payer.name.substr(books::key_prefix.size());
    else
        query.user_id = payer.name.substr(books::user_prefix.size());
    query.from = day * milliseconds_of_day;
    query.to = query.from + milliseconds_of_day;
    const auto rows = co_await parts_.database.read(
        [&query](sql::Connection& connection) { return store::Usage(connection).totals(query); });
    if (!rows)
        co_return rows.error();
    model::Spend sum;
    for (const auto& row : *rows) {
        sum.tokens += row.prompt_tokens + row.completion_tokens;
        sum.cost_nano += row.cost_nano;
    }
    co_return sum;
}

Task<Result<std::unique_ptr<model::Reservation>>> BudgetBook::reserve_here(std::vector<Payer> payers, model::Wish wish,
                                                                           std::int64_t divisor, Used used)
{
    for (int tellings = 0; tellings < books::most_tellings; ++tellings) {
        auto outcome = accounts_->reserve(payers, wish, divisor);
        if (auto* refusal = std::get_if<SpendRefusal>(&outcome))
            co_return refuse(std::move(*refusal));
        if (auto* grant = std::get_if<SpendingAccounts::Grant>(&outcome))
            co_return std::unique_ptr<model::Reservation>(std::make_unique<books::LocalReservation>(
                accounts_, std::move(*grant), std::move(payers), std::move(used)));
        const auto& unknown = std::get<SpendingAccounts::Unknown>(outcome);
        const auto sum = co_await spent(payers[unknown.payer], unknown.day);
        if (!sum)
            co_return sum.error();
        accounts_->tell(payers[unknown.payer], unknown.day, *sum);
    }
    co_return books::never_known();
}

Task<std::optional<model::TokenLevel>> BudgetBook::level_here(Payer payer)
{
    auto outcome = accounts_->levels(payer);
    if (const auto* unknown = std::get_if<SpendingAccounts::Unknown>(&outcome)) {
        const auto sum = co_await spent(payer, unknown->day);
        if (!sum)
            co_return std::nullopt;
        accounts_->tell(payer, unknown->day, *sum);
        outcome = accounts_->levels(payer);
    }
    const auto* levels = std::get_if<SpendLevels>(&outcome);
    co_return levels != nullptr ? std::optional(token_level(payer.limits, *levels)) : std::nullopt;
}

Error BudgetBook::refuse(SpendRefusal refusal) const
{
    if (parts_.refused)
        parts_.refused(refusal.scope);
    return std::move(refusal.error);
}

}  // namespace dure::auth
