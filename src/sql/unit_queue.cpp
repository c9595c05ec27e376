// UnitQueue: see unit_queue.hpp.
#include "sql/unit_queue.hpp"

namespace dure::sql {

bool UnitQueue::push(Unit& unit)
{
    bool enough = false;
    {
        const std::lock_guard lock(guard_);
        if (closed_ || units_.size() >= limit_)
            return false;
        unit.queued_at = Steady::now();
        units_.push_back(&unit);
        enough = units_.size() >= wanted_;
    }
    if (enough)
        filled_.notify_one();
    return true;
}

std::vector<Unit*> UnitQueue::pop(std::size_t most, std::optional<Steady::time_point> until)
{
    std::unique_lock lock(guard_);
    const auto some = [this] { return closed_ || !units_.empty(); };
    ++idle_;
    if (until)
        filled_.wait_until(lock, *until, some);
    else
        filled_.wait(lock, some);
    --idle_;
    return take(most);
}

std::vector<Unit*> UnitQueue::pop_while(std::size_t most, std::size_t least, const std::function<bool()>& worth_waiting)
{
    std::unique_lock lock(guard_);
    wanted_ = least;
    filled_.wait(lock, [&] { return closed_ || units_.size() >= least || !worth_waiting(); });
    wanted_ = 1;
    return take(most);
}

void UnitQueue::look_again()
{
    {
        const std::lock_guard lock(guard_);   // who is about to wait has looked before, or will look after this
    }
    filled_.notify_all();
}

std::vector<Unit*> UnitQueue::take(std::size_t most)
{
    const auto count = static_cast<std::ptrdiff_t>(std::min(most, units_.size()));
    std::vector<Unit*> taken(units_.begin(), units_.begin() + count);
    units_.erase(units_.begin(), units_.begin() + count);
    return taken;
}

void UnitQueue::put_back(Unit& unit)
{
    {
        const std::lock_guard lock(guard_);
        units_.push_front(&unit);
    }
    filled_.notify_one();
}

std::vector<Unit*> UnitQueue::take_older(Steady::time_point moment)
{
    std::vector<Unit*> taken;
    const std::lock_guard lock(guard_);
    for (; !units_.empty() && units_.front()->queued_at < moment; units_.pop_front())
        taken.push_back(units_.front());
    return taken;
}

std::optional<Steady::time_point> UnitQueue::oldest() const
{
    const std::lock_guard lock(guard_);
    return units_.empty() ? std::nullopt : std::optional(units_.front()->queued_at);
}

void UnitQueue::close()
{
    {
        const std::lock_guard lock(guard_);
        closed_ = true;
    }
    filled_.notify_all();
}

bool UnitQueue::closed() const
{
    const std::lock_guard lock(guard_);
    return closed_;
}

bool UnitQueue::drained() const
{
    const std::lock_guard lock(guard_);
    return closed_ && units_.empty();
}

std::size_t UnitQueue::size() const
{
    const std::lock_guard lock(guard_);
    return units_.size();
}

std::size_t UnitQueue::idle() const
{
    const std::lock_guard lock(guard_);
    return idle_;
}

void finish(Unit& unit)
{
    // The callback may own the frame the unit lives in: it leaves the unit before it is called.
    const auto done = std::move(unit.done);
    done();
}

bool run_caught(Unit& unit, Connection& connection)
{
    unit.error.reset();
    unit.thrown = nullptr;
    try {
        return unit.run(connection);
    } catch (...) {
        unit.thrown = std::current_exception();
        return false;
    }
}

void refuse_stale(std::vector<Unit*>& units, Steady::duration limit)
{
    const auto oldest = Steady::now() - limit;
    std::erase_if(units, [oldest](Unit* unit) {
        if (unit->queued_at >= oldest)
            return false;
        unit->error = busy_error("unit waited too long for a database thread");
        finish(*unit);
        return true;
    });
}

Error busy_error(std::string detail)
{
    return Error(Errc::unavailable, "The storage is busy, try again shortly.")
        .detail(std::move(detail))
        .retry_after(std::chrono::seconds(1));
}

}  // namespace dure::sql
