// Threads for work that blocks (database calls, password hashing, files), so that no core ever waits for it. The queue is
// bounded; a full one is Errc::unavailable at once. A coroutine that is cancelled while its work runs still waits for
// the work's end, because a thread cannot be stopped: give the work its own time limit.
#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "dure/base/error.hpp"
#include "dure/base/task.hpp"

namespace dure {

class BlockingPool {
public:
    BlockingPool(std::string name, std::size_t threads, std::size_t queue_limit);
    ~BlockingPool();   // runs what is queued, then joins
    BlockingPool(const BlockingPool&) = delete;
    BlockingPool& operator=(const BlockingPool&) = delete;

    // Runs work() on a thread of the pool; work returns Result<T>. An exception is rethrown in the awaiting coroutine.
    template <class Work>
    auto run(Work work) -> Task<std::invoke_result_t<Work>>
    {
        using Outcome = std::invoke_result_t<Work>;
        std::optional<Outcome> outcome;
        std::exception_ptr thrown;
        const bool accepted = co_await submit_and_wait([&] {
            try {
                outcome.emplace(work());
            } catch (...) {
                thrown = std::current_exception();
            }
        });
        if (!accepted)
            co_return Error(Errc::unavailable, "The server is busy, try again shortly.")
                .detail("queue of pool " + name_ + " is full")
                .retry_after(std::chrono::seconds(1));
        if (thrown)
            std::rethrow_exception(thrown);
        co_return std::move(*outcome);
    }

    std::size_t queued() const;

private:
    Task<bool> submit_and_wait(std::function<void()> job);
    bool submit(std::function<void()> job);
    void work();

    std::string name_;
    std::size_t queue_limit_;
    mutable std::mutex guard_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> queue_;
    bool closing_ = false;
    std::vector<std::thread> threads_;
};

// Suspends the calling coroutine until `start` has called the completion it is given, from any thread. What start
// returns is ignored; the coroutine goes on on its own executor. For bridging threads into coroutines.
template <class Start>
Task<void> await_callback(Start start)
{
    auto initiation = [&start](auto handler) {
        auto executor = boost::asio::get_associated_executor(handler);
        auto shared = std::make_shared<decltype(handler)>(std::move(handler));
        auto work = boost::asio::prefer(executor, boost::asio::execution::outstanding_work.tracked);
        start([shared, work]() mutable {
            boost::asio::post(work, [shared]() mutable { std::move(*shared)(); });
        });
    };
    co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void()>(initiation,
                                                                                      boost::asio::use_awaitable);
}

}  // namespace dure
