// One request and its answer on one connection: the request goes out in one write, the head is read and parsed, the body
// is handed out as it arrives. When the body has been read to its end, the connection goes back to the pool.
#pragma once

#include <array>
#include <memory>
#include <string_view>

#include "dure/http/client.hpp"
#include "http/client/body_decoder.hpp"
#include "http/client/pool.hpp"

namespace dure::http::outgoing {

// What stands behind a form's lines: how long the body is, where there may be one, and the empty line.
class HeadEnd {
public:
    HeadEnd(Method method, std::string_view body);
    std::string_view text() const { return {text_.data(), size_}; }

private:
    std::array<char, 48> text_;
    std::size_t size_ = 0;
};

struct HeadOutcome {
    // Neither: the reused connection was closed before the first byte of an answer ("stale").
    std::unique_ptr<ResponseStream> stream;
    std::optional<Error> error;
};

// The lease holds a connection. `now`: when it was taken.
Task<HeadOutcome> exchange_heads(Lease lease, const RequestForm& form, const ClientCall& call, Steady::time_point now);

}  // namespace dure::http::outgoing
