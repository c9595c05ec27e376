// Reachability: what the workers of a pool know together about their server. Workers without a connection pause here
// between attempts (0.1 s doubling to 5 s, with jitter); the first one that gets through ends everybody's pause.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string_view>

namespace dure::sql {

class Reachability {
public:
    using Report = std::function<void(bool reachable, std::string_view detail)>;
    explicit Reachability(Report report) : report_(std::move(report)) {}

    void reached();
    void missed(std::string_view detail);
    // The pause after so many failures in a row; false: closed.
    bool pause(int failures);
    void close();
    bool closed() const;

private:
    const Report report_;
    mutable std::mutex guard_;
    std::condition_variable changed_;
    std::uint64_t successes_ = 0;
    bool reachable_ = true;
    bool closed_ = false;
};

}  // namespace dure::sql
