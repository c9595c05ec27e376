// BlockingPool: threads over one bounded queue; see blocking_pool.hpp.
#include "dure/base/blocking_pool.hpp"

#include <pthread.h>

namespace dure {

BlockingPool::BlockingPool(std::string name, std::size_t threads, std::size_t queue_limit)
    : name_(std::move(name)), queue_limit_(queue_limit)
{
    for (std::size_t i = 0; i < std::max<std::size_t>(1, threads); ++i)
        threads_.emplace_back([this] {
            pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
            work();
        });
}

BlockingPool::~BlockingPool()
{
    {
        const std::lock_guard lock(guard_);
        closing_ = true;
    }
    changed_.notify_all();
    for (auto& thread : threads_)
        thread.join();
}

std::size_t BlockingPool::queued() const
{
    const std::lock_guard lock(guard_);
    return queue_.size();
}

bool BlockingPool::submit(std::function<void()> job)
{
    {
        const std::lock_guard lock(guard_);
        if (closing_ || queue_.size() >= queue_limit_)
            return false;
        queue_.push_back(std::move(job));
    }
    changed_.notify_one();
    return true;
}

Task<bool> BlockingPool::submit_and_wait(std::function<void()> job)
{
    bool accepted = true;
    co_await await_callback([&](auto done) {
        auto shared = std::make_shared<decltype(done)>(std::move(done));
        accepted = submit([&job, shared] {
            job();
            (*shared)();
        });
        if (!accepted)
            (*shared)();
    });
    co_return accepted;
}

void BlockingPool::work()
{
    for (;;) {
        std::function<void()> job;
        {
            std::unique_lock lock(guard_);
            changed_.wait(lock, [this] { return closing_ || !queue_.empty(); });
            if (queue_.empty())
                return;
            job = std::move(queue_.front());
            queue_.pop_front();
        }
        job();
    }
}

}  // namespace dure
