// TaskGroup: coroutines with an owner. Children run on the group's executor; the owner awaits wait() before it ends, or
// the group must be empty when it is destroyed. cancel() reaches every child by terminal cancellation. One core only.
#pragma once

#include <boost/asio/cancellation_signal.hpp>
#include <exception>
#include <functional>
#include <list>

#include "dure/base/channel.hpp"
#include "dure/base/task.hpp"

namespace dure {

class TaskGroup {
public:
    explicit TaskGroup(boost::asio::any_io_executor executor);
    ~TaskGroup();
    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;

    // A child's exception (other than its own cancellation) is kept and rethrown by wait(); the first one wins.
    void spawn(Task<void> child);
    void cancel();
    // Returns when every child has ended. Being cancelled itself, it first cancels the children and still awaits them.
    Task<void> wait();
    std::size_t size() const { return children_.size(); }

private:
    boost::asio::any_io_executor executor_;
    std::list<boost::asio::cancellation_signal> children_;
    std::exception_ptr failure_;
    Signal changed_;
};

}  // namespace dure
