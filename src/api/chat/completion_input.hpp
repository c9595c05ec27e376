// The checked input of POST /v1/chat/completions: what Dure itself reads of the body. Everything else passes through.
#pragma once

#include <string_view>

#include "api/context.hpp"
#include "dure/chat/service.hpp"

namespace dure::api {

// `body` is checked JSON and must outlive the call; `members` are its own. Errors name the field in param (openai-clients §3,
// §8.1).
Result<chat::CompletionCall> read_completion(std::string_view body, schema::JsonIndex members);

chat::ClientHints read_hints(const RequestContext& context);

}  // namespace dure::api
