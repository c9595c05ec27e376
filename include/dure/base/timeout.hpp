// with_timeout: the one function for time limits on a coroutine. Our own clock gives an empty optional; a cancelled
// parent still throws operation_aborted, so that the two cannot be mixed up. The losing side is cancelled and awaited.
#pragma once

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>
#include <variant>

#include "dure/base/clock.hpp"
#include "dure/base/task.hpp"

namespace dure {

template <class T>
Task<std::optional<T>> with_timeout(Task<T> task, Deadline deadline)
{
    using namespace boost::asio::experimental::awaitable_operators;
    boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor);
    timer.expires_at(deadline.at());
    auto first = co_await (std::move(task) || timer.async_wait(boost::asio::use_awaitable));
    if (first.index() == 0)
        co_return std::optional<T>(std::move(std::get<0>(first)));
    co_return std::nullopt;
}

// True when the task ended in time.
inline Task<bool> with_timeout(Task<void> task, Deadline deadline)
{
    using namespace boost::asio::experimental::awaitable_operators;
    boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor);
    timer.expires_at(deadline.at());
    const auto first = co_await (std::move(task) || timer.async_wait(boost::asio::use_awaitable));
    co_return first.index() == 0;
}

inline Task<void> sleep_for(Steady::duration pause)
{
    boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, pause);
    co_await timer.async_wait(boost::asio::use_awaitable);
}

}  // namespace dure
