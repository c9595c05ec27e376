// The two ways to write a batch; see batch_writer.hpp.
#include "runs/batch_writer.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "dure/base/json_write.hpp"
#include "dure/base/text.hpp"
#include "runs/channel_rows.hpp"

namespace dure::runs {

namespace {

// ---- SQLite

constexpr std::string_view drop_sql =
    "DELETE FROM graph_pending_writes WHERE thread_id = $1 AND (ns = $2 OR ($3 <> 0 AND ($2 = '' OR "
    "substr(ns, 1, length($2) + 1) = $2 || '|'))) AND ($4 = '' OR checkpoint_id = $4) "
    "AND ($5 = '[]' OR task_id IN (SELECT value FROM json_each($5))) "
    "AND ($6 = '[]' OR kind IN (SELECT value FROM json_each($6)))";
// The drop of a superstep that is over: everything of its checkpoint.
constexpr std::string_view drop_all_sql =
    "DELETE FROM graph_pending_writes WHERE thread_id = $1 AND ns = $2 AND checkpoint_id = $3";
constexpr std::string_view pending_sql =
    "INSERT INTO graph_pending_writes (thread_id, ns, checkpoint_id, task_id, kind, key, data) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7) "
    "ON CONFLICT (thread_id, ns, checkpoint_id, task_id, kind, key) DO UPDATE SET data = excluded.data";
constexpr std::string_view checkpoint_sql =
    "INSERT INTO graph_checkpoints (thread_id, ns, id, parent, run_id, step, source, created_at, graph_version, "
    "frontier, "
    "metadata, versions) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING";
constexpr std::string_view channel_sql =
    "INSERT INTO graph_channel_writes (thread_id, ns, checkpoint_id, channel, base, deltas, data) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
constexpr std::string_view event_sql = "INSERT INTO graph_run_events (run_id, seq, ns, mode, data) "
                                       "VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";

std::string kinds_text(const graph::PendingDrop& drop)
{
    auto names = Json::array();
    for (const auto kind : drop.kinds)
        names.push_back(graph::name_of(kind));
    return json_text(names);
}

Result<std::int64_t> drop_rows(sql::Connection& connection, const std::string& thread, const graph::PendingDrop& drop)
{
    if (!drop.below && !drop.checkpoint.empty() && drop.tasks.empty() && drop.kinds.empty())
        return connection.execute(drop_all_sql, thread, drop.ns, drop.checkpoint);
    return connection.execute(drop_sql, thread, drop.ns, drop.below, drop.checkpoint, json_text(Json(drop.tasks)),
                              kinds_text(drop));
}

Result<void> insert_checkpoint(sql::Connection& connection, const std::string& thread, const graph::Checkpoint& made)
{
    auto stored = connection.execute(checkpoint_sql, thread, made.ns, made.id, made.parent, made.run, made.step,
                                     graph::name_of(made.source), made.created_at, made.graph_version,
                                     json_text(made.frontier), json_text(made.metadata), versions_text(made));
    if (!stored)
        return stored.error();
    for (const auto& row : channel_rows_of(made))
        if (auto kept =
                connection.execute(channel_sql, thread, made.ns, made.id, row.channel, row.base, row.deltas, row.data);
            !kept)
            return kept.error();
    return {};
}

Result<void> write_rows(sql::Connection& connection, const BatchToWrite& what)
{
    if (!what.fence.run.empty()) {
        const auto held =
            connection.query("SELECT 1 FROM graph_runs WHERE id = $1 AND epoch = $2 AND status = 'running'",
                             what.fence.run, what.fence.epoch);
        if (!held)
            return held.error();
        if (held->empty())
            return lease_lost();
    }
    for (const auto& drop : what.batch.drops)
        if (auto dropped = drop_rows(connection, what.thread, drop); !dropped)
            return dropped.error();
    for (const auto& write : what.batch.pending)
        if (auto kept = connection.execute(pending_sql, what.thread, write.ns, write.checkpoint, write.task,
                                           graph::name_of(write.kind), write.key, json_text(write.data));
            !kept)
            return kept.error();
    for (const auto& checkpoint : what.batch.checkpoints)
        if (auto kept = insert_checkpoint(connection, what.thread, checkpoint); !kept)
            return kept;
    for (const auto& event : what.events)
        if (auto kept =
                connection.execute(event_sql, what.fence.run, event.seq, event.ns, event.mode, json_text(event.data));
            !kept)
            return kept.error();
    return {};
}

// ---- PostgreSQL

// Everything hangs on `allowed`: no row of it, nothing is written.
constexpr std::string_view whole_sql =
    "WITH held AS MATERIALIZED (SELECT 1 FROM graph_runs WHERE id = $1 AND epoch = $2 AND status = 'running' FOR "
    "UPDATE), "
    "allowed AS MATERIALIZED (SELECT 1 AS yes WHERE $1::text = '' OR EXISTS (SELECT 1 FROM held)), "
    "dropped AS (DELETE FROM graph_pending_writes p USING json_to_recordset($4::json) AS "
    "d(ns text, below boolean, checkpoint text, tasks json, kinds json), allowed "
    "WHERE p.thread_id = $3 AND (p.ns = d.ns OR (d.below AND (d.ns = '' OR starts_with(p.ns, d.ns || '|')))) "
    "AND (d.checkpoint = '' OR p.checkpoint_id = d.checkpoint) "
    "AND (json_array_length(d.tasks) = 0 OR p.task_id IN (SELECT json_array_elements_text(d.tasks))) "
    "AND (json_array_length(d.kinds) = 0 OR p.kind IN (SELECT json_array_elements_text(d.kinds)))), "
    "kept AS (INSERT INTO graph_pending_writes (thread_id, ns, checkpoint_id, task_id, kind, key, data) "
    "SELECT $3, w.ns, w.checkpoint, w.task, w.kind, w.key, w.data FROM json_to_recordset($5::json) AS "
    "w(ns text, checkpoint text, task text, kind text, key text, data text), allowed "
    "ON CONFLICT (thread_id, ns, checkpoint_id, task_id, kind, key) DO UPDATE SET data = excluded.data), "
    "made AS (INSERT INTO graph_checkpoints (thread_id, ns, id, parent, run_id, step, source, created_at, "
    "graph_version, "
    "frontier, metadata, versions) SELECT $3, c.ns, c.id, c.parent, c.run, c.step, c.source, c.created_at, "
    "c.graph_version, c.frontier, c.metadata, c.versions FROM json_to_recordset($6::json) AS "
    "c(ns text, id text, parent text, run text, step bigint, source text, created_at bigint, graph_version text, "
    "frontier text, metadata text, versions text), allowed ON CONFLICT DO NOTHING), "
    "written AS (INSERT INTO graph_channel_writes (thread_id, ns, checkpoint_id, channel, base, deltas, data) "
    "SELECT $3, w.ns, w.checkpoint, w.channel, w.base, w.deltas, w.data FROM json_to_recordset($7::json) AS "
    "w(ns text, checkpoint text, channel text, base text, deltas bigint, data text), allowed ON CONFLICT DO NOTHING), "
    "told AS (INSERT INTO graph_run_events (run_id, seq, ns, mode, data) SELECT $1, e.seq, e.ns, e.mode, e.data "
    "FROM json_to_recordset($8::json) AS e(seq bigint, ns text, mode text, data text), allowed ON CONFLICT DO NOTHING) "
    "SELECT yes FROM allowed";

// Builds a JSON array of records. Data goes in as a text that holds JSON, so that no number form is touched.
class Records {
public:
    Records& begin()
    {
        text_ += text_.size() > 1 ? ",{" : "{";
        first_ = true;
        return *this;
    }
    Records& text(std::string_view name, std::string_view value)
    {
        key(name);
        has_nul_ |= value.find('\0') != std::string_view::npos || !valid_utf8(value);
        append_json_string(text_, value);
        return *this;
    }
    Records& raw(std::string_view name, std::string_view json)
    {
        key(name);
        text_ += json;
        return *this;
    }
    Records& number(std::string_view name, std::int64_t value) { return raw(name, std::to_string(value)); }
    void end() { text_ += "}"; }
    std::string take() && { return std::move(text_) + "]"; }
    bool refused() const { return has_nul_; }

private:
    void key(std::string_view name)
    {
        text_ += first_ ? "\"" : ",\"";
        first_ = false;
        text_ += name;
        text_ += "\":";
    }

