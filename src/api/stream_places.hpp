// The places for streams that a caller may have open at once (threat-model §7), for handlers that stream.
#pragma once

#include <memory>

#include "api/context.hpp"
#include "api/limited.hpp"
#include "dure/api/api.hpp"
#include "dure/auth/rate_limiter.hpp"
#include "dure/base/timeout.hpp"

namespace dure::api {

class StreamPlaces {
public:
    explicit StreamPlaces(const ApiParts& parts)
        : limiter_(parts.limiter), limits_(parts.settings.limits), refused_(limited_counter(parts.metrics, "streams"))
    {}

    // Held for as long as the stream runs. Null for an answer that is no stream; rate_limited when too many are open.
    Task<Result<std::unique_ptr<auth::StreamPlace>>> take(const RequestContext& context, bool streamed) const
    {
        if (!streamed)
            co_return std::unique_ptr<auth::StreamPlace>();
        const auto& caller = context.principal();
        const auto most = auth::limits_of_role(limits_, caller.role).streams;
        auto place = co_await limiter_.open_stream(caller.user_id, most);
        for (int looks = 0; !place && looks < looks_more; ++looks) {
            co_await sleep_for(between_looks);
            place = co_await limiter_.open_stream(caller.user_id, most);
        }
        if (!place)
            refused_.increment();
        co_return place;
    }

private:
    // A place comes back a moment after the last byte of its stream: who has read that may ask for the next at once.
    static constexpr int looks_more = 3;
    static constexpr std::chrono::milliseconds between_looks{20};

    auth::RateLimiter& limiter_;
    const config::Limits& limits_;
    metrics::Counter& refused_;
};

}  // namespace dure::api
