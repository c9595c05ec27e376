// A limit of how many do something at the same time, over all cores: first come, first served, within each one's deadline, with a
// bounded queue. So a slow provider cannot take the sockets and memory of the others.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "dure/base/clock.hpp"
#include "dure/base/task.hpp"

namespace dure {

// Thread-safe.
class Bulkhead {
public:
    Bulkhead(std::size_t most_running, std::size_t most_waiting)
        : most_running_(most_running), most_waiting_(most_waiting)
    {}
    Bulkhead(const Bulkhead&) = delete;
    Bulkhead& operator=(const Bulkhead&) = delete;

    // A place among the running ones; given back when it goes.
    class Slot {
    public:
        explicit Slot(Bulkhead& owner) : owner_(&owner) {}
        Slot(Slot&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)) {}
        Slot& operator=(Slot&&) = delete;
        ~Slot()
        {
            if (owner_ != nullptr)
                owner_->leave();
        }

    private:
        Bulkhead* owner_;
    };

    // Without waiting; empty when no place is free, or others wait for one.
    std::optional<Slot> try_enter();
    enum class Refusal { queue_full, deadline };
    // Empty with `why` set when no place came free in time.
    Task<std::optional<Slot>> enter(Deadline deadline, Refusal& why);

    std::size_t running() const;

private:
    struct Waiter;
    void leave();
    bool forget(const std::shared_ptr<Waiter>& waiter);

    const std::size_t most_running_;
    const std::size_t most_waiting_;
    mutable std::mutex guard_;
    std::size_t running_ = 0;
    std::deque<std::shared_ptr<Waiter>> waiting_;
};

}  // namespace dure
