// The time that leases are counted in. Not a process' wall clock: that jumps, differs between replicas, and would make runs
// under way look like those of a dead process. On SQLite, where one process works, it is the monotonic clock from the wall
// clock of the start on; on PostgreSQL the database's clock as it was at the last look, and since then one that also counts
// the time a machine is suspended: the leases of its runs have ended meanwhile, and it must not write ends that are past.
// (On SQLite nobody else takes them: there such a time does not count.)
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
    // drift apart. Without an answer, or with a late one, the last look stands. It lasts as long as a read may: nothing that
    // keeps a lease waits for it.
    Task<void> look();
    // Looks when the last look is older. False: it was never seen, and cannot be now.
    Task<bool> known(std::chrono::milliseconds oldest = std::chrono::milliseconds::max());

private:
    UnixMillis monotonic() const;

    sql::Database& database_;
    const Clock& clock_;
    std::atomic<UnixMillis> ahead_;  // of the monotonic clock
    std::atomic<UnixMillis> seen_;  // when the last look was, by monotonic()
};

// A renewal that began then is followed by the next: three times within a lease, and soon when it failed, so that a short
// outage at that moment costs no lease.
inline Steady::time_point next_renewal(Steady::time_point begun, bool renewed, std::chrono::milliseconds lease)
{
    return begun + (renewed ? lease / 3 : lease / 15);
}

}  // namespace dure::runs
