// WorkQueue: see work_queue.hpp.
#include "sql/postgres/work_queue.hpp"

#include <algorithm>

namespace dure::sql {

bool WorkQueue::push(Unit& unit)
{
    bool takeable = true;   // else it waits for done_sharing()
    {
        const std::lock_guard lock(guard_);
        if (closed_ || alone_.size() + shared_.size() >= limit_)
            return false;
        unit.queued_at = Steady::now();
        home_of(unit).push_back(&unit);
        takeable = !unit.shares_transaction || may_share();
    }
    if (takeable)
        filled_.notify_one();
    return true;
}

WorkQueue::Taken WorkQueue::pop(std::size_t together, std::uint64_t& nudges)
{
    std::unique_lock lock(guard_);
    ++idle_;
    filled_.wait(lock, [&] { return closed_ || !alone_.empty() || may_share() || nudges != nudges_; });
    --idle_;
    Taken taken;
    taken.nudged = !closed_ && nudges != nudges_;
    nudges = nudges_;
    if (taken.nudged)
        return taken;
    taken.shares = may_share() && (alone_.empty() || shared_.front()->queued_at < alone_.front()->queued_at);
    auto& from = taken.shares ? shared_ : alone_;
    const auto count = static_cast<std::ptrdiff_t>(std::min(taken.shares ? together : 1, from.size()));
    taken.units.assign(from.begin(), from.begin() + count);
    from.erase(from.begin(), from.begin() + count);
    if (taken.shares)
        ++sharing_;
    return taken;
}

void WorkQueue::nudge()
{
    {
        const std::lock_guard lock(guard_);
        ++nudges_;
    }
    filled_.notify_all();
}

void WorkQueue::done_sharing()
{
    bool more = false;
    {
        const std::lock_guard lock(guard_);
        --sharing_;
        more = may_share();
    }
    if (more)
        filled_.notify_one();
}

void WorkQueue::put_back(Unit& unit)
{
    {
        const std::lock_guard lock(guard_);
        auto& units = home_of(unit);
        const auto younger = std::find_if(units.begin(), units.end(),
                                          [&unit](const Unit* other) { return other->queued_at > unit.queued_at; });
        units.insert(younger, &unit);
    }
    filled_.notify_one();
}

std::vector<Unit*> WorkQueue::take_older(Steady::time_point moment)
{
    std::vector<Unit*> taken;
    const std::lock_guard lock(guard_);
    for (auto* units : {&alone_, &shared_})
        for (; !units->empty() && units->front()->queued_at < moment; units->pop_front())
            taken.push_back(units->front());
    return taken;
}

void WorkQueue::close()
{
    {
        const std::lock_guard lock(guard_);
        closed_ = true;
    }
    filled_.notify_all();
}

std::size_t WorkQueue::size() const
{
    const std::lock_guard lock(guard_);
    return alone_.size() + shared_.size();
}

std::size_t WorkQueue::idle() const
{
    const std::lock_guard lock(guard_);
    return idle_;
}

}  // namespace dure::sql
