// LogWrites: the write-ahead log of one connection, written in few large pieces. SQLite writes each page of a transaction with two
// calls, its head of 24 bytes and then its body, so that each of them straddles pages of the system's cache. Here they are
// joined while they follow each other, and given to the system before the log is synchronised, read, measured or cut: an
// fsync covers what it covered before, and no reader is told of a page (by the shared index, which SQLite changes after the
// fsync of a commit; synchronous=FULL) that the file does not hold yet.
//
// It takes the place of the methods of the log's open file, and gives them back to none: it must outlive the connection.
#pragma once

#include <sqlite3.h>

#include <memory>

namespace dure::sql {

class LogWrites {
public:
    LogWrites() = default;
    LogWrites(const LogWrites&) = delete;
    LogWrites& operator=(const LogWrites&) = delete;

    // Takes the log of a connection that has read from its database in WAL mode. Gives SQLite's code.
    int attach(sqlite3* handle);

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
    // Pieces that cannot be written are given up: the error ends the transaction they belong to.
    int flush(sqlite3_file* file);

    Methods methods_{};
    const sqlite3_io_methods* base_ = nullptr;
    std::unique_ptr<char[]> waiting_;
    int used_ = 0;
    sqlite3_int64 begin_ = 0;  // where in the file the first waiting byte belongs
};

}  // namespace dure::sql
