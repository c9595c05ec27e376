// The two budgets: in this process, and through one Redis script; see budgets.hpp.
#include "dure/auth/budgets.hpp"

#include "auth/budget_book.hpp"
#include "auth/shared_budget.hpp"

namespace dure::auth {

namespace budgets {

// What is told in headers: of the accounts with a limit on tokens that with the fewest left. `level_of` is a
// Task<std::optional<TokenLevel>>(Payer).
template <class LevelOf>
Task<std::optional<model::TokenLevel>> least_level(BudgetBook& book, model::Spender spender, LevelOf level_of)
{
    const auto payers = co_await book.payers(spender);
    std::optional<model::TokenLevel> least;
    if (!payers)
        co_return least;
    for (const auto& payer : *payers) {
        if (payer.limits.tokens_per_minute == 0 && payer.limits.tokens_per_day == 0)
            continue;
        const auto level = co_await level_of(payer);
        if (level && (!least || level->remaining < least->remaining))
            least = level;
    }
    co_return least;
}

class InProcessBudget final : public model::Budget {
public:
    explicit InProcessBudget(BudgetParts parts) : book_(std::move(parts)) {}

    bool limits(const model::Spender& spender) const override { return book_.limits(spender); }
    Task<Result<std::unique_ptr<model::Reservation>>> reserve(model::Spender spender, model::Wish wish) override
    {
        auto payers = co_await book_.payers(spender);
        if (!payers)
            co_return payers.error();
        if (payers->empty())
            co_return std::unique_ptr<model::Reservation>();
        co_return co_await book_.reserve_here(std::move(*payers), wish, 1);
    }
    Task<std::optional<model::TokenLevel>> level(model::Spender spender) override
    {
        co_return co_await least_level(book_, spender, [this](Payer payer) { return book_.level_here(std::move(payer)); });
    }

private:
    BudgetBook book_;
};

class RedisBudget final : public model::Budget {
public:
    RedisBudget(redis::Client& redis, BudgetParts parts, std::chrono::milliseconds lease)
        : shared_(std::make_shared<SharedBudget>(redis, std::move(parts), lease))
    {}

    bool limits(const model::Spender& spender) const override { return shared_->book().limits(spender); }
    Task<Result<std::unique_ptr<model::Reservation>>> reserve(model::Spender spender, model::Wish wish) override
    {
        auto payers = co_await shared_->book().payers(spender);
        if (!payers)
            co_return payers.error();
        if (payers->empty())
            co_return std::unique_ptr<model::Reservation>();
        co_return co_await shared_->reserve(std::move(*payers), wish);
    }
    Task<std::optional<model::TokenLevel>> level(model::Spender spender) override
    {
        co_return co_await least_level(shared_->book(), spender,
                                       [this](Payer payer) { return shared_->level(std::move(payer)); });
    }

private:
    std::shared_ptr<SharedBudget> shared_;
};

}  // namespace budgets

std::unique_ptr<model::Budget> in_process_budget(BudgetParts parts)
{
    return std::make_unique<budgets::InProcessBudget>(std::move(parts));
}

std::unique_ptr<model::Budget> redis_budget(redis::Client& redis, BudgetParts parts, std::chrono::milliseconds lease)
{
    return std::make_unique<budgets::RedisBudget>(redis, std::move(parts), lease);
}

}  // namespace dure::auth
