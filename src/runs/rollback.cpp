// See rollback.hpp.
#include "runs/rollback.hpp"

#include "runs/thread_care.hpp"

namespace dure::runs {

namespace {

Result<void> undo(sql::Connection& connection, std::string_view sql, const std::string& thread, const std::string& run)
{
    if (auto changed = connection.execute(sql, thread, run); !changed)
        return changed.error();
    return {};
}

// Of a run that is resumed the oldest copy counts.
constexpr std::string_view keep_sql =
    "INSERT INTO graph_rollbacks (run_id, thread_id, ns, checkpoint_id, task_id, kind, key, data) "
    "SELECT $2, thread_id, ns, checkpoint_id, task_id, kind, key, data FROM graph_pending_writes WHERE thread_id = $1 "
    "ON CONFLICT DO NOTHING";
// Only where the checkpoint is still there: those of the run itself are gone.
constexpr std::string_view restore_sql =
    "INSERT INTO graph_pending_writes (thread_id, ns, checkpoint_id, task_id, kind, key, data) "
    "SELECT b.thread_id, b.ns, b.checkpoint_id, b.task_id, b.kind, b.key, b.data FROM graph_rollbacks b "
    "WHERE b.thread_id = $1 AND b.run_id = $2 AND EXISTS (SELECT 1 FROM graph_checkpoints c WHERE "
    "c.thread_id = b.thread_id AND c.ns = b.ns AND c.id = b.checkpoint_id)";

}  // namespace

Result<void> keep_for_rollback(sql::Connection& connection, const Run& run)
{
    if (auto old =
            undo(connection, "DELETE FROM graph_rollbacks WHERE thread_id = $1 AND run_id <> $2", run.thread, run.id);
        !old)
        return old;
    return undo(connection, keep_sql, run.thread, run.id);
}

Result<void> roll_back(sql::Connection& connection, const Run& run)
{
    if (auto removed = delete_run(connection, run.thread, run.id); !removed)
        return removed;
    // One run at a time: what is left open was written by this one, or is put back below.
    if (auto dropped = connection.execute("DELETE FROM graph_pending_writes WHERE thread_id = $1", run.thread);
        !dropped)
        return dropped.error();
    if (auto restored = undo(connection, restore_sql, run.thread, run.id); !restored)
        return restored;
    return undo(connection, "DELETE FROM graph_rollbacks WHERE thread_id = $1 AND run_id = $2", run.thread, run.id);
}

}  // namespace dure::runs
