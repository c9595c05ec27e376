// SqliteWriter: takes all waiting units into one transaction and commits them with one fsync (LogSync), during which it is at the next
// transaction: what comes until the fsync ends goes into that one. Callers hear of their units after the fsync only. One failing does not harm the others: if it has changed nothing there is nothing to undo; else the
// transaction is begun again with a savepoint around each unit, and so are the next few. Savepoints copy every page a unit
// touches, which for a turn of a session is most of its cost, and failures after a change are rare.
#pragma once

#include <atomic>

#include "dure/sql/sqlite.hpp"
#include "sql/sqlite/connection.hpp"
#include "sql/sqlite/log_mover.hpp"
#include "sql/sqlite/log_sync.hpp"
#include "sql/unit_queue.hpp"

namespace dure::sql {

class SqliteWriter {
public:
    // `mover`: another connection, for LogMover.
    SqliteWriter(std::unique_ptr<SqliteConnection> connection, std::unique_ptr<SqliteConnection> mover,
                 UnitQueue& queue, const SqliteOptions& options);

    // Until the queue is closed and drained.
    void work();
    LogSync& log_sync() { return log_sync_; }
    bool dead() const { return dead_.load(std::memory_order_relaxed); }

private:
    void commit_together(std::vector<Unit*> units);
    // Position of a unit whose time limit cost all of them the transaction, or empty when every outcome stands.
    std::optional<std::size_t> attempt(std::vector<Unit*>& units);
    enum class Undo { all, savepoint, nothing_to };
    bool run_one(Unit& unit, Undo undo);
    std::optional<std::size_t> attempt_with(std::vector<Unit*>& units, bool savepoints);
    // More units, that came while the log is synchronised. False: it is time to commit.
    bool take_more(std::vector<Unit*>& units);
    // Of units that have not begun: those that came too late, or could not be told of their outcome in time.
    void refuse_hopeless(std::vector<Unit*>& units);
    void commit(const std::vector<Unit*>& units);
    void fail_all(const std::vector<Unit*>& units, const Error& error);
    void move_log();
    void die(std::string detail);
    void demand(std::string_view command);

    std::unique_ptr<SqliteConnection> connection_;
    UnitQueue& queue_;
    const SqliteOptions& options_;
    std::optional<Error> last_failure_;  // of a statement of the unit that ran last
    int next_checkpoint_;  // pages in the log at which it is moved
    int pages_before_ = 0;
    bool mover_began_ = false;  // since the last checkpoint of the writer
    int careful_batches_ = 0;  // that still get savepoints
    bool must_undo_ = false;  // a unit failed after a change, without a savepoint around it
    std::atomic<bool> dead_ = false;
    LogMover mover_;
    LogSync log_sync_;  // the last members: their threads use the others
};

// Runs read units, each in a transaction of its own. Looks after those that wait in the writer's queue too: a disk that hangs holds
// the writer, and a unit that has not begun can be refused.
void run_reader(SqliteConnection& connection, UnitQueue& queue, LogSync& log_sync, UnitQueue& writes,
                Steady::duration queue_wait);

}  // namespace dure::sql
