// Coroutines of one core that wait for the same thing. A Signal is for one waiter; here each has its own.
#pragma once

#include <list>

#include "dure/base/channel.hpp"

namespace dure::tools::mcp {

class WaitList {
public:
    explicit WaitList(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}

    void notify_all()
    {
        for (Signal* const waiter : waiters_)
            waiter->notify();
    }

    // Until the next notify_all() or the deadline; the caller looks at its condition again.
    Task<void> wait(Deadline until)
    {
        Signal signal(executor_);
        struct Place {
            std::list<Signal*>& all;
            std::list<Signal*>::iterator at;
            ~Place() { all.erase(at); }
        } const place{waiters_, waiters_.insert(waiters_.end(), &signal)};
        co_await signal.wait(until.at());
    }

private:
    boost::asio::any_io_executor executor_;
    std::list<Signal*> waiters_;
};

}  // namespace dure::tools::mcp
