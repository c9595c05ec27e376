// For handlers that answer with data of others than the caller: on record before it is answered (threat-model §8).
//   if (auto recorded = co_await record_read_of_others(parts.audit, context, id); !recorded)
//       co_return recorded.error();
#pragma once

#include <string>

#include "api/caller.hpp"
#include "dure/events/access_audit.hpp"

namespace dure::api {

inline events::AccessRequest access_request(const RequestContext& context)
{
    return {std::string(http::name_of(context.head().method)), std::string(context.route)};
}

// `subject`: id of the user or aggregate that is read; empty: everybody's. What is the caller's own is not recorded.
inline Task<Result<void>> record_read_of_others(events::AccessAudit& audit, const RequestContext& context,
                                                std::string subject)
{
    if (subject == context.principal().user_id)
        co_return Result<void>();
    co_return co_await audit.read_of_others(actor_of(context), access_request(context), std::move(subject));
}

}  // namespace dure::api
