// The time that leases are counted in. Not a process' wall clock: that jumps, differs between replicas, and would make runs
// under way look like those of a dead process. On SQLite, where one process works, it is the monotonic clock from the wall
// clock of the start on; on PostgreSQL the database's clock as it was at the last look, and the monotonic one since.
#pragma once

#include <atomic>

#include "dure/base/clock.hpp"
#include "dure/base/task.hpp"
#include "dure/sql/database.hpp"

namespace dure::runs {

// Thread-safe.
class LeaseClock {
public:
    // Both outlive this.
    LeaseClock(sql::Database& database, const Clock& clock);

    UnixMillis now() const { return monotonic() + ahead_; }
    // A look at the database's clock; a worker does it several times within a lease, as the monotonic clocks of machines
    // drift apart. Without an answer, or with a late one, the last look stands.
    Task<void> look();
    // False: it was never seen, and cannot be now.
    Task<bool> known();

private:
    UnixMillis monotonic() const;

    sql::Database& database_;
    const Clock& clock_;
    std::atomic<UnixMillis> ahead_;  // of the monotonic clock
    std::atomic<bool> known_;
};

}  // namespace dure::runs
