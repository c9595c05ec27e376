// A clock that goes only when told to.
#pragma once

#include <atomic>

#include "dure/base/clock.hpp"

namespace dure::auth {

class HandClock final : public Clock {
public:
    UnixMillis now() const override { return now_; }
    Steady::time_point steady_now() const override { return Steady::time_point(std::chrono::milliseconds(now_)); }
    void step(std::chrono::milliseconds by) { now_ += by.count(); }

private:
    std::atomic<UnixMillis> now_{1'800'000'000'000};
};

}  // namespace dure::auth
