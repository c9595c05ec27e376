// See spending.hpp.
#include "auth/spending.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace dure::auth {

namespace spendings {

constexpr std::int64_t without_limit = std::numeric_limits<std::int64_t>::max() / 4;
constexpr double minute = 60'000;  // milliseconds

// "2.50"
std::string dollars(std::int64_t nano)
{
    auto decimals = std::to_string(1'000'000'000 + nano % 1'000'000'000).substr(1);
    while (decimals.size() > 2 && decimals.back() == '0')
        decimals.pop_back();
    return std::to_string(nano / 1'000'000'000) + "." + decimals;
}

SpendRefusal refusal(std::string_view scope, std::string_view reason, std::int64_t wait, bool final,
                     std::string message)
{
    auto error = Error(Errc::rate_limited, std::move(message))
                     .reason(std::string(reason))
                     .retry_after(std::chrono::seconds(wait));
    if (final)
        error = std::move(error).should_retry(false);
    return {scope, wait, final, std::move(error)};
}

std::string in_seconds(std::int64_t wait)
{
    return " Try again in " + std::to_string(wait) + " s.";
}

// More than a whole limit: of several refusals this one counts. No wait helps; one is told all the same, since every 429 has it.
SpendRefusal too_large(std::string_view scope, std::string_view reason, std::int64_t period, const std::string& asks,
                       const std::string& limit)
{
    auto told = refusal(scope, reason, std::max<std::int64_t>(1, period), true,
                        "This request " + asks + "; at most " + limit + " are allowed.");
    told.wait = without_limit;
    return told;
}

SpendRefusal too_many_tokens(std::string_view reason, std::int64_t period, std::int64_t wanted,
                             const std::string& limit)
{
    return too_large("tokens", reason, period,
                     "asks for up to " + std::to_string(wanted) + " tokens, its prompt and max_tokens", limit);
}

SpendRefusal minute_is_used_up(const SpendLimits& limits, const SpendLevels& levels, std::int64_t wanted)
{
    const auto limit = limits.tokens_per_minute;
    const auto over = levels.minute_tokens + static_cast<double>(levels.reserved.tokens + wanted - limit);
    const auto wait =
        std::clamp<std::int64_t>(static_cast<std::int64_t>(std::ceil(over * 60 / static_cast<double>(limit))), 1, 60);
    return refusal("tokens", "rate_limit_exceeded", wait, false,
                   "Too many tokens: at most " + std::to_string(limit) + " a minute, and this request asks for up to " +
                       std::to_string(wanted) + "." + in_seconds(wait));
}

// `pending`: what other calls have reserved is in the way, and some of it may come back.
SpendRefusal day_is_used_up(std::string_view scope, const std::string& limit, bool pending, std::int64_t to_midnight)
{
    const auto wait = pending ? 1 : std::max<std::int64_t>(1, to_midnight);
    return refusal(scope, "budget_exceeded", wait, !pending,
                   "The budget of " + limit + " a day " +
                       (pending ? "is reserved by requests under way." + in_seconds(wait)
                                : "is used up. The next day begins in " + std::to_string(wait) + " s."));
}

// The share of one of `divisor` processes that cannot see one another: what was told is spent, each takes its part of the rest.
SpendLimits parted(SpendLimits limits, const model::Spend& told, std::int64_t divisor)
{
    const auto part = [divisor](std::int64_t limit, std::int64_t spent) {
        return limit <= spent ? limit : spent + std::max<std::int64_t>(1, (limit - spent) / divisor);
    };
    return {part(limits.tokens_per_minute, 0), part(limits.tokens_per_day, told.tokens),
            part(limits.cost_per_day, told.cost_nano)};
}

}  // namespace spendings

SpendLimits spend_limits(const config::RoleLimits& role)
{
    return {role.tokens_per_minute, role.tokens_per_day, role.cost_per_day};
}

model::Spend SpendLevels::left(const SpendLimits& limits) const
{
    model::Spend left{spendings::without_limit, spendings::without_limit};
    if (limits.tokens_per_minute > 0)
        left.tokens = limits.tokens_per_minute - reserved.tokens - static_cast<std::int64_t>(std::ceil(minute_tokens));
    if (limits.tokens_per_day > 0)
        left.tokens = std::min(left.tokens, limits.tokens_per_day - reserved.tokens - day.tokens);
    if (limits.cost_per_day > 0)
        left.cost_nano = limits.cost_per_day - reserved.cost_nano - day.cost_nano;
    return left;
}

std::variant<model::Spend, SpendRefusal> granted(const SpendLimits& limits, const SpendLevels& levels,
                                                 const model::Wish& wish)
{
    using namespace spendings;
    const auto left = levels.left(limits);
    const bool costs = wish.most.cost_nano > 0;
    const auto tokens = wish.least.tokens;
    if (left.tokens >= tokens && (!costs || left.cost_nano >= wish.least.cost_nano))
        return model::Spend{std::min(wish.most.tokens, left.tokens),
                            costs ? std::min(wish.most.cost_nano, left.cost_nano) : 0};
    const auto day_has_room = [&] { return limits.tokens_per_day - levels.day.tokens >= tokens; };
    if (limits.tokens_per_minute > 0 && tokens > limits.tokens_per_minute)
        return too_many_tokens("rate_limit_exceeded", 60, tokens,
                               std::to_string(limits.tokens_per_minute) + " tokens a minute");
    if (limits.tokens_per_day > 0 && tokens > limits.tokens_per_day)
        return too_many_tokens("budget_exceeded", levels.to_midnight, tokens,
                               std::to_string(limits.tokens_per_day) + " tokens a day");
    if (costs && limits.cost_per_day > 0 && wish.least.cost_nano > limits.cost_per_day)
        return too_large("cost", "budget_exceeded", levels.to_midnight, "may cost up to " + dollars(wish.least.cost_nano) + " USD",
                         dollars(limits.cost_per_day) + " USD a day");
    if (limits.tokens_per_day > 0 && !day_has_room())
        return day_is_used_up("tokens", std::to_string(limits.tokens_per_day) + " tokens", false, levels.to_midnight);
    if (costs && left.cost_nano < wish.least.cost_nano) {
        const bool pending = limits.cost_per_day - levels.day.cost_nano >= wish.least.cost_nano;
        if (!pending || left.tokens >= tokens)
            return day_is_used_up("cost", dollars(limits.cost_per_day) + " USD", pending, levels.to_midnight);
    }
    const auto minute_left = SpendLevels(levels).left({limits.tokens_per_minute, 0, 0}).tokens;
    if (minute_left < tokens)
        return minute_is_used_up(limits, levels, tokens);
    return day_is_used_up("tokens", std::to_string(limits.tokens_per_day) + " tokens", true, levels.to_midnight);
}

std::variant<model::Spend, SpendRefusal> granted(std::span<const Payer> payers, std::span<const SpendLevels> levels,
                                                 const model::Wish& wish)
{
    auto amount = wish.most;
    std::optional<SpendRefusal> refused;
    for (std::size_t i = 0; i < payers.size(); ++i) {
        auto one = granted(payers[i].limits, levels[i], wish);
        if (auto* no = std::get_if<SpendRefusal>(&one)) {
            if (!refused || no->wait > refused->wait)
                refused = std::move(*no);
            continue;
        }
        const auto& given = std::get<model::Spend>(one);
        amount.tokens = std::min(amount.tokens, given.tokens);
        amount.cost_nano = std::min(amount.cost_nano, given.cost_nano);
    }
    if (refused)
        return std::move(*refused);
    return amount;
}

model::TokenLevel token_level(const SpendLimits& limits, const SpendLevels& levels)
{
    const bool by_minute = limits.tokens_per_minute > 0;
    model::TokenLevel level;
    level.limit = by_minute ? limits.tokens_per_minute : limits.tokens_per_day;
    level.remaining = std::max<std::int64_t>(0, levels.left(limits).tokens);
    if (!by_minute)
        level.reset_seconds = levels.to_midnight;
    else
        level.reset_seconds = static_cast<std::int64_t>(
            std::ceil(levels.minute_tokens * 60 / static_cast<double>(limits.tokens_per_minute)));
    return level;
}

struct SpendingAccounts::Account {
    double minute_tokens = 0;  // at `seen`
    std::int64_t seen = 0;
    std::int64_t refill = 0;  // tokens a minute
    model::Spend reserved;
    std::int64_t day = -1;  // of the sums below; -1: not known
    model::Spend spent;
    model::Spend told;  // of `spent`: what was told, not seen here
};

SpendingAccounts::SpendingAccounts(const Clock& clock, std::size_t capacity) : clock_(clock), accounts_(capacity) {}

SpendingAccounts::Now SpendingAccounts::now() const
{
    const auto wall = clock_.now();
    return {std::chrono::duration_cast<std::chrono::milliseconds>(clock_.steady_now().time_since_epoch()).count(),
            wall / milliseconds_of_day, (milliseconds_of_day - wall % milliseconds_of_day + 999) / 1000};
}

std::shared_ptr<SpendingAccounts::Account>& SpendingAccounts::account_of(const std::string& name)
{
    auto& account = accounts_.use(name);
    if (!account)
        account = std::make_shared<Account>();
    return account;
}

// What has passed since it was seen: the minute refills, and a new day begins with nothing. A clock that jumps back begins none:
// what was used counts until the day is really over.
void SpendingAccounts::catch_up(Account& account, const Now& at)
{
    const auto passed = static_cast<double>(std::max<std::int64_t>(0, at.steady - account.seen));
    const auto refilled = passed * static_cast<double>(account.refill) / spendings::minute;
    account.minute_tokens = account.refill > 0 ? std::max(0.0, account.minute_tokens - refilled) : 0;
    account.seen = at.steady;
    if (account.day >= 0 && account.day < at.day) {
        account.day = at.day;
        account.spent = account.told = {};
    }
}

std::variant<SpendingAccounts::Grant, SpendRefusal, SpendingAccounts::Unknown>
SpendingAccounts::reserve(std::span<const Payer> payers, const model::Wish& wish, std::int64_t divisor)
{
    const auto at = now();
    const std::lock_guard lock(guard_);
    Grant grant;
    std::vector<Payer> divided(payers.begin(), payers.end());
    std::vector<SpendLevels> levels;
    for (std::size_t i = 0; i < payers.size(); ++i) {
        auto& limits = divided[i].limits;
        const auto account = account_of(payers[i].name);
        catch_up(*account, at);
        if (limits.days() && account->day < 0)
            return Unknown{i, at.day};
        limits = spendings::parted(limits, account->told, divisor);
        account->refill = limits.tokens_per_minute;
        levels.push_back({account->minute_tokens, account->reserved, account->spent, at.to_midnight});
        grant.accounts.push_back(account);
    }
    auto outcome = granted(divided, levels, wish);
    if (auto* refused = std::get_if<SpendRefusal>(&outcome))
        return std::move(*refused);
    grant.amount = std::get<model::Spend>(outcome);
    for (const auto& account : grant.accounts) {
        account->reserved.tokens += grant.amount.tokens;
        account->reserved.cost_nano += grant.amount.cost_nano;
    }
    return grant;
}

// Only the first word counts: what came later was settled here meanwhile.
void SpendingAccounts::tell(const Payer& payer, std::int64_t day, const model::Spend& spent)
{
    const std::lock_guard lock(guard_);
    auto& account = *account_of(payer.name);
    if (account.day >= 0)
        return;
    account.day = day;
    account.spent = account.told = spent;
}

void SpendingAccounts::settle(const Held& accounts, const model::Spend& reserved, const model::Spend& used)
{
    const auto at = now();
    const std::lock_guard lock(guard_);
    for (const auto& account : accounts) {
        catch_up(*account, at);
        account->reserved.tokens -= reserved.tokens;
        account->reserved.cost_nano -= reserved.cost_nano;
        account->minute_tokens += static_cast<double>(used.tokens);
        account->spent.tokens += used.tokens;
        account->spent.cost_nano += used.cost_nano;
    }
}

std::variant<SpendLevels, SpendingAccounts::Unknown> SpendingAccounts::levels(const Payer& payer)
{
    const auto at = now();
    const std::lock_guard lock(guard_);
    auto& account = *account_of(payer.name);
    catch_up(account, at);
    if (payer.limits.days() && account.day < 0)
        return Unknown{0, at.day};
    return SpendLevels{account.minute_tokens, account.reserved, account.spent, at.to_midnight};
}

void SpendingAccounts::forget(std::string_view name)
{
    const std::lock_guard lock(guard_);
    accounts_.erase(name);
}

}  // namespace dure::auth
