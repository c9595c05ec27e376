// What is known of a target's state over all requests (llm-upstreams §6): cool-downs, keys that are off, the breaker. No
// sockets and no clock: every call is told the time.
//
//   admit(now, tried) -> a key, or for how long and why not  ...  note(key, outcome, now)
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "dure/base/clock.hpp"
#include "llm/failure.hpp"

namespace dure::llm {

// Whether a target takes a request now.
struct Admission {
    std::optional<std::size_t> key;  // the provider's key to use; empty: refused
    Steady::duration free_in{};  // of a refusal
    FailureClass why = FailureClass::no_target;  // of a refusal
};

// The keys of one provider; shared by its targets. A provider without keys has one, which is empty. Thread-safe.
class KeyRing {
public:
    explicit KeyRing(std::size_t count) : keys_(count == 0 ? 1 : count) {}

    std::size_t size() const { return keys_.size(); }
    // A key that is off comes back for one probe at a time when its pause is over.
    Admission admit(std::size_t key, Steady::time_point now);
    bool on(std::size_t key, Steady::time_point now) const;
    void off(std::size_t key, Steady::time_point until, FailureClass why);
    void works(std::size_t key);

private:
    struct State {
        std::optional<FailureClass> off;
        Steady::time_point until{};
    };
    std::atomic<std::size_t> count_off_{0};   // of keys: none nearly always, and nothing is locked then
    mutable std::mutex guard_;
    std::vector<State> keys_;
};

// One (provider, model). Thread-safe.
class TargetHealth {
public:
    struct Rules {
        std::int64_t failures = 3;  // in a row; 0: no breaker
        Steady::duration open = std::chrono::seconds(5);
        Steady::duration max_open = std::chrono::seconds(60);
    };
    enum class Breaker { closed, open, half_open };

    TargetHealth(std::shared_ptr<KeyRing> keys, Rules rules);

    // Keys are given in turn; `tried` are left out.
    Admission admit(Steady::time_point now, std::span<const std::size_t> tried);
    // For a second try of the same request with the same key: cool-downs are the caller's own wait, the breaker is not.
    bool may_retry();
    // How often the breaker had opened when an attempt began. While it is not closed those of now are its one probe; those of before
    // say nothing of it.
    using Era = std::uint64_t;
    Era era() const { return era_.load(std::memory_order_relaxed); }
    // An admitted attempt has ended; empty: with success.
    void note(std::size_t key, const MaybeFailure& failure, Steady::time_point now, Era began);
    // An admitted attempt has its first output: a breaker that it probes does not wait for its end, which may be minutes away.
    void speaks(Era began);
    // An admitted attempt has ended without telling anything of the target.
    void abandoned(Era began);
    // Whether an admitted attempt that had to wait for its place has been overtaken: the breaker has opened since, or the key is cooled now.
    // For how long, then.
    std::optional<Steady::duration> overtaken(std::size_t key, Steady::time_point now, Era began) const;
    Breaker breaker(Steady::time_point now);
    // Zero: it is not cooled down.
    Steady::duration cooled_for(std::size_t key, Steady::time_point now);

    // Whether admit() would give a key, as far as can be told without taking one.
    bool open(Steady::time_point now) const;
    // Attempts under way.
    void begins() { running_.fetch_add(1, std::memory_order_relaxed); }
    void ends() { running_.fetch_sub(1, std::memory_order_relaxed); }
    std::int64_t running() const { return running_.load(std::memory_order_relaxed); }

private:
    struct KeyState {
        Steady::time_point cooled_until{};
        int limits_in_a_row = 0;
    };
    // Outcomes of one second.
    struct Second {
        std::int64_t number = -1;
        std::uint32_t failed = 0;
        std::uint32_t all = 0;
    };
    void cool(std::size_t key, const Failure& failure, Steady::time_point now);
    void count(bool failed, Steady::time_point now);
    bool mostly_fails(Steady::time_point now) const;
    void open_breaker(Steady::time_point now);

    const std::shared_ptr<KeyRing> ring_;
    const Rules rules_;
    std::atomic<std::int64_t> running_{0};
    std::atomic<Era> era_{0};
    mutable std::mutex guard_;
    std::vector<KeyState> keys_;
    std::size_t turn_ = 0;
    Steady::time_point missing_until_{};
    std::int64_t failures_in_a_row_ = 0;
    int times_opened_ = 0;  // 0: closed
    Steady::time_point open_until_{};
    bool probing_ = false;
    std::array<Second, 30> seconds_;
};

}  // namespace dure::llm
