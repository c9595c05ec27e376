// From the request's principal to what the chat services ask for.
#pragma once

#include "api/context.hpp"
#include "dure/chat/service.hpp"
#include "dure/model/event.hpp"

namespace dure::api {

inline chat::Caller caller_of(const RequestContext& context)
{
    const auto& principal = context.principal();
    return {principal.user_id, principal.key_id, principal.models, principal.may("tools:execute"), principal.permissions,
            principal.role, principal.limits};
}

// For the events a request leaves.
inline model::Actor actor_of(const RequestContext& context)
{
    return {context.principal().user_id, context.principal().key_id, context.request_id(), context.head().client_address};
}

}  // namespace dure::api