    std::string text_ = "[";
    bool first_ = true;
    bool has_nul_ = false;
};

Records records_of(const std::vector<graph::PendingDrop>& drops)
{
    Records records;
    for (const auto& drop : drops)
        records.begin()
            .text("ns", drop.ns)
            .raw("below", drop.below ? "true" : "false")
            .text("checkpoint", drop.checkpoint)
            .raw("tasks", json_text(Json(drop.tasks)))
            .raw("kinds", kinds_text(drop))
            .end();
    return records;
}

// Of several writes with one key the last counts: a statement may not touch a row twice.
Records records_of(const std::vector<graph::PendingWrite>& writes)
{
    using Key =
        std::tuple<std::string_view, std::string_view, std::string_view, graph::PendingWrite::Kind, std::string_view>;
    std::map<Key, const graph::PendingWrite*> last;
    for (const auto& write : writes)
        last[Key(write.ns, write.checkpoint, write.task, write.kind, write.key)] = &write;
    Records records;
    for (const auto& [key, write] : last)
        records.begin()
            .text("ns", write->ns)
            .text("checkpoint", write->checkpoint)
            .text("task", write->task)
            .text("kind", graph::name_of(write->kind))
            .text("key", write->key)
            .text("data", json_text(write->data))
            .end();
    return records;
}

Records records_of(const std::vector<graph::Checkpoint>& checkpoints)
{
    Records records;
    for (const auto& made : checkpoints)
        records.begin()
            .text("ns", made.ns)
            .text("id", made.id)
            .text("parent", made.parent)
            .text("run", made.run)
            .number("step", made.step)
            .text("source", graph::name_of(made.source))
            .number("created_at", made.created_at)
            .text("graph_version", made.graph_version)
            .text("frontier", json_text(made.frontier))
            .text("metadata", json_text(made.metadata))
            .text("versions", versions_text(made))
            .end();
    return records;
}

Records channel_records_of(const std::vector<graph::Checkpoint>& checkpoints)
{
    Records records;
    for (const auto& made : checkpoints)
        for (const auto& row : channel_rows_of(made))
            records.begin()
                .text("ns", made.ns)
                .text("checkpoint", made.id)
                .text("channel", row.channel)
                .text("base", row.base)
                .number("deltas", row.deltas)
                .text("data", row.data)
                .end();
    return records;
}

Records records_of(std::span<const RunEvent> events)
{
    Records records;
    for (const auto& event : events)
        records.begin()
            .number("seq", event.seq)
            .text("ns", event.ns)
            .text("mode", event.mode)
            .text("data", json_text(event.data))
            .end();
    return records;
}

Result<void> write_whole(sql::Connection& connection, const BatchToWrite& what,
                         const std::vector<graph::PendingDrop>& drops, bool drops_only)
{
    static const graph::Batch nothing;
    const auto& batch = drops_only ? nothing : what.batch;
    std::array<Records, 5> parts{records_of(drops), records_of(batch.pending), records_of(batch.checkpoints),
                                 channel_records_of(batch.checkpoints),
                                 records_of(drops_only ? std::span<const RunEvent>() : what.events)};
    if (std::any_of(parts.begin(), parts.end(), [](const auto& part) { return part.refused(); }))
        return Error(Errc::invalid_argument, "A name must be valid UTF-8 without U+0000.");
    std::array<std::string, 5> texts;
    std::transform(parts.begin(), parts.end(), texts.begin(), [](auto& part) { return std::move(part).take(); });
    const auto allowed = connection.query(whole_sql, what.fence.run, what.fence.epoch, what.thread, texts[0], texts[1],
                                          texts[2], texts[3], texts[4]);
    if (!allowed)
        return allowed.error();
    if (allowed->empty())
        return lease_lost();
    return {};
}

template <class T>
bool unnamed_or_named(const std::vector<T>& wanted, const T& one)
{
    return wanted.empty() || std::find(wanted.begin(), wanted.end(), one) != wanted.end();
}

// Whether a drop would hit what the same batch writes. Namespaces are only compared roughly: too often is harmless.
bool hits(const graph::PendingDrop& drop, const graph::PendingWrite& write)
{
    return (drop.below ? write.ns.starts_with(drop.ns) : write.ns == drop.ns) &&
           (drop.checkpoint.empty() || drop.checkpoint == write.checkpoint) &&
           unnamed_or_named(drop.tasks, write.task) && unnamed_or_named(drop.kinds, write.kind);
}

}  // namespace

Error lease_lost()
{
    return Error(Errc::conflict, "Another worker has taken the run over.").reason("LEASE_LOST");
}

bool is_one_statement(sql::Dialect dialect, const graph::Batch& batch)
{
    if (dialect != sql::Dialect::postgres)
        return false;
    for (const auto& drop : batch.drops)
        for (const auto& write : batch.pending)
            if (hits(drop, write))
                return false;
    return true;
}

Result<void> write_batch(sql::Connection& connection, const BatchToWrite& what)
{
    if (connection.dialect() == sql::Dialect::sqlite)
        return write_rows(connection, what);
    if (is_one_statement(connection.dialect(), what.batch))
        return write_whole(connection, what, what.batch.drops, false);
    if (auto dropped = write_whole(connection, what, what.batch.drops, true); !dropped)
        return dropped;
    return write_whole(connection, what, {}, false);
}

}  // namespace dure::runs
