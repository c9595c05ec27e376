// The watchdog's thread; see watchdog.hpp.
#include "sql/postgres/watchdog.hpp"

#include <pthread.h>
#include <sys/socket.h>

namespace dure::sql {

namespace {

constexpr std::chrono::milliseconds between_looks{25};

}  // namespace

Watchdog::Watchdog(std::function<void()> on_tick, std::function<void()> on_hangup)
    : on_tick_(std::move(on_tick)), on_hangup_(std::move(on_hangup)), thread_([this] {
          pthread_setname_np(pthread_self(), "sql-watchdog");
          work();
      })
{}

Watchdog::~Watchdog()
{
    {
        const std::lock_guard lock(guard_);
        stopping_ = true;
    }
    stop_.notify_one();
    thread_.join();
}

void Watchdog::work()
{
    std::unique_lock lock(guard_);
    while (!stop_.wait_for(lock, between_looks, [this] { return stopping_; })) {
        end_late_waits();
        const bool hung_up = find_hangups();
        lock.unlock();
        if (hung_up)
            on_hangup_();
        on_tick_();
        lock.lock();
    }
}

void Watchdog::end_late_waits()
{
    const auto now = Steady::now().time_since_epoch().count();
    for (auto* watch : watches_) {
        if (watch->limit_ > now)
            continue;
        ::shutdown(watch->descriptor_, SHUT_RDWR);
        watch->disarm();
    }
}

bool Watchdog::find_hangups()
{
    idle_.clear();
    for (const auto* watch : watches_)
        if (watch->limit_ == Watch::never && !watch->hung_up_)
            idle_.push_back(pollfd{watch->descriptor_, POLLRDHUP, 0});
    if (idle_.empty() || ::poll(idle_.data(), idle_.size(), 0) <= 0)
        return false;
    bool news = false;
    for (const auto& seen : idle_)
        for (auto* watch : watches_)
            if (seen.revents != 0 && watch->descriptor_ == seen.fd)
                news = watch->hung_up_ = true;
    return news;
}

Watchdog::Watch::Watch(Watchdog& dog, int descriptor) : dog_(dog), descriptor_(descriptor)
{
    const std::lock_guard lock(dog_.guard_);
    dog_.watches_.push_back(this);
}

Watchdog::Watch::~Watch()
{
    const std::lock_guard lock(dog_.guard_);
    std::erase(dog_.watches_, this);
}

}  // namespace dure::sql
