// The limit of an answer that is not streamed (threat-model §3): what is not done by then is cut, recorded as cut, and the
// client gets a 504.
#pragma once

#include "dure/base/error.hpp"
#include "dure/base/timeout.hpp"

namespace dure::api {

inline Task<Result<void>> in_time(Task<Result<void>> work, Deadline deadline)
{
    auto outcome = co_await with_timeout(std::move(work), deadline);
    if (!outcome)
        co_return Error(Errc::timeout, "The answer took too long.").reason("request_timeout");
    co_return std::move(*outcome);
}

}  // namespace dure::api
