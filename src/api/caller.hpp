// From the request's principal to what the chat services ask for.
#pragma once

#include "api/context.hpp"
#include "dure/chat/service.hpp"

namespace dure::api {

inline chat::Caller caller_of(const RequestContext& context)
{
    const auto& principal = context.principal;
    return {principal.user_id, principal.key_id, principal.models, principal.may("tools:execute")};
}

}  // namespace dure::api
