// Who a request is counted for, and the counters of refusals by a limit, one for each kind of limit; those of tokens and cost are
// the composition root's.
#pragma once

#include <string>

#include "api/context.hpp"
#include "dure/auth/rate_limiter.hpp"
#include "dure/metrics/registry.hpp"

namespace dure::api {

inline metrics::Counter& limited_counter(metrics::Registry& registry, const std::string& scope)
{
    return registry.counter("dure_rate_limited_total", "Requests refused by a limit", {{"scope", scope}});
}

// Views of the context: good while it lives unchanged.
inline auth::RateSubject rate_subject(const RequestContext& context, const config::Limits& limits, bool chat)
{
    const auto& caller = context.principal();
    return {caller.user_id, caller.key_id, context.head().client_address,
            caller.user_id.empty() ? limits.anonymous : auth::limits_of_role(limits, caller.role), chat};
}

}  // namespace dure::api
