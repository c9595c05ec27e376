// Awaits a task that runs on another core. co_spawn with use_awaitable would do, but for one thing: the cancellation it hands
// over travels to the other core by a bare pointer (Asio 1.81, co_spawn_cancellation_handler), and the task may end before
// it arrives.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <exception>
#include <memory>
#include <optional>

#include "dure/base/blocking_pool.hpp"
#include "dure/base/task.hpp"

namespace dure {

// Runs the task on the executor and goes on here with its result; an exception is rethrown here. Cancelling the caller cancels
// the task, and still waits for its end.
template <class T>
Task<T> run_on(boost::asio::any_io_executor executor, Task<T> task)
{
    namespace asio = boost::asio;
    const auto signal = std::make_shared<asio::cancellation_signal>();   // used on the task's core only
    std::exception_ptr thrown;
    std::optional<T> result;
    auto slot = (co_await asio::this_coro::cancellation_state).slot();
    if (slot.is_connected())
        slot.assign([signal, executor](asio::cancellation_type type) {
            asio::post(executor, [signal, type] { signal->emit(type); });
        });
    co_await await_callback([&](auto done) {
        asio::post(executor, [&executor, &task, &thrown, &result, signal, done]() mutable {
            auto ended = [&thrown, &result, signal, done](const std::exception_ptr& failure, T value) mutable {
                thrown = failure;
                result.emplace(std::move(value));
                done();
            };
            asio::co_spawn(executor, std::move(task), asio::bind_cancellation_slot(signal->slot(), std::move(ended)));
        });
    });
    if (thrown)
        std::rethrow_exception(thrown);
    co_return std::move(*result);
}

inline Task<void> run_on(boost::asio::any_io_executor executor, Task<void> task)
{
    auto valued = [](Task<void> plain) -> Task<bool> {
        co_await std::move(plain);
        co_return true;
    };
    co_await run_on(std::move(executor), valued(std::move(task)));
}

}  // namespace dure
