// Channel<T>: a bounded queue between two coroutines of one core. The producer waits when it is full, the consumer when
// it is empty; either side may close it. Not thread-safe: both ends run on the executor given at construction.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <deque>
#include <optional>

#include "dure/base/clock.hpp"
#include "dure/base/task.hpp"

namespace dure {

// One-core signal: wait() returns when notify() is called or the deadline passes. Cancelling the waiting coroutine throws.
class Signal {
public:
    explicit Signal(boost::asio::any_io_executor executor) : timer_(std::move(executor)) {}

    void notify() { timer_.cancel(); }

    Task<void> wait(Steady::time_point until = Steady::time_point::max())
    {
        if (timer_.expiry() != until)   // setting it wakes all who wait: two would wake one another for ever
            timer_.expires_at(until);
        co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
        const auto state = co_await boost::asio::this_coro::cancellation_state;
        if (state.cancelled() != boost::asio::cancellation_type::none)
            throw boost::system::system_error(boost::asio::error::operation_aborted);
    }

private:
    boost::asio::steady_timer timer_;
};

template <class T>
class Channel {
public:
    Channel(boost::asio::any_io_executor executor, std::size_t capacity)
        : capacity_(capacity), filled_(executor), drained_(executor)
    {
    }

    // False when the channel is closed: the value is dropped.
    Task<bool> send(T value)
    {
        while (!closed_ && items_.size() >= capacity_)
            co_await drained_.wait();
        if (closed_)
            co_return false;
        items_.push_back(std::move(value));
        filled_.notify();
        co_return true;
    }

    // Empty when the channel is closed and drained, or (then timed_out() is true) when nothing came until the deadline.
    Task<std::optional<T>> receive(Steady::time_point until = Steady::time_point::max())
    {
        timed_out_ = false;
        while (items_.empty() && !closed_) {
            if (until != Steady::time_point::max() && Steady::now() >= until) {
                timed_out_ = true;
                co_return std::nullopt;
            }
            co_await filled_.wait(until);
        }
        co_return try_receive();
    }

    std::optional<T> try_receive()
    {
        if (items_.empty())
            return std::nullopt;
        std::optional<T> value(std::move(items_.front()));
        items_.pop_front();
        drained_.notify();
        return value;
    }

    bool timed_out() const { return timed_out_; }
    bool closed() const { return closed_; }
    void close()
    {
        closed_ = true;
        filled_.notify();
        drained_.notify();
    }

private:
    std::size_t capacity_;
    std::deque<T> items_;
    bool closed_ = false;
    bool timed_out_ = false;
    Signal filled_;
    Signal drained_;
};

}  // namespace dure
