// LogMover; see log_mover.hpp.
#include "sql/sqlite/log_mover.hpp"

#include <pthread.h>

namespace dure::sql {

LogMover::LogMover(std::unique_ptr<SqliteConnection> connection, std::function<void(std::string)> on_failure)
    : connection_(std::move(connection)), on_failure_(std::move(on_failure)), thread_([this] {
          pthread_setname_np(pthread_self(), "sql-mover");
          work();
      })
{}

LogMover::~LogMover()
{
    {
        const std::lock_guard lock(guard_);
        closed_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void LogMover::begin()
{
    {
        const std::lock_guard lock(guard_);
        moving_ = true;
    }
    changed_.notify_all();
}

void LogMover::wait()
{
    std::unique_lock lock(guard_);
    changed_.wait(lock, [this] { return !moving_; });
}

void LogMover::work()
{
    std::unique_lock lock(guard_);
    for (;;) {
        changed_.wait(lock, [this] { return closed_ || moving_; });
        if (!moving_)
            return;
        lock.unlock();
        int code = connection_->checkpoint();
        // SQLite synchronises the file only when all of the log is in it: now the writer has less to wait for.
        if (code == SQLITE_OK)
            code = connection_->sync_database();
        if ((code & 0xff) == SQLITE_IOERR)
            on_failure_("sqlite " + std::to_string(code) + " at a checkpoint");
        lock.lock();
        moving_ = false;
        changed_.notify_all();
    }
}

}  // namespace dure::sql
