// Worker: takes runs from their rows and executes them, on one core. claim → execute → finish, and a renewal of all its
// leases several times within their length. A run that is parked (interrupted) has ended for the worker: nothing of it
// stays in memory. Taking over the runs of a dead worker is the same claim (D4).
#pragma once

#include <boost/asio/cancellation_signal.hpp>

#include "dure/base/log.hpp"
#include "dure/base/task_group.hpp"
#include "dure/runs/runs.hpp"
#include "dure/runs/writer.hpp"

namespace dure::runs {

// What an executing run is told from outside. A body that can stop by itself says how; otherwise it is cancelled. What was
// asked before the body says so is told to it at once. One core.
class RunControl {
public:
    void on_cancel(std::function<void()> stop);  // soon, keeping what is finished (F7)
    void
    on_drain(std::function<void()> stop);  // at the next superstep boundary (F8); then the ending is Status::pending

    // Where a run stands that was taken ahead (WorkerOptions::claim_ahead): it waits for its turn among those of its owner,
    // or works from now on.
    enum class Place { taken, waits, works, gone };
    void waits() { stands_at(Place::waits); }
    void works() { stands_at(Place::works); }

    // False: nobody listens.
    bool cancel();
    void drain();
    void forget();  // the body has ended

    // Told of each change from one place to another; the worker's.
    void on_place(std::function<void(Place from, Place to)> changed) { changed_ = std::move(changed); }
    void stands_at(Place place);

private:
    std::function<void()> cancel_;
    std::function<void()> drain_;
    std::function<void(Place, Place)> changed_;
    Place place_ = Place::taken;
    bool drains_ = false;
};

// Executes one run: reads its input and options from writer.run(), writes through the writer. Errors of the run are in
// the ending, never thrown. LEASE_LOST from the writer: return; what is returned then does not count.
using RunBody = std::function<Task<Ending>(RunWriter& writer, RunControl& control)>;

struct WorkerOptions {
    std::size_t most_runs = 32;  // at once
    // Of them so many taken whose body has not said yet that it works or waits, and as many again of an owner whose runs
    // wait for each other: what is left in the queue is any worker's, at once. 0: as many as most_runs.
    std::size_t claim_ahead = 0;
    std::chrono::milliseconds lease{15'000};  // renewed three times within
    std::chrono::milliseconds look_interval{
        1'000};  // at the rows, for runs that other processes started, lost or stopped
    std::int64_t crash_limit = 3;  // D9
    bool only_process = false;  // leases found at the start are dead ones (SQLite)
    std::string graphs;  // takes only runs whose graph's name begins so; empty: all
    bool only_looks = false;  // takes runs at its look intervals only: whoever starts such a run executes it himself
    ExtraWrites extra_writes;
    WriteMoments write_moments;
    WriterLimits writer;
};

class Worker {
public:
    // Made, run and destroyed on one executor; runs outlives it.
    Worker(Runs& runs, boost::asio::any_io_executor executor, Logger& log, RunBody body, WorkerOptions options);
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    // Works until drain() is called, or until cancelled: then what it holds stays claimed and is recovered later (D4).
    Task<void> work();
    // Takes no more; running ones are asked to stop at their next boundary, at the deadline they are cancelled. work()
    // returns when all have ended. Runs that did not end go back into the queue; when the database does not take that at the deadline,
    // others find them when their lease is over.
    void drain(Deadline deadline);

    std::size_t active() const { return active_.size(); }

    // From any thread: there may be work, of this owner if one is named; runs of this worker may have been asked to stop.
    void wake(bool stops, const std::string& owner);

private:
    struct Active;
    struct Wakes;
    using ActiveRuns = std::map<std::string, std::shared_ptr<Active>>;  // by run

    Task<void> claim_until_drained();
    Task<void> claim_and_spawn();
    std::size_t room() const;
    void adopt(Run run, std::int64_t last_seq);
    void moved(const std::string& owner, RunControl::Place from, RunControl::Place to);
    Task<void> execute(std::shared_ptr<Active> active);
    Task<Ending> run_body(Active& active, RunWriter& writer);
    Task<void> finish(Active& active, RunWriter& writer, Ending ending);
    Task<void> keep_leases();
    Task<void> keep_looking();
    Task<bool> is_asked_to_stop();
    Task<Result<void>> renew_leases();
    void stop(Active& active, Stop how);
    void abandon(Active& active);

    Runs& runs_;
    boost::asio::any_io_executor executor_;
    Logger& log_;
    RunBody body_;
    WorkerOptions options_;
    const std::string id_;
    std::shared_ptr<Wakes> wakes_;
    bool draining_ = false;
    Deadline drain_deadline_ = Deadline::never();
    ActiveRuns active_;
    TaskGroup keepers_;
    TaskGroup executions_;
};

}  // namespace dure::runs
