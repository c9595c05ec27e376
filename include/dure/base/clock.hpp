// Time and identity, injected so that tests step them. Durations and deadlines use the monotonic clock; what is stored
// or shown is UTC milliseconds since the epoch (UnixMillis) and RFC 3339 with milliseconds.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dure {

using UnixMillis = std::int64_t;
using Steady = std::chrono::steady_clock;

// Thread-safe.
class Clock {
public:
    virtual ~Clock() = default;
    virtual UnixMillis now() const = 0;
    virtual Steady::time_point steady_now() const = 0;
};

class SystemClock final : public Clock {
public:
    UnixMillis now() const override;
    Steady::time_point steady_now() const override { return Steady::now(); }
};

// "2026-11-21T02:15:00.123Z"
std::string rfc3339(UnixMillis time);
// The last one that has a form: 9999-12-31T23:59:59.999Z.
inline constexpr UnixMillis last_rfc3339 = 253'402'300'799'999;
// Accepts "…Z" and numeric offsets, with or without a fraction; empty on anything else, and where the offset leads out of the years 0 to 9999.
std::optional<UnixMillis> parse_rfc3339(std::string_view text);

// A UUIDv7 in its 36-character form; ascending within one process. Thread-safe.
std::string new_id();

// From the operating system's generator; throws when it fails. Thread-safe.
void fill_random(void* target, std::size_t size);
// length characters of 0-9A-Za-z, without modulo bias.
std::string random_base62(std::size_t length);

// A point on the monotonic clock that a request may not pass. It is handed down and only ever shrinks.
class Deadline {
public:
    static Deadline after(Steady::duration pause) { return Deadline(Steady::now() + pause); }
    static Deadline never() { return Deadline(Steady::time_point::max()); }
    explicit Deadline(Steady::time_point at) : at_(at) {}

    Steady::time_point at() const { return at_; }
    bool passed() const { return Steady::now() >= at_; }
    // Never negative.
    Steady::duration left() const;
    Deadline sooner(Steady::duration pause) const { return Deadline(std::min(at_, Steady::now() + pause)); }

private:
    Steady::time_point at_;
};

}  // namespace dure
