// RunWriter: what a run writes with while a worker holds it: a Checkpointer whose every write checks the run's epoch in the
// same transaction (D8), and the log of the run's events, which become durable with the next write or after a short while
// and are given out then (T3). Other modules may add writes of their own to the same transaction.
// One run, one core: not thread-safe.
#pragma once

#include <any>

#include "dure/graph/checkpointer.hpp"
#include "dure/runs/sql_checkpointer.hpp"
#include "dure/runs/stream.hpp"

namespace dure::runs {

// What one transaction of a run holds.
struct WriteOfRun {
    const Run& run;
    const graph::Batch& batch;
    const std::vector<RunEvent>& events;
    const Ending* ending;  // of the last one
    std::any prepared = {};  // by WriteMoments::prepare
};

// Runs on the database's threads, after the run's own statements and inside their transaction; it may be called again when
// the transaction was lost. An Error undoes the whole write.
using ExtraWrites = std::function<Result<void>(sql::Connection&, const WriteOfRun&)>;

// Beside ExtraWrites, on the run's core; each may be null.
struct WriteMoments {
    std::function<bool(const WriteOfRun&)>
        has_extra;  // before: false spares ExtraWrites and keeps the write one statement
    // Before, when there are extra writes: what can be made ready need not be made on the database's threads.
    std::function<std::any(const WriteOfRun&)> prepare = nullptr;
    std::function<void(const WriteOfRun&)> committed;
};

struct WriterLimits {
    std::size_t waiting_events = 1000;  // not yet durable; then the run waits for the database
    std::chrono::milliseconds longest_wait{20};  // of an event for the next write
    Steady::duration give_up_after = std::chrono::seconds(30);  // D10
    const Deadline* latest = nullptr;  // no write is tried again behind it; it may come nearer while one waits
};

class RunWriter final : public graph::Checkpointer {
public:
    // last_seq: of the run's events so far.
    RunWriter(sql::Database& database, RunStreams& streams, boost::asio::any_io_executor executor, const Run& run,
              std::int64_t last_seq, ExtraWrites extra = nullptr, WriterLimits limits = WriterLimits(),
              WriteMoments moments = WriteMoments());

    Task<Result<void>> save(const std::string& thread, graph::Batch batch) override;
    Task<Result<std::optional<graph::StoredCheckpoint>>> load(const std::string& thread, const std::string& ns,
                                                              const std::string& id, bool with_pending) override;
    Task<Result<std::vector<graph::StoredCheckpoint>>> history(const std::string& thread,
                                                               const graph::HistoryQuery& query) override;
    Task<Result<std::vector<std::string>>> namespaces(const std::string& thread) override;
    // Not what a run does to its own thread: refused.
    Task<Result<void>> delete_thread(const std::string& thread) override;
    Task<Result<void>> copy_thread(const std::string& from, const std::string& to) override;
    Task<Result<void>> delete_run(const std::string& thread, const std::string& run) override;
    Task<Result<std::int64_t>> prune(const std::string& thread, std::int64_t keep,
                                     std::optional<UnixMillis> older_than) override;

    // Takes the next number. Waits only when too many events wait for the database.
    Task<Result<void>> tell(std::string ns, std::string_view mode, Json data);
    // Never waits: of an event that save() follows at once, so that both become durable in one write.
    void tell_with_next_save(std::string ns, std::string_view mode, Json data);
    Task<Result<void>> flush();
    // Writes what waits too long; ends by cancellation.
    Task<void> keep_flushing();
    // The last write: waiting events, the removal of the run's checkpoints if it is rolled back, the row.
    Task<Result<void>> finish(const Ending& ending, bool rolled_back);

    const Run& run() const { return run_; }
    std::int64_t last_seq() const { return last_seq_; }

private:
    class Turn;
    struct Last {
        const Ending* ending = nullptr;
        bool rolled_back = false;
    };
    // A batch that waits for its turn; the next write takes all of them, with the events told so far.
    struct Queued {
        graph::Batch batch;
        std::optional<Result<void>> outcome;
    };
    using Queue = std::vector<std::shared_ptr<Queued>>;
    static graph::Batch together(const Queue& queue);
    Task<Result<void>> write_queue(Last last);
    Result<Last> heed_stop(sql::Connection& connection, Last last, Ending& stopped) const;
    Result<void> write_now(sql::Connection& connection, const Queue& queue, const WriteOfRun& what,
                           const ExtraWrites& extra, bool rolled_back);
    void give_out(std::vector<RunEvent> events);

    sql::Database& database_;
    RunStreams& streams_;
    SqlCheckpointer reader_;
    Run run_;
    std::int64_t last_seq_;
    ExtraWrites extra_;
    WriterLimits limits_;
    WriteMoments moments_;
    std::vector<RunEvent> waiting_;
    Queue queue_;
    Signal told_;
    Signal free_;
    bool writing_ = false;
};

}  // namespace dure::runs
