// Watchdog: ends waits for a server that does not answer. libpq waits on a socket without a limit of its own; whoever
// waits arms the socket's limit, and when it passes the thread here shuts the socket down, which ends the wait as a
// lost connection. The same thread calls the pool at every tick, and when the server has closed a connection nobody waits on: else a
// server that goes away is noticed only by whoever asks it next.
#pragma once

#include <poll.h>

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
    // Both are called by its thread; on_hangup once for a connection.
    Watchdog(std::function<void()> on_tick, std::function<void()> on_hangup);
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
        bool hung_up_ = false;  // and was told
    };

private:
    void work();
    void end_late_waits();
    // Whether a server has closed a connection since the last look.
    bool find_hangups();

    const std::function<void()> on_tick_;
    const std::function<void()> on_hangup_;
    std::mutex guard_;
    std::condition_variable stop_;
    std::vector<Watch*> watches_;
    std::vector<pollfd> idle_;  // memory of find_hangups()
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace dure::sql
