// The places for streams that a caller may have open at once (threat-model §7), for handlers that stream.
#pragma once

#include <memory>

#include "api/context.hpp"
#include "api/limited.hpp"
#include "dure/api/api.hpp"
#include "dure/auth/rate_limiter.hpp"

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
        const auto& caller = context.principal;
        auto place = co_await limiter_.open_stream(caller.user_id, auth::limits_of_role(limits_, caller.role).streams);
        if (!place)
            refused_.increment();
        co_return place;
    }

private:
    auth::RateLimiter& limiter_;
    const config::Limits& limits_;
    metrics::Counter& refused_;
};

}  // namespace dure::api
