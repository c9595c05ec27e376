// A storage of SQLite that cannot confirm a commit, has no room for one, or takes its time.
//   FailingDisk disk;   // before the database is opened; the tests set what fails
#pragma once

#include <sqlite3.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace dure::sql {

// Files of SQLite whose fsync, or writes of the log, can be made to fail; and whose fsync can be made to last. It remembers the pages in
// the log, so that a page that goes into the database file is found there.
class FailingDisk {
public:
    FailingDisk()
    {
        base_ = sqlite3_vfs_find(nullptr);
        shim_ = *base_;
        shim_.zName = "failing";
        shim_.xOpen = &FailingDisk::open;
        sqlite3_vfs_register(&shim_, 1);
        log_writes = held_syncs = held_moves = pages_before_their_log = pages_moved = synced_writes = 0;
        log_.clear();
        written_by_.clear();
    }
    ~FailingDisk()
    {
        sqlite3_vfs_unregister(&shim_);
        sqlite3_vfs_register(base_, 1);
        failing = failing_moves = full = held = moves_held = false;
    }

    static inline std::atomic<bool> failing = false;
    static inline std::atomic<bool> failing_moves = false;  // only the fsync of the database file
    static inline std::atomic<bool> full = false;
    static inline std::atomic<int> log_writes = 0;
    static inline std::atomic<bool> held = false;  // an fsync of the log does not end
    static inline std::atomic<int> held_syncs = 0;
    static inline std::atomic<bool> moves_held = false;  // an fsync of the database file does not end
    static inline std::atomic<int> held_moves = 0;
    // Written to the database file and not found in what of the log was synchronised.
    static inline std::atomic<int> pages_before_their_log = 0;
    static inline std::atomic<int> pages_moved = 0;

private:
    struct Methods {
        sqlite3_io_methods patched;
        bool log;
        int (*sync)(sqlite3_file*, int);
        int (*write)(sqlite3_file*, const void*, int, sqlite3_int64);
    };

    static int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags)
    {
        const int code = base_->xOpen(base_, name, file, flags, out_flags);
        if (code != SQLITE_OK || !file->pMethods)
            return code;
        const std::lock_guard lock(guard_);
        const bool log = (flags & SQLITE_OPEN_WAL) != 0;
        auto [found, fresh] = methods_.try_emplace(std::pair(file->pMethods, log));
        if (fresh) {
            found->second = {*file->pMethods, log, file->pMethods->xSync, file->pMethods->xWrite};
            found->second.patched.xSync = &FailingDisk::sync;
            if (log)
                found->second.patched.xWrite = &FailingDisk::write_log;
            else if ((flags & SQLITE_OPEN_MAIN_DB) != 0)
                found->second.patched.xWrite = &FailingDisk::write_database;
        }
        file->pMethods = &found->second.patched;
        return code;
    }

    static int sync(sqlite3_file* file, int flags)
    {
        const auto& methods = of(file);
        if (methods.log) {
            if (held)
                ++held_syncs;
            while (held)
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        if (!methods.log && moves_held) {
            ++held_moves;
            while (moves_held)
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        if (failing || (failing_moves && !methods.log))
            return SQLITE_IOERR_FSYNC;
        const int behind = log_writes;
        const int code = methods.sync(file, flags);
        if (methods.log)   // two threads synchronise: the one that began first may end last
            for (int known = synced_writes; known < behind && !synced_writes.compare_exchange_weak(known, behind);) {}
        return code;
    }

    static int write_database(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 to)
    {
        ++pages_moved;
        if (!is_in_synced_log(std::string_view(static_cast<const char*>(bytes), static_cast<std::size_t>(size)), to))
            ++pages_before_their_log;
        return of(file).write(file, bytes, size, to);
    }

    static int write_log(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 to)
    {
        const int number = ++log_writes;
        if (full)
            return SQLITE_FULL;
        {
            const std::lock_guard lock(log_guard_);
            const auto from = static_cast<std::size_t>(to), end = from + static_cast<std::size_t>(size);
            log_.resize(std::max(log_.size(), end));
            std::memcpy(log_.data() + from, bytes, static_cast<std::size_t>(size));
            written_by_.resize(log_.size() / frame_bytes + 1);
            for (auto frame = from < log_head_bytes ? 0 : (from - log_head_bytes) / frame_bytes;
                 log_head_bytes + frame * frame_bytes < end; ++frame)
                written_by_[frame] = number;
        }
        return of(file).write(file, bytes, size, to);
    }

    static bool is_in_synced_log(std::string_view page, sqlite3_int64 to)
    {
        const auto number = static_cast<std::uint32_t>(to / static_cast<sqlite3_int64>(page.size())) + 1;
        const std::lock_guard lock(log_guard_);
        for (std::size_t frame = 0; log_head_bytes + (frame + 1) * frame_bytes <= log_.size(); ++frame) {
            const auto* head = log_.data() + log_head_bytes + frame * frame_bytes;
            std::uint32_t of_page = 0;
            for (int i = 0; i < 4; ++i)
                of_page = of_page << 8 | static_cast<unsigned char>(head[i]);
            if (of_page == number && written_by_[frame] <= synced_writes &&
                page == std::string_view(head + frame_head_bytes, page.size()))
                return true;
        }
        return false;
    }

    // Of the log of the server's writer, whose methods stand in front: those that were there before.
    static const Methods& of(sqlite3_file* file)
    {
        const std::lock_guard lock(guard_);
        for (const auto& [base, methods] : methods_)
            if (file->pMethods == &methods.patched)
                return methods;
        for (const auto& [base, methods] : methods_)
            if (base.second)
                return methods;
        throw InvariantBroken("a file of no disk");
    }

    static constexpr std::size_t log_head_bytes = 32, frame_head_bytes = 24, frame_bytes = frame_head_bytes + 4096;
    static inline std::mutex log_guard_;
    static inline std::vector<char> log_;
    static inline std::vector<int> written_by_;  // of each page in the log: the write that brought it
    static inline std::atomic<int> synced_writes = 0;
    static inline sqlite3_vfs* base_ = nullptr;
    static inline std::mutex guard_;
    static inline std::map<std::pair<const sqlite3_io_methods*, bool>, Methods> methods_;  // true: of a log
    sqlite3_vfs shim_{};
};

}  // namespace dure::sql
