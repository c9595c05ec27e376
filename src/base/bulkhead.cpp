// A counter and a queue under one brief lock; a place that comes free is handed to the first waiter. See bulkhead.hpp.
#include "dure/base/bulkhead.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include "dure/base/channel.hpp"

namespace dure {

struct Bulkhead::Waiter {
    explicit Waiter(boost::asio::any_io_executor where) : executor(where), signal(where) {}
    boost::asio::any_io_executor executor;
    Signal signal;          // used on the waiter's own core only
    bool granted = false;   // under the lock
};

Task<std::optional<Bulkhead::Slot>> Bulkhead::enter(Deadline deadline, Refusal& why)
{
    if (auto slot = try_enter())
        co_return slot;
    const auto waiter = std::make_shared<Waiter>(co_await boost::asio::this_coro::executor);
    {
        const std::lock_guard lock(guard_);
        if (running_ < most_running_ && waiting_.empty()) {
            ++running_;
            waiter->granted = true;
        } else if (waiting_.size() >= most_waiting_) {
            why = Refusal::queue_full;
            co_return std::nullopt;
        } else {
            waiting_.push_back(waiter);
        }
    }
    // Also runs when the wait is cancelled: a place handed over meanwhile must not be lost.
    struct Abandon {
        Bulkhead& owner;
        const std::shared_ptr<Waiter>& waiter;
        bool taken = false;
        ~Abandon()
        {
            if (!taken && !owner.forget(waiter))
                owner.leave();
        }
    } abandon{*this, waiter};
    for (;;) {
        {
            const std::lock_guard lock(guard_);
            if (waiter->granted) {
                abandon.taken = true;
                co_return Slot(*this);
            }
        }
        if (deadline.passed()) {
            why = Refusal::deadline;
            co_return std::nullopt;
        }
        co_await waiter->signal.wait(deadline.at());
    }
}

std::optional<Bulkhead::Slot> Bulkhead::try_enter()
{
    const std::lock_guard lock(guard_);
    if (running_ >= most_running_ || !waiting_.empty())
        return std::nullopt;
    ++running_;
    return Slot(*this);
}

void Bulkhead::leave()
{
    const std::lock_guard lock(guard_);
    if (waiting_.empty()) {
        --running_;
        return;
    }
    const auto next = std::move(waiting_.front());
    waiting_.pop_front();
    next->granted = true;   // the place changes hands, the count stays
    boost::asio::post(next->executor, [next] { next->signal.notify(); });
}

// False when it had been granted already.
bool Bulkhead::forget(const std::shared_ptr<Waiter>& waiter)
{
    const std::lock_guard lock(guard_);
    const auto found = std::find(waiting_.begin(), waiting_.end(), waiter);
    if (found == waiting_.end())
        return false;
    waiting_.erase(found);
    return true;
}

std::size_t Bulkhead::running() const
{
    const std::lock_guard lock(guard_);
    return running_;
}

}  // namespace dure
