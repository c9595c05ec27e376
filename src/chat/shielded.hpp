// Work that goes to its end although the client leaves meanwhile: what it makes (the row of a session) must not be left
// behind without what belongs to it. The cancellation is told by `left`, and the coroutine goes on as if there had been none.
#pragma once

#include <boost/asio/this_coro.hpp>
#include <exception>
#include <optional>

#include "dure/base/cancellation.hpp"
#include "dure/base/task.hpp"

namespace dure::chat {

// A coroutine that is cancelled before it comes here ends as always, and `work` does not begin.
template <class T>
Task<T> shielded(Task<T> work, bool& left)
{
    namespace asio = boost::asio;
    co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation(), asio::disable_cancellation());
    co_await asio::this_coro::throw_if_cancelled(false);
    std::optional<T> outcome;
    std::exception_ptr thrown;
    try {
        outcome.emplace(co_await std::move(work));
    } catch (...) {
        thrown = std::current_exception();
    }
    left = left || is_cancelled(co_await asio::this_coro::cancellation_state);
    co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
    co_await asio::this_coro::throw_if_cancelled(true);
    if (thrown)
        std::rethrow_exception(thrown);
    co_return std::move(*outcome);
}

}  // namespace dure::chat
