// Runs coroutines on a core of real Cores and waits for them from the test's thread, for parts that keep one object per
// core. A coroutine that takes longer than 20 seconds fails the test.
#pragma once

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <future>
#include <memory>
#include <stdexcept>

#include "dure/base/cores.hpp"
#include "dure/base/task.hpp"

namespace dure::test {

// A started coroutine. wait() rethrows what it threw; cancel() may be called from any thread.
class Running {
public:
    template <class MakeTask>
    Running(Cores& cores, MakeTask make_task, std::size_t core = 0) : context_(&cores.at(core))
    {
        auto done = [promise = promise_](std::exception_ptr error) {
            if (error)
                promise->set_exception(error);
            else
                promise->set_value();
        };
        boost::asio::post(*context_, [context = context_, made = std::move(make_task), done, signal = signal_]() mutable {
            // Kept until its end: a coroutine made by a lambda refers to the lambda's captures.
            auto kept = std::make_shared<MakeTask>(std::move(made));
            auto finish = [kept, done, signal](std::exception_ptr error) { done(error); };
            boost::asio::co_spawn(*context, (*kept)(), boost::asio::bind_cancellation_slot(signal->slot(), finish));
        });
    }

    void wait()
    {
        auto future = promise_->get_future();
        if (future.wait_for(std::chrono::seconds(60)) != std::future_status::ready)
            throw std::runtime_error("the coroutine did not end in time");
        future.get();
    }

    void cancel()
    {
        boost::asio::post(*context_, [signal = signal_] { signal->emit(boost::asio::cancellation_type::terminal); });
    }

private:
    boost::asio::io_context* context_;
    std::shared_ptr<std::promise<void>> promise_ = std::make_shared<std::promise<void>>();
    std::shared_ptr<boost::asio::cancellation_signal> signal_ = std::make_shared<boost::asio::cancellation_signal>();
};

template <class MakeTask>
void run_on_core(Cores& cores, MakeTask make_task, std::size_t core = 0)
{
    Running(cores, std::move(make_task), core).wait();
}

}  // namespace dure::test
