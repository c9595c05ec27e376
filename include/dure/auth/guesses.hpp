// Limits on guessing (threat-model §4). An attempt is counted as a failure before anything costly is done; a success takes
// it back. Per account: five free failures, then waits that double from 1 s to 15 min; per address: 30 failures in 10
// minutes. Never a permanent lock. Also the plain counts per hour of registrations and mails. In this process, bounded,
// thread-safe.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string_view>

#include "dure/base/clock.hpp"
#include "dure/config/settings.hpp"

namespace dure::auth {

class Guesses {
public:
    struct Options {
        std::size_t entries = 100000;  // of each kind; the one unused for longest goes first
    };

    static constexpr std::chrono::seconds address_window{600};
    static constexpr std::chrono::seconds longest_wait{900};
    static constexpr std::chrono::hours forgotten_after{24};

    Guesses(const Clock& clock, const config::Limits& limits);
    Guesses(const Clock& clock, const config::Limits& limits, Options options);
    ~Guesses();

    struct Verdict {
        std::optional<std::chrono::seconds> wait;  // empty: go ahead, the attempt is counted
        bool first_refusal = false;  // since the last attempt that was let through
    };

    // `account` empty: guesses at keys and tokens, by address alone.
    Verdict begin(std::string_view account, std::string_view address);
    // The guess was right: the account starts anew, the address gets this attempt back.
    void succeeded(std::string_view account, std::string_view address);
    // It was not tried after all (the server was busy).
    void undo(std::string_view account, std::string_view address);

    // Counts one more of `what` for `whom`; the time to wait when `most` were counted in this window already.
    std::optional<std::chrono::seconds> count(std::string_view what, std::string_view whom, std::int64_t most,
                                              std::chrono::seconds window);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace dure::auth
