// LogMover: a thread with a connection of its own that moves the write-ahead log into the database file and brings that to the disk, while
// the writer goes on. What comes into the log meanwhile is little; the writer moves that itself, between two transactions, since only
// a log of which everything is moved begins anew.
//   writer: the log is long -> begin(), … until !moving() -> its own checkpoint
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "sql/sqlite/connection.hpp"

namespace dure::sql {

class LogMover {
public:
    // `on_failure` is called from the mover's thread: nobody knows what the disk holds.
    LogMover(std::unique_ptr<SqliteConnection> connection, std::function<void(std::string)> on_failure);
    // Ends what it has begun.
    ~LogMover();
    LogMover(const LogMover&) = delete;
    LogMover& operator=(const LogMover&) = delete;

    // The rest for the writer, one thread.
    void begin();
    bool moving() const { return moving_.load(); }
    void wait();

private:
    void work();

    const std::unique_ptr<SqliteConnection> connection_;
    const std::function<void(std::string)> on_failure_;
    std::mutex guard_;
    std::condition_variable changed_;
    std::atomic<bool> moving_ = false;
    bool closed_ = false;
    std::thread thread_;
};

}  // namespace dure::sql
