// with_timeout: the one function for time limits on a coroutine. Our own clock gives an empty optional; a cancelled parent
// still throws operation_aborted, and what the task throws comes out at once. The losing side is cancelled and awaited.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <optional>

#include "dure/base/clock.hpp"
#include "dure/base/task.hpp"

namespace dure {

// True when the task ended in time.
inline Task<bool> with_timeout(Task<void> task, Deadline deadline)
{
    namespace asio = boost::asio;
    const auto executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor);
    timer.expires_at(deadline.at());
    // Not operator||: that waits for the first success, so a task that throws would be heard only at the deadline.
    auto first = asio::experimental::make_parallel_group(asio::co_spawn(executor, std::move(task), asio::deferred),
                                                         timer.async_wait(asio::deferred));
    const auto [order, thrown, timer_error] =
        co_await first.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    const bool ours = order[0] == 1 && !timer_error;   // the clock came first and nobody cancelled it
    if (!thrown)
        co_return !ours;
    if (!ours)
        std::rethrow_exception(thrown);
    try {
        std::rethrow_exception(thrown);
    } catch (const boost::system::system_error& error) {
        if (error.code() != asio::error::operation_aborted)
            throw;   // the task failed on its own while it was being stopped
    }
    co_return false;
}

template <class T>
Task<std::optional<T>> with_timeout(Task<T> task, Deadline deadline)
{
    std::optional<T> result;
    auto keep = [](Task<T> work, std::optional<T>& out) -> Task<void> { out.emplace(co_await std::move(work)); };
    if (!co_await with_timeout(keep(std::move(task), result), deadline))
        result.reset();
    co_return result;
}

inline Task<void> sleep_for(Steady::duration pause)
{
    boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, pause);
    co_await timer.async_wait(boost::asio::use_awaitable);
}

}  // namespace dure
