// What model calls may use of somebody's limits: reserved in one step before the call, settled to what it really used at its
// end, whichever end that is (llm-upstreams §8). Who counts is auth/budgets.hpp; who calls models knows only this.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "dure/base/error.hpp"
#include "dure/base/task.hpp"
#include "dure/model/spend_limits.hpp"

namespace dure::model {

struct Spend {
    std::int64_t tokens = 0;  // prompt and answer
    std::int64_t cost_nano = 0;  // USD * 1e-9

    bool operator==(const Spend&) const = default;
};

// Who pays. The views live until the call they are given to has returned.
struct Spender {
    std::string_view user_id;
    std::string_view key_id;  // empty: no key
    std::string_view role;  // empty: to be looked up (work that goes on without a request of the user's)
    SpendLimits of_key = {};  // the key's own, beside those of the user
};

// An estimate of a call. A call that names its longest answer has least == most; any other takes as much of `most` as is
// left, but no less than `least`. A cost of 0 is never refused for money.
struct Wish {
    Spend least;
    Spend most;
};

// Held while the call runs. One that goes without being settled gives everything back.
class Reservation {
public:
    virtual ~Reservation() = default;
    // What it holds: `most` of the wish, or less where a limit leaves less.
    virtual Spend amount() const = 0;
    // Once; never waits, so that a call which is cancelled can do it on its way out.
    virtual void settle(const Spend& used) = 0;
};

// The tokens of a caller for x-ratelimit-* headers; of a minute where those are limited, else of a day. Of several limits the
// one that leaves least.
struct TokenLevel {
    std::int64_t limit = 0;
    std::int64_t remaining = 0;  // neither used nor reserved
    std::int64_t reset_seconds = 0;
};

// Thread-safe; awaited on a core.
class Budget {
public:
    virtual ~Budget() = default;
    // Whether calls of this spender (without a role: of any) have a limit at all; from memory.
    virtual bool limits(const Spender& spender) const = 0;
    // Null when nothing limits the spender. rate_limited with Retry-After: "rate_limit_exceeded" for tokens of a minute,
    // "budget_exceeded" for tokens or cost of a day.
    virtual Task<Result<std::unique_ptr<Reservation>>> reserve(Spender spender, Wish wish) = 0;
    virtual Task<std::optional<TokenLevel>> level(Spender spender) = 0;
};

}  // namespace dure::model
