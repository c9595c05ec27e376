// What a client is told when the server stops while its answer is being made: the handler is cancelled, but the client is
// still there (llm-upstreams §9, case 33).
#pragma once

#include "api/context.hpp"

namespace dure::api {

// Runs `work`. Cancelled because the server stops: the error server_shutdown, and the caller may still write its last words.
// Cancelled because the client left: the cancellation goes on.
Task<Result<void>> or_told_of_stop(RequestContext& context, Task<Result<void>> work);

Error server_is_stopping();

}  // namespace dure::api
