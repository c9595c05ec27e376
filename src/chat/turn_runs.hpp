// Turns of the agent as durable runs (graph-semantics §9): a turn in a session is a run on a thread of its own, "turn:" and
// the run's id, held by this process while the request lives.
//
//   TurnRuns::fresh -> TurnRun::begin (row and input durable, D3) -> Agents::run, which saves here -> sessions::record_turn,
//   in whose unit TurnRun::end_in writes what is left to save and ends the run: a turn is recorded once, or not yet
//
// A process that dies leaves the row; the next one (or another replica, once the lease is over) claims it, goes on behind the
// last checkpoint and records the turn: nobody reads along any more, but the session has it. Once it has died twice over
// the same turn, or the turn is old, the turn is recorded as cut instead.
#pragma once

#include <mutex>
#include <optional>
#include <unordered_set>

#include "dure/agents/agent.hpp"
#include "dure/config/settings.hpp"
#include "dure/graph/checkpointer.hpp"
#include "dure/runs/worker.hpp"

namespace dure::chat {

class TurnRuns;

// One turn, on one core. Also the place its graph saves to: what is to be kept at the end only waits for end_in().
class TurnRun final : public graph::Checkpointer {
public:
    TurnRun(TurnRuns& all, boost::asio::any_io_executor executor, runs::Run fresh, graph::Durability mode);
    // Taken over from a process that died; `writer` is the worker's.
    TurnRun(TurnRuns& all, runs::RunWriter& writer, graph::Durability mode);
    ~TurnRun() override;
    TurnRun(const TurnRun&) = delete;
    TurnRun& operator=(const TurnRun&) = delete;

    Task<Result<void>> begin();
    bool begun() const { return begun_; }
    bool ended() const { return ended_; }
    agents::DurableRun for_agent();

    // In the unit of the caller; LEASE_LOST: somebody else records the turn, the unit must fail.
    Result<void> end_in(sql::Connection& connection, runs::Status status) const;
    void committed() { ended_ = true; }
    // Of a turn that leaves nothing in its session.
    Task<Result<void>> end(runs::Status status);

    Task<Result<void>> save(const std::string& thread, graph::Batch batch) override;
    Task<Result<std::optional<graph::StoredCheckpoint>>> load(const std::string& thread, const std::string& ns,
                                                              const std::string& id, bool with_pending) override;
    Task<Result<std::vector<graph::StoredCheckpoint>>> history(const std::string& thread,
                                                               const graph::HistoryQuery& query) override;
    Task<Result<std::vector<std::string>>> namespaces(const std::string& thread) override;
    Task<Result<void>> delete_thread(const std::string& thread) override;
    Task<Result<void>> copy_thread(const std::string& from, const std::string& to) override;
    Task<Result<void>> delete_run(const std::string& thread, const std::string& run) override;
    Task<Result<std::int64_t>> prune(const std::string& thread, std::int64_t keep,
                                     std::optional<UnixMillis> older_than) override;

private:
    TurnRuns& all_;
    std::optional<runs::RunWriter> own_;
    runs::RunWriter& writer_;
    const graph::Durability mode_;
    const bool recovers_;
    bool begun_;
    bool ended_ = false;
    graph::Batch rest_;   // exit
};

// Thread-safe.
class TurnRuns {
public:
    static constexpr std::string_view graph_name = "turn:coe-agent-v1";
    static constexpr std::string_view graphs = "turn:";
    static constexpr std::int64_t most_crashes = 2;                   // then the turn is cut
    static constexpr std::chrono::hours longest_wait{1};              // of a turn for a process; then it is cut
    static constexpr std::chrono::hours kept{24};                     // runs of turns that have ended

    TurnRuns(runs::Runs& runs, Logger& logger, const config::Settings& settings);

    runs::Runs& runs() { return runs_; }
    graph::Durability mode() const { return mode_; }
    // A run that TurnRun::begin() stores. unavailable: the database was not reached yet, whose clock leases are counted in.
    Task<Result<runs::Run>> fresh(std::string owner, Json input) const;

    // Renews the leases of what this process executes and forgets what is old; ends by cancellation.
    Task<void> look_after();
    // Of the worker that takes turns over.
    runs::WorkerOptions worker_options() const;

    void add(const std::string& run);
    void remove(const std::string& run);

private:
    Task<void> keep_leases();
    Task<Result<void>> renew_leases();
    Task<void> keep_forgetting();
    Task<void> forget_old_ones();

    runs::Runs& runs_;
    Logger& logger_;
    const graph::Durability mode_;
    const std::chrono::milliseconds lease_;
    const std::string worker_;
    mutable std::mutex guard_;
    std::unordered_set<std::string> active_;
};

}  // namespace dure::chat
