// OutagePatience: a stream whose next look into the database failed goes on behind an outage (threat-model §9: running streams to
// their end). Nothing is lost on a client that comes back with its last id, but all would come back at the same time. Of one stream.
#pragma once

#include <chrono>
#include <optional>

#include "dure/base/clock.hpp"
#include "dure/base/error.hpp"
#include "dure/base/timeout.hpp"

namespace dure::api {

class OutagePatience {
public:
    static bool is_outage(const Error& error)
    {
        return (error.code() == Errc::unavailable || error.code() == Errc::timeout) &&
               error.reason() != "server_shutdown";
    }

    // Waits a moment, then one may look again. False: this is no outage, or it lasts too long.
    Task<bool> wait_after(const Error& error)
    {
        const auto now = Steady::now();
        since_ = since_.value_or(now);
        if (!is_outage(error) || now - *since_ > longest)
            co_return false;
        co_await sleep_for(between_looks);
        co_return true;
    }
    // A look has succeeded.
    void end() { since_.reset(); }

private:
    // As long as an execution itself waits for the database (docs/runs.md).
    static constexpr std::chrono::minutes longest{10};
    static constexpr std::chrono::milliseconds between_looks{500};

    std::optional<Steady::time_point> since_;  // the first failed look
};

}  // namespace dure::api
