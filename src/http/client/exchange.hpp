// One request and its answer on one connection: the request goes out in one write, the head is read and parsed, the body
// is handed out as it arrives. When the body has been read to its end, the connection goes back to the pool.
#pragma once

#include <memory>
#include <string>

#include "dure/http/client.hpp"
#include "http/client/body_decoder.hpp"
#include "http/client/pool.hpp"

namespace dure::http::outgoing {

// The request line and fields. Errors: invalid_argument, when a field could end its line or is one the client sets.
Result<std::string> request_head(const ClientRequest& request);

struct HeadOutcome {
    // Neither: the reused connection was closed before the first byte of an answer ("stale").
    std::unique_ptr<ResponseStream> stream;
    std::optional<Error> error;
};

// The lease holds a connection.
Task<HeadOutcome> exchange_heads(Lease lease, const ClientRequest& request, const std::string& head);

}  // namespace dure::http::outgoing
