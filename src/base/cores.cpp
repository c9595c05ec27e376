// Cores: starts and ends the per-core loops; see cores.hpp.
#include "dure/base/cores.hpp"

#include <pthread.h>

#include <boost/asio/executor_work_guard.hpp>

namespace dure {

namespace {
thread_local std::size_t this_core = Cores::outside;
}

Cores::Cores(std::size_t count)
{
    if (count == 0)
        count = std::max(1u, std::thread::hardware_concurrency());
    for (std::size_t i = 0; i < count; ++i)
        contexts_.push_back(std::make_unique<boost::asio::io_context>(1));   // hint 1: no locking against other threads
}

Cores::~Cores()
{
    stop();
    join();
}

std::size_t Cores::here()
{
    return this_core;
}

void Cores::start()
{
    for (std::size_t i = 0; i < contexts_.size(); ++i) {
        auto guard = std::make_shared<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>>(
            contexts_[i]->get_executor());
        keep_alive_.push_back([guard] { guard->reset(); });
        threads_.emplace_back([this, i] {
            this_core = i;
            pthread_setname_np(pthread_self(), ("core-" + std::to_string(i)).c_str());
            contexts_[i]->run();
        });
    }
}

void Cores::stop()
{
    for (auto& release : keep_alive_)
        release();
    keep_alive_.clear();
    for (auto& context : contexts_)
        context->stop();
}

void Cores::join()
{
    for (auto& thread : threads_)
        if (thread.joinable())
            thread.join();
    threads_.clear();
}

}  // namespace dure
