// Rate limits (threat-model §7): how often a caller may ask, and how many streams may run at once. A bucket per key,
// per user and, on routes without a credential, per address; each refills evenly and is full after a minute without
// requests.
//   api middleware -> take(subject) -> verdict: RateLimit-* headers, or 429 with Retry-After
// In this process, or shared between replicas through Redis; without Redis each replica allows half.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "dure/base/clock.hpp"
#include "dure/base/error.hpp"
#include "dure/base/task.hpp"
#include "dure/config/settings.hpp"

namespace dure::redis {
class Client;
}

namespace dure::auth {

// Roles made by an administrator have the limits of "user".
const config::RoleLimits& limits_of_role(const config::Limits& limits, std::string_view role);

// Who is counted. The views live until take() has returned.
struct RateSubject {
    std::string_view user_id;  // empty: known by the address only
    std::string_view key_id;  // empty: no key
    std::string_view address;
    const config::RoleLimits& limits;
    bool chat = false;  // counts for chat_per_minute too
};

struct RateVerdict {
    bool allowed = true;
    std::int64_t limit = 0;  // of the bucket with the least left, a minute
    std::int64_t remaining = 0;
    std::int64_t reset_seconds = 0;  // until that bucket is full again
    std::int64_t retry_seconds = 0;  // at least 1 when refused

    Error refusal() const;  // rate_limited, reason "rate_limit_exceeded"
};

// Gives its place back when it goes, on whichever way.
class StreamPlace {
public:
    virtual ~StreamPlace() = default;
};

// Thread-safe. take() is awaited on a core.
class RateLimiter {
public:
    virtual ~RateLimiter() = default;
    // Takes one from every bucket of the subject, or from none.
    virtual Task<RateVerdict> take(RateSubject subject) = 0;
    // The same without waiting; empty: nothing was taken, take() has to ask.
    virtual std::optional<RateVerdict> take_at_once(const RateSubject&) { return std::nullopt; }
    // A place among the `most` streams that one user may have open; rate_limited when all are taken. Without Redis each
    // replica gives half.
    virtual Task<Result<std::unique_ptr<StreamPlace>>> open_stream(std::string user_id, std::int64_t most) = 0;
};

// At most `capacity` users, keys and addresses are remembered; the one used least recently is forgotten first.
std::unique_ptr<RateLimiter> in_process_limiter(const Clock& clock, std::size_t capacity = 100000);
std::unique_ptr<RateLimiter> redis_limiter(redis::Client& redis, const Clock& clock, std::size_t capacity = 100000);

}  // namespace dure::auth
