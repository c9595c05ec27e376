// LogWrites: the write-ahead log of one connection, written in few large pieces. SQLite writes each page of a transaction with two
// calls, its head of 24 bytes and then its body, so that each of them straddles pages of the system's cache. Here they are
// joined while they follow each other, and given to the system before the log is synchronised, read, measured or cut: an
// fsync covers what it covered before, and no reader is told of a page (by the shared index, which SQLite changes after it has asked for the
// fsync of a commit; synchronous=FULL) that the file does not hold yet.
// The fsync of a commit itself can be left to another thread (LogSync): between sync_later(true) and (false) the bytes are only given to
// the system. The fsyncs that keep the file in order are made at once whatever is set: that of a log's new head, and that of
// a checkpoint before it changes the database, which covers every commit so far.
//
// It takes the place of the methods of the log's open file, and gives them back to none: it must outlive the connection.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <mutex>

namespace dure::sql {

class LogWrites {
public:
    LogWrites() = default;
    LogWrites(const LogWrites&) = delete;
    LogWrites& operator=(const LogWrites&) = delete;

    // Takes the log of a connection that has read from its database in WAL mode. Gives SQLite's code.
    int attach(sqlite3* handle);

    void sync_later(bool later) { later_ = later; }
    // From any thread: synchronises what the system has. Gives SQLite's code; after a failure that again and again, since the system tells of
    // one only once and nobody knows what the disk holds.
    int sync();

    // For sqlite3_rollback_hook. What waits belongs to the transaction that was rolled back (a commit leaves nothing): it must not be
    // written over what another process commits in its place.
    static void on_rollback(void* self) { static_cast<LogWrites*>(self)->used_ = 0; }

private:
    // What SQLite sees as the methods of the file; the owner is found behind them.
    struct Methods {
        sqlite3_io_methods list;
        LogWrites* owner;
    };
    static LogWrites& of(sqlite3_file* file);
    static int on_close(sqlite3_file* file);
    static int on_read(sqlite3_file* file, void* into, int size, sqlite3_int64 from);
    static int on_write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 to);
    static int on_truncate(sqlite3_file* file, sqlite3_int64 size);
    static int on_sync(sqlite3_file* file, int flags);
    static int on_size(sqlite3_file* file, sqlite3_int64* size);

    int write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 to);
    int pass_on(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 to);
    // Pieces that cannot be written are given up: the error ends the transaction they belong to.
    int flush(sqlite3_file* file);

    Methods methods_{};
    const sqlite3_io_methods* base_ = nullptr;
    sqlite3_file* file_ = nullptr;
    bool later_ = false;
    bool head_written_ = false;  // by the last write
    std::mutex syncing_;
    int failed_ = SQLITE_OK;
    std::unique_ptr<char[]> waiting_;
    int used_ = 0;
    sqlite3_int64 begin_ = 0;  // where in the file the first waiting byte belongs
};

}  // namespace dure::sql
