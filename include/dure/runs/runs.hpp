// Runs: starts runs on threads and looks after them (X4, X5). A run is durable before it is acknowledged (D3); workers take
// it from its row. Thread-safe.
//   const auto run = co_await runs.start(fresh, Multitask::enqueue);
//   const auto ended = co_await runs.wait(run->id, owner, deadline);
#pragma once

#include "dure/graph/checkpointer.hpp"
#include "dure/runs/lease_clock.hpp"
#include "dure/runs/stream.hpp"

namespace dure::runs {

class Worker;

class Runs {
public:
    // The database is migrated; it and the clock outlive this.
    Runs(sql::Database& database, const Clock& clock) : database_(database), clock_(clock), lease_clock_(database, clock) {}

    // Fills in id and created_at. conflict THREAD_BUSY: rejected; not_found: the thread is somebody else's.
    Task<Result<Run>> start(Run fresh, Multitask multitask);
    // Goes on with an interrupted, failed or cancelled run. conflict: it is in another state, or its thread is busy.
    Task<Result<Run>> resume(std::string id, std::string owner, Json input);
    // A pending or (with Stop::cancel) interrupted run ends at once, a running one soon: wait() for it. With Stop::rollback
    // the thread is as before it.
    Task<Result<Run>> stop(std::string id, std::string owner, Stop how);

    // The same as a part of a unit of work of the caller, who tells announce() when it is committed. `fresh` has its id
    // and created_at.
    static Result<Run> start_in(sql::Connection& connection, const Run& fresh, Multitask multitask);
    static Result<Run> resume_in(sql::Connection& connection, const std::string& id, const std::string& owner,
                                 const Json& input);
    static Result<Run> stop_in(sql::Connection& connection, const std::string& id, const std::string& owner, Stop how,
                               UnixMillis now);
    // The nodes of the graph that have no result yet where the thread stands, in the order they would begin; not those that wait
    // for an answer. Of a run that died: what it was at.
    static Result<std::vector<std::string>> unfinished_nodes_in(sql::Connection& connection, const std::string& thread);
    // Everything of a thread: its runs with their events, its checkpoints.
    static Result<void> remove_in(sql::Connection& connection, const std::string& thread);
    // Named, the owner spares workers that have enough of its runs the look.
    void announce(const std::string& run, bool stops, const std::string& owner = {});

    // A run that who starts it executes at once: `fresh` is held by fresh.worker at epoch 1 until fresh.lease_until, on a
    // thread of its own. Once its lease is over it is claimed like any other.
    static Result<void> start_held_in(sql::Connection& connection, const Run& fresh);
    // Ends a run that is held at run.epoch: what it still has to save, then its row. LEASE_LOST: the unit must fail.
    static Result<void> end_in(sql::Connection& connection, const Run& run, const graph::Batch& rest, const Ending& ending);
    // These runs of `worker` are held until then; those it lost stay lost.
    Task<Result<void>> hold(std::string worker, std::vector<std::string> ids, UnixMillis until);

    // Every lease ends now, for a process that knows to be the only one; before its workers start. Of runs whose graph's
    // name begins so; empty: all.
    Task<Result<void>> end_leases(std::string graphs);
    Result<void> end_leases_now(const std::string& graphs);   // blocks: not on a core
    // Removes runs of such graphs that were started before and have ended, with their threads; at most `limit`, returns how many.
    Task<Result<std::int64_t>> forget(std::string graphs, UnixMillis before, std::int64_t limit);

    // Owner "" sees everybody's runs: the caller has checked the permission.
    Task<Result<Run>> find(std::string id, std::string owner);
    Task<Result<std::vector<Run>>> of_thread(std::string thread, std::string owner, std::int64_t limit);
    // X5. not_found: no run was started on it, or it is somebody else's.
    Task<Result<ThreadStatus>> thread_status(std::string thread, std::string owner);
    // Until the run is neither pending nor running; timeout when that takes longer. Also joins a run started elsewhere.
    Task<Result<Run>> wait(std::string id, std::string owner, Deadline deadline);

    // The events after a number (0: all), to be read on the calling coroutine's executor. not_found for a foreign run.
    Task<Result<std::unique_ptr<RunReader>>> read(std::string id, std::string owner, std::int64_t after,
                                                  EventFilter filter);
    // A reader's client is gone: the run is cancelled if its options say on_disconnect = cancel and nobody else reads.
    Task<Result<void>> left(std::string id);

    // Removes the events of runs that ended before; returns how many.
    Task<Result<std::int64_t>> forget_events(UnixMillis before);

    RunStreams& streams() { return streams_; }
    sql::Database& database() { return database_; }
    const Clock& clock() const { return clock_; }
    LeaseClock& lease_clock() { return lease_clock_; }   // what lease_until is counted in

private:
    friend class Worker;
    // A wake-up call for the workers of this process; others look once a while.
    void add_worker(Worker& worker);
    void remove_worker(Worker& worker);
    void wake_workers(bool stops, const std::string& owner = {});

    sql::Database& database_;
    const Clock& clock_;
    LeaseClock lease_clock_;
    RunStreams streams_;
    std::mutex guard_;
    std::vector<Worker*> workers_;
};

}  // namespace dure::runs
