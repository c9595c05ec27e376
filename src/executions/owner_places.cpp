// See owner_places.hpp. A waiter's Signal belongs to its core: whoever grants a place posts there.
#include "executions/owner_places.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace dure::executions {

Task<std::optional<OwnerPlaces::Place>> OwnerPlaces::Turn::wait(std::string owner, std::int64_t most)
{
    if (most <= 0)
        co_return Place();
    auto waiter = std::make_shared<Waiter>();
    waiter->executor = co_await boost::asio::this_coro::executor;
    waiter->wake = [this] { woken_.notify(); };
    {
        const std::lock_guard lock(places_.guard_);
        auto& mine = places_.owners_[owner];
        if (mine.working < most) {
            ++mine.working;
            co_return Place(places_, owner);
        }
        mine.waiting.push_back(waiter);
    }
    struct Leaving {
        OwnerPlaces& places;
        const std::string& owner;
        const std::shared_ptr<Waiter>& waiter;
        ~Leaving() { places.leave(owner, waiter); }
    };
    const Leaving leaving{places_, owner, waiter};
    for (;;) {
        {
            const std::lock_guard lock(places_.guard_);
            if (waiter->granted) {
                waiter->granted = false;   // the place has an owner now
                co_return Place(places_, owner);
            }
        }
        if (stopped_)
            co_return std::nullopt;
        co_await woken_.wait(Steady::now() + std::chrono::seconds(1));
    }
}

void OwnerPlaces::Turn::stop()
{
    stopped_ = true;
    woken_.notify();
}

void OwnerPlaces::give_back(const std::string& owner)
{
    std::shared_ptr<Waiter> next;
    {
        const std::lock_guard lock(guard_);
        const auto found = owners_.find(owner);
        auto& waiting = found->second.waiting;
        if (waiting.empty()) {
            if (--found->second.working == 0)
                owners_.erase(found);
            return;
        }
        next = std::move(waiting.front());
        waiting.pop_front();
        next->granted = true;
    }
    // The waiter may be gone by then: what wakes it is taken out by leave(), on the same core.
    boost::asio::post(next->executor, [next] {
        if (next->wake)
            next->wake();
    });
}

// On the waiter's core.
void OwnerPlaces::leave(const std::string& owner, const std::shared_ptr<Waiter>& waiter)
{
    waiter->wake = nullptr;
    bool unused = false;
    {
        const std::lock_guard lock(guard_);
        unused = std::exchange(waiter->granted, false);
        if (!unused)
            if (const auto found = owners_.find(owner); found != owners_.end())
                std::erase(found->second.waiting, waiter);
    }
    if (unused)
        give_back(owner);
}

}  // namespace dure::executions
