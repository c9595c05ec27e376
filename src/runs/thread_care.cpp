// See thread_care.hpp.
#include "runs/thread_care.hpp"

#include <algorithm>
#include <string>

namespace dure::runs {

namespace {

template <class... Params>
Result<void> change(sql::Connection& connection, std::string_view sql, const Params&... params)
{
    if (auto changed = connection.execute(sql, params...); !changed)
        return changed.error();
    return {};
}

// Channel data that no checkpoint left needs, itself or through a chain of deltas. A row of several values stays while one
// of them is needed.
Result<void> forget_unused_data(sql::Connection& connection, const std::string& thread)
{
    const std::string versions =
        connection.dialect() == sql::Dialect::sqlite
            ? "SELECT c.ns, CASE v.value WHEN '' THEN c.id ELSE v.value END, v.key "
              "FROM graph_checkpoints c, json_each(c.versions) AS v"
            : "SELECT c.ns, CASE v.value WHEN '' THEN c.id ELSE v.value END COLLATE \"C\", v.key COLLATE \"C\" "
              "FROM graph_checkpoints c, "
              "json_each_text(c.versions::json) AS v(key, value)";
    return change(
        connection,
        "WITH RECURSIVE needed(ns, checkpoint_id, channel) AS (" + versions +
            " WHERE c.thread_id = $1 UNION SELECT w.ns, w.base, w.channel FROM needed n "
            "JOIN graph_channel_writes w ON w.thread_id = $1 AND w.ns = n.ns AND "
            "w.checkpoint_id = n.checkpoint_id AND w.channel = n.channel WHERE w.base <> '') "
            "DELETE FROM graph_channel_writes WHERE thread_id = $1 AND (ns, checkpoint_id, channel) NOT IN "
            "(SELECT ns, checkpoint_id, channel FROM needed UNION SELECT ns, checkpoint_id, '' FROM needed n "
            "WHERE NOT EXISTS (SELECT 1 FROM graph_channel_writes w WHERE w.thread_id = $1 AND w.ns = n.ns AND "
            "w.checkpoint_id = n.checkpoint_id AND w.channel = n.channel))",
        thread);
}

}  // namespace

Result<bool> has_thread(sql::Connection& connection, const std::string& thread)
{
    const auto rows = connection.query("SELECT 1 FROM graph_checkpoints WHERE thread_id = $1 UNION ALL "
                                       "SELECT 1 FROM graph_pending_writes WHERE thread_id = $1 LIMIT 1",
                                       thread);
    if (!rows)
        return rows.error();
    return !rows->empty();
}

Result<void> delete_thread(sql::Connection& connection, const std::string& thread)
{
    for (const auto* table : {"graph_checkpoints", "graph_channel_writes", "graph_pending_writes"})
        if (auto done = change(connection, std::string("DELETE FROM ") + table + " WHERE thread_id = $1", thread);
            !done)
            return done;
    return {};
}

Result<void> copy_thread(sql::Connection& connection, const std::string& from, const std::string& to)
{
    const auto source = has_thread(connection, from);
    if (!source)
        return source.error();
    if (!*source)
        return Error(Errc::not_found, "No such thread.");
    const auto target = has_thread(connection, to);
    if (!target)
        return target.error();
    if (*target)
        return Error(Errc::conflict, "The thread to copy to exists already.");
    const std::pair<std::string, std::string> tables[] = {
        {"graph_checkpoints", "ns, id, parent, run_id, step, source, created_at, graph_version, frontier, metadata, "
                              "versions"},
        {"graph_channel_writes", "ns, checkpoint_id, channel, base, deltas, data"},
        {"graph_pending_writes", "ns, checkpoint_id, task_id, kind, key, data"},
    };
    for (const auto& [table, columns] : tables)
        if (auto done = change(connection,
                               "INSERT INTO " + table + " (thread_id, " + columns + ") SELECT $2, " + columns +
                                   " FROM " + table + " WHERE thread_id = $1",
                               from, to);
            !done)
            return done;
    return {};
}

Result<void> delete_run(sql::Connection& connection, const std::string& thread, const std::string& run)
{
    if (auto done = change(connection,
                           "DELETE FROM graph_pending_writes WHERE thread_id = $1 AND (ns, checkpoint_id) IN "
                           "(SELECT ns, id FROM graph_checkpoints WHERE thread_id = $1 AND run_id = $2)",
                           thread, run);
        !done)
        return done;
    if (auto done =
            change(connection, "DELETE FROM graph_checkpoints WHERE thread_id = $1 AND run_id = $2", thread, run);
        !done)
        return done;
    return forget_unused_data(connection, thread);
}

Result<std::int64_t> prune(sql::Connection& connection, const std::string& thread, std::int64_t keep,
                           std::optional<UnixMillis> older_than)
{
    if (keep < 0)
        return Error(Errc::invalid_argument, "keep must not be negative.").param("keep");
    // The head always stays; what has pending writes (open interrupts among them) too.
    auto removed = connection.execute(
        "DELETE FROM graph_checkpoints WHERE thread_id = $1 AND created_at < $3 AND (ns, id) IN (SELECT ns, id FROM "
        "(SELECT ns, id, row_number() OVER (PARTITION BY ns ORDER BY id DESC) AS place FROM graph_checkpoints "
        "WHERE thread_id = $1) AS placed WHERE place > $2) AND NOT EXISTS (SELECT 1 FROM graph_pending_writes p WHERE "
        "p.thread_id = $1 AND p.ns = graph_checkpoints.ns AND p.checkpoint_id = graph_checkpoints.id)",
        thread, std::max<std::int64_t>(keep, 1), older_than.value_or(std::numeric_limits<UnixMillis>::max()));
    if (!removed)
        return removed.error();
    if (*removed > 0)
        if (auto done = forget_unused_data(connection, thread); !done)
            return done.error();
    return *removed;
}

}  // namespace dure::runs
