// The two budgets: in this process, and through one Redis script; see budgets.hpp.
#include "dure/auth/budgets.hpp"

#include "auth/budget_book.hpp"
#include "auth/shared_budget.hpp"

namespace dure::auth {

namespace budgets {

// The account whose tokens are told of in headers: the first with a limit on tokens.
const Payer* telling(const std::vector<Payer>& payers)
{
    for (const auto& payer : payers)
        if (payer.limits.tokens_per_minute > 0 || payer.limits.tokens_per_day > 0)
            return &payer;
    return nullptr;
}

class InProcessBudget final : public model::Budget {
public:
    explicit InProcessBudget(BudgetParts parts) : book_(std::move(parts)) {}

    bool limits(std::string_view role) const override { return book_.limits(role); }
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
        const auto payers = co_await book_.payers(spender);
        const auto* payer = payers ? telling(*payers) : nullptr;
        if (payer == nullptr)
            co_return std::nullopt;
        co_return co_await book_.level_here(*payer);
    }

private:
    BudgetBook book_;
};

class RedisBudget final : public model::Budget {
public:
    RedisBudget(redis::Client& redis, BudgetParts parts, std::chrono::milliseconds lease)
        : shared_(std::make_shared<SharedBudget>(redis, std::move(parts), lease))
    {}

    bool limits(std::string_view role) const override { return shared_->book().limits(role); }
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
        const auto payers = co_await shared_->book().payers(spender);
        const auto* payer = payers ? telling(*payers) : nullptr;
        if (payer == nullptr)
            co_return std::nullopt;
        co_return co_await shared_->level(*payer);
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
