// RunRows: the rows of runs, their leases and their events; SQL beside the method. The row is the queue: start() puts a
// pending row there, claim() takes it under a lease with a growing epoch, renew() holds it, finish() ends it.
#pragma once

#include "dure/runs/run.hpp"
#include "dure/sql/connection.hpp"
#include "dure/store/page.hpp"
#include "runs/batch_writer.hpp"

namespace dure::runs {

struct Claim {
    std::string worker;  // one per worker and process start
    UnixMillis now = 0;   // what begins or ends then
    UnixMillis lease_now = 0;   // of LeaseClock; leases that ended before are those of dead workers
    UnixMillis lease_until = 0;
    std::int64_t limit = 1;  // runs to take at most
    std::int64_t crash_limit = 3;  // D9
    std::string graphs;  // beginning of the graphs' names; empty: all
    std::vector<std::string> not_of;  // owners of whose runs the worker has enough
};

// What a renewal found: still held, and whether somebody wants it to stop.
struct Held {
    std::string run;
    std::int64_t epoch = 0;
    Stop stop = Stop::no;
};

class RunRows {
public:
    explicit RunRows(sql::Connection& connection) : connection_(connection) {}

    // Stores `fresh` as pending. conflict THREAD_BUSY: rejected; not_found: the thread is somebody else's.
    Result<Run> start(Run fresh, Multitask multitask);
    // Puts an interrupted or failed run back into the queue with the input that answers or continues it. conflict: it is
    // in another state, or the thread has an open run.
    Result<Run> resume(const std::string& id, const std::string& owner, const Json& input);

    Result<Run> find(const std::string& id, const std::string& owner);
    Result<std::vector<Run>> of_thread(const std::string& thread, const std::string& owner, std::int64_t limit);
    // An open run of the thread; without one, the run that ended last (a resumed one may be older than others).
    Result<Run> deciding_run(const std::string& thread, const std::string& owner);
    // A pending or interrupted run ends at once; a running one is told by its next renewal.
    Result<Run> stop(const std::string& id, const std::string& owner, Stop how, UnixMillis now);

    // Runs that crashed too often at one checkpoint are ended on the way (RECOVERY_LIMIT).
    Result<std::vector<Run>> claim(const Claim& claim);
    Result<std::vector<Held>> renew(const std::string& worker, UnixMillis lease_until);
    // Whether one of the worker's runs is asked to stop.
    Result<bool> has_stops(const std::string& worker);
    // Back into the queue without a crash counted: drained, or never begun.
    // What the run is asked for, held until the end of the transaction. LEASE_LOST.
    Result<Stop> asked_stop(const Fence& fence);
    Result<void> release(const Fence& fence);
    // LEASE_LOST: nothing was changed.
    Result<void> finish(const Fence& fence, const Ending& ending);
    // Every lease ends now: for a worker that knows to be the only one alive (one process per SQLite file). `graphs` as in
    // Claim.
    Result<void> expire_all(UnixMillis now, const std::string& graphs = {});
    // Stores `fresh` as running, held by its worker at its epoch.
    Result<void> start_held(const Run& fresh);
    Result<void> hold(const std::string& worker, const std::vector<std::string>& ids, UnixMillis until);
    // Of runs that were started before and have ended, oldest first.
    Result<std::vector<std::string>> ended_threads(const std::string& graphs, UnixMillis before, std::int64_t limit);

    // Bounded by store::page_text_bytes too.
    Result<store::Listed<RunEvent>> events_after(const std::string& run, std::int64_t seq, std::int64_t limit);
    Result<std::int64_t> last_seq(const std::string& run);
    // Events of runs that ended before `before`; returns how many went.
    Result<std::int64_t> forget_events(UnixMillis before);

private:
    Result<Run> start_on_new_thread(const Run& fresh);
    Result<void> make_room(const Run& fresh, Multitask multitask);
    Result<bool> count_crash(Run& run, const Claim& claim);

    sql::Connection& connection_;
};

// LEASE_LOST unless the run is held at this epoch; holds the row until the end of the transaction.
Result<void> check_fence(sql::Connection& connection, const Fence& fence);

}  // namespace dure::runs
