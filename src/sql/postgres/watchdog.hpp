// Watchdog: ends waits for a server that does not answer. libpq waits on a socket without a limit of its own; whoever
// waits arms the socket's limit, and when it passes the thread here shuts the socket down, which ends the wait as a
// lost connection. The same thread calls the pool at every tick.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "dure/base/clock.hpp"

namespace dure::sql {

class Watchdog {
public:
    explicit Watchdog(std::function<void()> on_tick);
    ~Watchdog();

    // One socket under watch as long as the object lives; gone before the descriptor is closed.
    class Watch {
    public:
        Watch(Watchdog& dog, int descriptor);
        ~Watch();
        Watch(const Watch&) = delete;
        Watch& operator=(const Watch&) = delete;

        void arm(Steady::duration limit) { limit_ = (Steady::now() + limit).time_since_epoch().count(); }
        void disarm() { limit_ = never; }

    private:
        friend class Watchdog;
        static constexpr Steady::rep never = std::numeric_limits<Steady::rep>::max();
        Watchdog& dog_;
        const int descriptor_;
        std::atomic<Steady::rep> limit_ = never;
    };

private:
    void work();
    void look();

    const std::function<void()> on_tick_;
    std::mutex guard_;
    std::condition_variable stop_;
    std::vector<Watch*> watches_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace dure::sql
