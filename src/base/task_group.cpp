// TaskGroup; see task_group.hpp.
#include "dure/base/task_group.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/system/system_error.hpp>
#include <cstdlib>

namespace dure {

TaskGroup::TaskGroup(boost::asio::any_io_executor executor) : executor_(executor), changed_(executor) {}

TaskGroup::~TaskGroup()
{
    // Children hold references into their owner's frame: going on would be use after free.
    if (!children_.empty())
        std::abort();
}

void TaskGroup::spawn(Task<void> child)
{
    const auto place = children_.emplace(children_.end());
    auto ended = [this, place](std::exception_ptr thrown) {
        children_.erase(place);
        if (thrown && !failure_) {
            try {
                std::rethrow_exception(thrown);
            } catch (const boost::system::system_error& error) {
                if (error.code() != boost::asio::error::operation_aborted)
                    failure_ = thrown;
            } catch (...) {
                failure_ = thrown;
            }
        }
        changed_.notify();
    };
    boost::asio::co_spawn(executor_, std::move(child), boost::asio::bind_cancellation_slot(place->slot(), std::move(ended)));
}

void TaskGroup::cancel()
{
    // A child may end, and leave the list, while it is being told.
    for (auto at = children_.begin(); at != children_.end();)
        (at++)->emit(boost::asio::cancellation_type::terminal);
}

Task<void> TaskGroup::wait()
{
    bool cancelled = false;
    while (!children_.empty()) {
        try {
            co_await changed_.wait();
        } catch (const boost::system::system_error&) {
            cancelled = true;
        }
        if (cancelled) {
            cancel();
            co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
        }
    }
    if (cancelled)
        throw boost::system::system_error(boost::asio::error::operation_aborted);
    if (failure_)
        std::rethrow_exception(std::exchange(failure_, nullptr));
}

}  // namespace dure
