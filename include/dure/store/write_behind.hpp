// WriteBehind: rows that come in masses and belong to no waiting answer (usage, attempts). add() puts a row into a bounded
// queue and returns; a thread writes what has gathered every 200 ms, or sooner when many wait. A full queue makes callers
// wait (bounded), so that requests slow down before rows are lost; a failed write is kept and tried again with growing
// pauses. What is lost in the end is counted and logged. Thread-safe. stop() writes what is left; the destructor does the
// same. Needs the database as long as it lives.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "dure/base/clock.hpp"
#include "dure/base/log.hpp"
#include "dure/base/task.hpp"
#include "dure/sql/database.hpp"

namespace dure::store {

struct WriteBehindOptions {
    std::size_t capacity = 20000;  // rows waiting, those of a failed write included
    std::size_t flush_at = 1000;  // rows that are written without waiting for the pause
    std::chrono::milliseconds pause{200};
    std::chrono::milliseconds longest_wait{2000};  // of an add() on a full queue; then the row is dropped
    std::chrono::milliseconds first_retry{100};  // doubles up to 2 s
    std::chrono::milliseconds stuck_after{2000};  // of rows that wait since a write of them failed
    std::chrono::milliseconds stop_limit{5000};  // retries after stop()
};

// Made for model::UsageRow and model::AttemptRow.
template <class Row>
class WriteBehind {
public:
    WriteBehind(sql::Database& database, Logger& logger, WriteBehindOptions options = {});
    ~WriteBehind();
    WriteBehind(const WriteBehind&) = delete;
    WriteBehind& operator=(const WriteBehind&) = delete;

    // False: dropped (and counted), because the queue stayed full or the writer is stopped.
    Task<bool> add(Row row);
    // Without waiting: false when full, nothing counted.
    bool try_add(Row& row);
    // Without waiting: a row that finds no place is dropped and counted. For ends that cannot wait, as of a cancelled call.
    void add_now(Row row);
    // Blocks until everything added before is written; what the database refuses then and has not taken at the deadline (at
    // the latest after stop_limit) is counted as dropped and logged. Not for a core.
    void stop(Deadline deadline = Deadline::never());

    // The database is away, or has refused rows for so long that what comes now may be lost: no more than this should be begun.
    bool is_stuck() const;

    std::size_t waiting() const;
    std::uint64_t written() const;
    std::uint64_t dropped() const;

private:
    void work();
    bool stopped() const;
    std::vector<Row> next_batch();
    bool write_stubbornly(std::span<const Row> rows);
    void drop_the_rest(std::size_t rows);
    // Empty: stored.
    std::optional<Errc> write(std::span<const Row> rows);
    bool pause_before_retry(std::chrono::milliseconds pause);
    void count_drops(std::size_t rows, std::string_view why);

    sql::Database& database_;
    Logger& logger_;
    const WriteBehindOptions options_;
    mutable std::mutex guard_;
    std::condition_variable changed_;
    std::vector<Row> queue_;
    std::vector<Row> room_;  // empty: the memory of the last batch, for the next
    std::size_t writing_ = 0;  // rows taken out of the queue and not written yet
    std::uint64_t written_ = 0;
    std::uint64_t dropped_ = 0;
    // Since when the rows that are being written are refused; max: they are not.
    std::atomic<Steady::time_point> refused_since_{Steady::time_point::max()};
    bool stopping_ = false;
    Steady::time_point give_up_at_ = Steady::time_point::max();
    std::thread thread_;
};

}  // namespace dure::store
