// The arithmetic of budgets, and the accounts of this process; see dure/auth/budgets.hpp. Every function here is plain: no
// waiting, no clock but the one given.
#pragma once

#include <mutex>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "auth/bounded_map.hpp"
#include "dure/auth/budgets.hpp"

namespace dure::auth {

constexpr std::int64_t milliseconds_of_day = 86'400'000;

using model::SpendLimits;

SpendLimits spend_limits(const config::RoleLimits& role);

// An account that a call is charged to, with the limits that count there.
struct Payer {
    std::string name;  // "user:<id>", "key:<id>"
    SpendLimits limits;
};

// What an account shows at one moment.
struct SpendLevels {
    double minute_tokens = 0;  // used and not yet refilled
    model::Spend reserved;
    model::Spend day;  // used today
    std::int64_t to_midnight = 0;  // seconds until the day ends

    // What may still be reserved of `limits`; a very large number where nothing limits. May be negative.
    model::Spend left(const SpendLimits& limits) const;
};

struct SpendRefusal {
    std::string_view scope;  // "tokens", "cost"
    std::int64_t wait = 0;  // seconds; beyond all time: nothing but a smaller request helps
    bool final = false;  // no repeat of the same call within minutes would help
    Error error;
};

// What is granted to a call charged to one account, or why it is not.
std::variant<model::Spend, SpendRefusal> granted(const SpendLimits& limits, const SpendLevels& levels,
                                                 const model::Wish& wish);
// Of several accounts: as much as all grant, or the refusal with the longest wait.
std::variant<model::Spend, SpendRefusal> granted(std::span<const Payer> payers, std::span<const SpendLevels> levels,
                                                 const model::Wish& wish);
model::TokenLevel token_level(const SpendLimits& limits, const SpendLevels& levels);

// The accounts of this process. Thread-safe. At most `capacity` are remembered; the one used least recently is forgotten first
// and begins anew with what was spent that day.
class SpendingAccounts {
public:
    SpendingAccounts(const Clock& clock, std::size_t capacity);

    struct Account;
    using Held = std::vector<std::shared_ptr<Account>>;
    struct Grant {
        Held accounts;
        model::Spend amount;
    };
    // What was spent today of this payer has to be told first.
    struct Unknown {
        std::size_t payer = 0;
        std::int64_t day = 0;
    };
    // `divisor` 2: half of what is left, while what is shared cannot be asked.
    std::variant<Grant, SpendRefusal, Unknown> reserve(std::span<const Payer> payers, const model::Wish& wish,
                                                       std::int64_t divisor = 1);
    void tell(const Payer& payer, std::int64_t day, const model::Spend& spent);
    void settle(const Held& accounts, const model::Spend& reserved, const model::Spend& used);
    std::variant<SpendLevels, Unknown> levels(const Payer& payer);
    void forget(std::string_view name);

private:
    struct Now {
        std::int64_t steady;  // milliseconds
        std::int64_t day;  // since 1970
        std::int64_t to_midnight;
    };
    Now now() const;
    std::shared_ptr<Account>& account_of(const std::string& name);
    static void catch_up(Account& account, const Now& at);

    const Clock& clock_;
    std::mutex guard_;
    BoundedMap<std::shared_ptr<Account>> accounts_;
};

}  // namespace dure::auth
