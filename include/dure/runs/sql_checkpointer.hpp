// SqlCheckpointer: checkpoints in the SQL database, on both drivers. A batch is one transaction and one hop, on PostgreSQL
// one statement and with it one round trip; values are serialised on the database's threads. A failing database is tried
// again until the deadline (D10); batches are repeatable, so a lost answer does no harm. Rules as in graph/checkpointer.hpp.
// A run that is held by a lease writes through runs::RunWriter instead, which checks its epoch.
#pragma once

#include "dure/graph/checkpointer.hpp"
#include "dure/sql/database.hpp"

namespace dure::runs {

class SqlCheckpointer final : public graph::Checkpointer {
public:
    struct Limits {
        Steady::duration give_up_after = std::chrono::seconds(30);  // of one call, while the database fails
    };

    // The database is migrated and outlives this.
    explicit SqlCheckpointer(sql::Database& database) : SqlCheckpointer(database, Limits()) {}
    SqlCheckpointer(sql::Database& database, Limits limits) : database_(database), limits_(limits) {}

    Task<Result<void>> save(const std::string& thread, graph::Batch batch) override;
    // Whether anything of the thread is kept: a run that was ended before it began has left nothing.
    static Result<bool> has_thread_in(sql::Connection& connection, const std::string& thread);
    // The same inside of a unit of the caller's.
    static Result<void> save_in(sql::Connection& connection, const std::string& thread, const graph::Batch& batch);
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
    sql::Database& database_;
    Limits limits_;
};

}  // namespace dure::runs
