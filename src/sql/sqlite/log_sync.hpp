// LogSync: a thread that brings the write-ahead log to the disk while the writer is at its next transaction. A commit is visible
// to the readers as soon as the system has its bytes; so whoever may have seen it, its own units, later ones and reads, is told of an
// outcome only after an fsync that covers it: nothing leaves the process that a power cut could take back.
//   writer: wait_for_room -> begun -> COMMIT -> tell          reader: read -> tell_reader
// When an fsync fails nobody knows what the disk holds: everything that waits for one is refused, and so is all that comes later.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <thread>

#include "sql/unit_queue.hpp"

namespace dure::sql {

class LogSync {
public:
    // `sync` gives SQLite's code. The others are called from the thread that synchronises: `on_failure` once, `on_idle` when busy() has become false.
    // A read waits for `patience`: a disk may hang, and whoever reads can come again. A write waits on: nobody could tell its outcome.
    LogSync(std::function<int()> sync, std::function<void()> on_idle, std::function<void(std::string)> on_failure,
            Steady::duration patience);
    ~LogSync();
    LogSync(const LogSync&) = delete;
    LogSync& operator=(const LogSync&) = delete;

    // For the writer: an fsync is under way. A commit now would need one of its own: better that more comes into it meanwhile.
    bool busy() const { return busy_.load(); }
    // It takes longer than anybody should wait: nothing new is begun behind it.
    bool hangs();
    // Returns when no commit waits for its fsync to begin.
    void wait_for_room();
    // Before a commit that changes something: from here on readers may see it.
    void begun() { begun_.fetch_add(1); }
    // Behind every commit that was begun, and for units that committed nothing as well: finishes them once all commits begun by now
    // are on the disk. With `at_once`, for a commit that nothing else waits behind: by the calling thread, without a switch to another.
    void tell(std::vector<Unit*> units, bool at_once);
    // The same for one unit of a reader, from its thread.
    void tell_reader(Unit& unit);
    // For readers, between their units: refuses reads that have waited too long. Gives when the next one has; nothing: none waits.
    std::optional<Steady::time_point> refuse_late();

private:
    struct Waiting {
        std::vector<Unit*> units;
        std::uint64_t commits;  // that have to be on the disk
        Steady::time_point until = Steady::time_point::max();   // of a read
    };
    void work();
    bool hangs_now() const;   // with the lock
    // One at a time: whoever finds nothing under way.
    void synchronise(std::unique_lock<std::mutex>& lock);
    // Both let the lock go while they finish units.
    void wait_or_finish(Waiting fresh, std::unique_lock<std::mutex>& lock);
    void finish_decided(std::unique_lock<std::mutex>& lock);
    void note_first_late();

    const std::function<int()> sync_;
    const std::function<void()> on_idle_;
    const std::function<void(std::string)> on_failure_;
    const Steady::duration patience_;
    std::atomic<std::uint64_t> begun_ = 0;
    std::atomic<std::uint64_t> synced_ = 0;
    std::atomic<bool> busy_ = false;
    std::atomic<Steady::time_point> first_late_ = Steady::time_point::max();   // when the first waiting read has waited too long
    std::mutex guard_;
    std::condition_variable changed_;
    std::condition_variable room_;
    std::vector<Waiting> waiting_;
    std::uint64_t written_ = 0;  // commits whose bytes the system has
    std::uint64_t asked_ = 0;  // commits for which an fsync has begun
    Steady::time_point asked_at_{};
    bool closed_ = false;
    bool failed_ = false;
    std::thread thread_;
};

}  // namespace dure::sql
