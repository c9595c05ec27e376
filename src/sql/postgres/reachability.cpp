// Reachability; see reachability.hpp.
#include "sql/postgres/reachability.hpp"

#include <algorithm>
#include <chrono>
#include <random>
#include <utility>

namespace dure::sql {

namespace {

using Millis = std::chrono::milliseconds;
constexpr Millis first_pause{100};
constexpr Millis longest_pause{1000};   // so that everything is normal again soon after the server is

// Between half and all of the doubled pause, so that replicas do not come back in step.
Millis reconnect_pause(int failures)
{
    static thread_local std::minstd_rand random(std::random_device{}());
    const auto full = std::min(longest_pause, first_pause * (1 << std::min(failures - 1, 6)));
    return Millis(std::uniform_int_distribution<Millis::rep>(
        std::max<Millis::rep>(full.count() / 2, first_pause.count()), full.count())(random));
}

}  // namespace

void Reachability::reached()
{
    bool news = false;
    {
        const std::lock_guard lock(guard_);
        news = !std::exchange(reachable_, true);
        ++successes_;
        ++connections_;
        note_away();
    }
    changed_.notify_all();
    if (news && report_)
        report_(true, "");
}

void Reachability::missed(std::string_view detail)
{
    bool news = false;
    {
        const std::lock_guard lock(guard_);
        news = std::exchange(reachable_, false);
        note_away();
    }
    if (news && report_)
        report_(false, detail);
}

void Reachability::lost()
{
    const std::lock_guard lock(guard_);
    --connections_;
    note_away();
}

bool Reachability::away(Steady::duration limit) const
{
    const auto since = away_since_.load(std::memory_order_relaxed);
    return since != Steady::time_point::max() && Steady::now() - since >= limit;
}

void Reachability::note_away()
{
    if (reachable_ || connections_ > 0)
        away_since_.store(Steady::time_point::max(), std::memory_order_relaxed);
    else if (!away())
        away_since_.store(Steady::now(), std::memory_order_relaxed);
}

bool Reachability::pause(int failures)
{
    std::unique_lock lock(guard_);
    const auto before = successes_;
    changed_.wait_for(lock, reconnect_pause(failures), [&] { return closed_ || successes_ != before; });
    return !closed_;
}

void Reachability::close()
{
    {
        const std::lock_guard lock(guard_);
        closed_ = true;
    }
    changed_.notify_all();
}

bool Reachability::closed() const
{
    const std::lock_guard lock(guard_);
    return closed_;
}

}  // namespace dure::sql
