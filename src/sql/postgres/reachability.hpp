// Reachability: what the workers of a pool know together about their server. Workers without a connection pause here
// between attempts (0.1 s doubling to 5 s, with jitter); the first one that gets through ends everybody's pause.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string_view>

#include "dure/base/clock.hpp"

namespace dure::sql {

class Reachability {
public:
    using Report = std::function<void(bool reachable, std::string_view detail)>;
    explicit Reachability(Report report) : report_(std::move(report)) {}

    // Somebody has a connection.
    void reached();
    // Somebody could not connect.
    void missed(std::string_view detail);
    // Somebody has a connection no more.
    void lost();
    // Nobody has a connection, and the last who tried got none; and so it has been for longer than `limit`.
    bool away(Steady::duration limit = Steady::duration::zero()) const;
    // The pause after so many failures in a row; false: closed.
    bool pause(int failures);
    void close();
    bool closed() const;

private:
    void note_away();   // under the guard

    const Report report_;
    mutable std::mutex guard_;
    std::condition_variable changed_;
    std::uint64_t successes_ = 0;
    std::size_t connections_ = 0;
    bool reachable_ = true;
    bool closed_ = false;
    std::atomic<Steady::time_point> away_since_ = Steady::time_point::max();   // max: it is not
};

}  // namespace dure::sql
