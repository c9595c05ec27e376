// See drains.hpp.
#include "llm/drains.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include "dure/base/task_group.hpp"

namespace dure::llm {

namespace draining {

// What became of an attempt: one of the two, once it has ended.
struct Outcome {
    std::optional<MaybeFailure> failure;
    std::exception_ptr thrown;

    bool known() const { return failure || thrown; }
};

Task<void> keep(Task<MaybeFailure> attempt, Outcome& outcome, std::shared_ptr<Signal> changed)
{
    try {
        outcome.failure = co_await std::move(attempt);
    } catch (...) {
        outcome.thrown = std::current_exception();
    }
    changed->notify();
}

// Notifies the signal on its own core, if it is still there.
auto teller(boost::asio::any_io_executor executor, std::weak_ptr<Signal> signal)
{
    return [executor = std::move(executor), signal = std::move(signal)] {
        boost::asio::post(executor, [signal] {
            if (const auto changed = signal.lock())
                changed->notify();
        });
    };
}

// True: the waiting coroutine was cancelled.
Task<bool> cancelled_in(Signal& changed, Steady::time_point until)
{
    try {
        co_await changed.wait(until);
    } catch (const boost::system::system_error& error) {
        if (error.code() != boost::asio::error::operation_aborted)
            throw;
        co_return true;
    }
    co_return false;
}

}  // namespace draining

// Where stop() finds an attempt while it runs.
class Drains::Listed {
public:
    Listed(Drains& owner, boost::asio::any_io_executor executor, const std::shared_ptr<Signal>& changed) : owner_(owner)
    {
        const std::lock_guard lock(owner_.guard_);
        place_ = owner_.running_.insert(owner_.running_.end(), {std::move(executor), changed});
    }
    Listed(const Listed&) = delete;
    Listed& operator=(const Listed&) = delete;
    ~Listed()
    {
        const std::lock_guard lock(owner_.guard_);
        owner_.running_.erase(place_);
    }

private:
    Drains& owner_;
    std::list<std::pair<boost::asio::any_io_executor, std::weak_ptr<Signal>>>::iterator place_;
};

Task<MaybeFailure> Drains::run(Task<MaybeFailure> attempt, Reply& reply, bool anyway)
{
    using namespace draining;
    const auto executor = co_await boost::asio::this_coro::executor;
    const auto changed = std::make_shared<Signal>(executor);
    const Listed listed(*this, executor, changed);
    const Reply::Draining without_reader(reply, *changed);
    auto* const others = reply.others();
    if (others != nullptr)
        others->when_none(teller(executor, changed));
    Outcome outcome;
    TaskGroup group(executor);
    group.spawn(keep(std::move(attempt), outcome, changed));
    auto until = Steady::time_point::max();
    while (!outcome.known()) {
        if (co_await cancelled_in(*changed, until)) {
            co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
            reply.reader_leaves();
        }
        if (!reply.reader_gone())
            continue;
        if (others != nullptr && others->any()) {
            until = Steady::time_point::max();   // they have deadlines of their own
            continue;
        }
        if (until == Steady::time_point::max())
            until = Steady::now() + bound_;
        if (!anyway || stopped_ || Steady::now() >= until)
            break;
    }
    group.cancel();
    co_await group.wait();
    if (outcome.thrown)
        std::rethrow_exception(outcome.thrown);
    co_return std::move(*outcome.failure);
}

void Drains::stop()
{
    stopped_ = true;
    const std::lock_guard lock(guard_);
    for (const auto& [executor, signal] : running_)
        draining::teller(executor, signal)();
}

}  // namespace dure::llm
