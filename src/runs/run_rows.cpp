// See run_rows.hpp.
#include "runs/run_rows.hpp"

#include <array>
#include <cstdio>

#include "dure/base/json_write.hpp"
#include "dure/sql/outcomes.hpp"
#include "dure/runs/runs.hpp"
#include "runs/rollback.hpp"
#include "runs/webhook_rows.hpp"

namespace dure::runs {

namespace {

using sql::without_count;

const std::string run_columns =
    "id, thread_id, owner_id, graph, input, options, status, worker, epoch, attempts, lease_until, "
    "crashes, crashed_at, stop, error, output, created_at, started_at, ended_at";
constexpr std::int64_t most_events = 1000;

std::optional<Json> maybe_json(const sql::Row& row, std::string_view column)
{
    const auto text = row.maybe_text(column);
    return text ? std::optional(Json::parse(*text)) : std::nullopt;
}

std::optional<std::string> maybe_text_of(const std::optional<Json>& json)
{
    return json ? std::optional(dump(*json)) : std::nullopt;
}

Stop stop_named(std::string_view text)
{
    return text == "cancel" ? Stop::cancel : text == "rollback" ? Stop::rollback : Stop::no;
}

Run run_from(const sql::Row& row)
{
    Run run;
    run.id = row.text("id");
    run.thread = row.text("thread_id");
    run.owner = row.text("owner_id");
    run.graph = row.text("graph");
    run.input = Json::parse(row.text("input"));
    run.options = Json::parse(row.text("options"));
    run.status = status_named(row.text("status")).value();
    run.worker = row.text("worker");
    run.epoch = row.integer("epoch");
    run.attempts = row.integer("attempts");
    run.lease_until = row.integer("lease_until");
    run.crashes = row.integer("crashes");
    run.stop = stop_named(row.text("stop"));
    run.error = maybe_json(row, "error");
    run.output = maybe_json(row, "output");
    run.created_at = row.integer("created_at");
    run.started_at = row.maybe_integer("started_at");
    run.ended_at = row.maybe_integer("ended_at");
    return run;
}

Result<Run> one_run(const Result<sql::Rows>& rows)
{
    return sql::read_one(rows, run_from, "run");
}

Error busy()
{
    return Error(Errc::conflict, "The thread has an active run.").reason("THREAD_BUSY");
}

// Locks of rows are PostgreSQL's; SQLite has one writer.
std::string with_lock(sql::Connection& connection, std::string sql, std::string_view lock)
{
    if (connection.dialect() == sql::Dialect::postgres)
        sql += lock;
    return sql;
}

// The elements of a JSON array of texts.
std::string elements_of(sql::Connection& connection, const std::string& parameter)
{
    return connection.dialect() == sql::Dialect::postgres
               ? "SELECT value FROM json_array_elements_text(CAST(" + parameter + " AS json)) AS wanted(value)"
               : "SELECT value FROM json_each(" + parameter + ")";
}

// `which`: its conditions, and its order.
struct Which {
    std::string_view from;
    std::string_view order;
};

std::string claim_sql(sql::Connection& connection, const Which& which)
{
    auto ids = std::string(which.from) +
               " AND substr(r.graph, 1, length($5)) = $5 AND ($6 = '[]' OR r.owner_id NOT IN (" +
               elements_of(connection, "$6") + ")) ORDER BY " + std::string(which.order) + " LIMIT $4";
    return "UPDATE graph_runs SET status = 'running', worker = $1, epoch = epoch + 1, attempts = attempts + 1, "
           "lease_until = $2, started_at = "
           "COALESCE(started_at, $3) WHERE id IN (" +
           with_lock(connection, std::move(ids), " FOR UPDATE SKIP LOCKED") + ") RETURNING " + run_columns +
           ", CASE WHEN EXISTS (SELECT 1 FROM graph_pending_writes p WHERE p.thread_id = graph_runs.thread_id) THEN 1 "
           "ELSE 0 END AS finds_open";
}

// `now`: by which leases are over, of dead runs; when it begins, of pending ones (a dead one has begun).
Result<sql::Rows> take(sql::Connection& connection, const Which& which, const Claim& claim, UnixMillis now, std::int64_t limit)
{
    return connection.query(claim_sql(connection, which), claim.worker, claim.lease_until, now, limit,
                            claim.graphs, dump(Json(claim.not_of)));
}

// The runs, with what they find open kept for a rollback.
Result<std::vector<Run>> begun_from(sql::Connection& connection, const Result<sql::Rows>& rows)
{
    auto runs = sql::read_all(rows, run_from);
    for (std::size_t i = 0; runs && i < runs->size(); ++i)
        if (const auto& run = (*runs)[i]; run.attempts == 1 && (*rows)[i].flag("finds_open"))
            if (auto kept = keep_for_rollback(connection, run); !kept)
                return kept.error();
    return runs;
}

constexpr Which next_pending{
    "SELECT r.id FROM graph_runs r WHERE r.status = 'pending' AND NOT EXISTS (SELECT 1 FROM graph_runs o WHERE "
    "o.thread_id = r.thread_id AND o.status IN ('pending', 'running') AND (o.status = 'running' OR o.id < r.id))",
    "r.id"};
constexpr Which next_dead{"SELECT r.id FROM graph_runs r WHERE r.status = 'running' AND r.lease_until < $3",
                          "r.lease_until"};

}  // namespace

Result<void> check_fence(sql::Connection& connection, const Fence& fence)
{
    const auto held = connection.query(
        with_lock(connection, "SELECT 1 FROM graph_runs WHERE id = $1 AND epoch = $2 AND status = 'running'",
                  " FOR UPDATE"),
        fence.run, fence.epoch);
    if (!held)
        return held.error();
    if (held->empty())
        return lease_lost();
    return {};
}

Result<Run> RunRows::start(Run fresh, Multitask multitask)
{
    if (fresh.thread == fresh.id && connection_.dialect() == sql::Dialect::postgres) {
        auto first = start_on_new_thread(fresh);
        if (first || first.error().code() != Errc::not_found)
            return first;
    }
    // The update that changes nothing locks the thread's row: starts on one thread come one after the other.
    const auto thread = connection_.query("INSERT INTO graph_threads (id, owner_id, created_at) VALUES ($1, $2, $3) "
                                          "ON CONFLICT (id) DO UPDATE SET created_at = graph_threads.created_at "
                                          "RETURNING owner_id",
                                          fresh.thread, fresh.owner, fresh.created_at);
    if (!thread)
        return thread.error();
    if (thread->front().text(0) != fresh.owner)
        return Error(Errc::not_found, "No such thread.");
    if (auto room = make_room(fresh, multitask); !room)
        return room.error();
    static const std::string sql =
        "INSERT INTO graph_runs (" + run_columns +
        ") VALUES ($1, $2, $3, $4, $5, $6, 'pending', '', 0, 0, 0, 0, '', '', NULL, NULL, $7, NULL, NULL) RETURNING " +
        run_columns;
    return one_run(connection_.query(sql, fresh.id, fresh.thread, fresh.owner, fresh.graph, json_text(fresh.input),
                                     dump(fresh.options), fresh.created_at));
}

// A thread that was not there has no other run: one round trip. not_found: there is one of this name.
Result<Run> RunRows::start_on_new_thread(const Run& fresh)
{
    static const std::string sql =
        "WITH made AS (INSERT INTO graph_threads (id, owner_id, created_at) VALUES ($2, $3, $7) ON CONFLICT (id) DO NOTHING RETURNING id) "
        "INSERT INTO graph_runs (" +
        run_columns +
        ") SELECT $1, made.id, $3, $4, $5, $6, 'pending', '', 0, 0, 0, 0, '', '', NULL, NULL, $7, NULL, NULL FROM made RETURNING " +
        run_columns;
    return one_run(connection_.query(sql, fresh.id, fresh.thread, fresh.owner, fresh.graph, json_text(fresh.input),
                                     dump(fresh.options), fresh.created_at));
}

Result<void> RunRows::make_room(const Run& fresh, Multitask multitask)
{
    if (multitask == Multitask::enqueue)
        return {};
    if (multitask == Multitask::reject) {
        const auto open = connection_.query(
            "SELECT 1 FROM graph_runs WHERE thread_id = $1 AND status IN ('pending', 'running') LIMIT 1", fresh.thread);
        if (!open)
            return open.error();
        if (!open->empty())
            return busy();
        return {};
    }
    static const std::string cancel =
        "UPDATE graph_runs SET status = 'cancelled', ended_at = $2 WHERE thread_id = $1 AND "
        "status = 'pending' RETURNING " +
        run_columns;
    const auto ended = sql::read_all(connection_.query(cancel, fresh.thread, fresh.created_at), run_from);
    if (!ended)
        return ended.error();
    for (const auto& run : *ended)
        if (auto told = tell_end(connection_, run); !told)
            return told;
    const auto how = multitask == Multitask::rollback ? Stop::rollback : Stop::cancel;
    return without_count(connection_.execute(
        "UPDATE graph_runs SET stop = $2 WHERE thread_id = $1 AND status = 'running'", fresh.thread, name_of(how)));
}

Result<Run> RunRows::resume(const std::string& id, const std::string& owner, const Json& input)
{
    auto known = find(id, owner);
    if (!known)
        return known;
    if (auto locked = without_count(
            connection_.execute("UPDATE graph_threads SET created_at = created_at WHERE id = $1", known->thread));
        !locked)
        return locked.error();
    const auto open = connection_.query(
        "SELECT 1 FROM graph_runs WHERE thread_id = $1 AND status IN ('pending', 'running') LIMIT 1", known->thread);
    if (!open)
        return open.error();
    if (!open->empty())
        return busy();
    static const std::string sql =
        "UPDATE graph_runs SET status = 'pending', input = $2, attempts = 0, crashes = 0, crashed_at = '', stop = '', "
        "error = NULL, "
        "output = NULL, ended_at = NULL WHERE id = $1 AND status IN ('interrupted', 'error', 'timeout', 'cancelled') "
        "RETURNING " +
        run_columns;
    auto back = one_run(connection_.query(sql, id, dump(input)));
    if (!back && back.error().code() == Errc::not_found)
        return Error(Errc::conflict, "A run that succeeded cannot be resumed.");
    return back;
}

Result<Run> RunRows::find(const std::string& id, const std::string& owner)
{
    static const std::string sql =
        "SELECT " + run_columns + " FROM graph_runs WHERE id = $1 AND ($2 = '' OR owner_id = $2)";
    return one_run(connection_.query(sql, id, owner));
}

Result<std::vector<Run>> RunRows::of_thread(const std::string& thread, const std::string& owner, std::int64_t limit)
{
    static const std::string sql = "SELECT " + run_columns +
                                   " FROM graph_runs WHERE thread_id = $1 AND ($2 = '' OR owner_id = $2) "
                                   "ORDER BY id DESC LIMIT $3";
    return sql::read_all(connection_.query(sql, thread, owner, limit), run_from);
}

Result<Run> RunRows::deciding_run(const std::string& thread, const std::string& owner)
{
    static const std::string sql = "SELECT " + run_columns +
                                   " FROM graph_runs WHERE thread_id = $1 AND ($2 = '' OR owner_id = $2) ORDER BY "
                                   "CASE WHEN status IN ('pending', 'running') THEN 0 ELSE 1 END, "
                                   "COALESCE(ended_at, 0) DESC, id DESC LIMIT 1";
    auto found = one_run(connection_.query(sql, thread, owner));
    if (!found && found.error().code() == Errc::not_found)
        return Error(Errc::not_found, "No such thread.");
    return found;
}

Result<Run> RunRows::stop(const std::string& id, const std::string& owner, Stop how, UnixMillis now)
{
    static const std::string waits = "(status = 'pending' OR (status = 'interrupted' AND $3 = 'cancel'))";
    static const std::string sql = "UPDATE graph_runs SET stop = CASE WHEN status = 'running' THEN $3 ELSE stop END, "
                                   "ended_at = CASE WHEN " +
                                   waits + " THEN $4 ELSE ended_at END, status = CASE WHEN " + waits +
                                   " THEN 'cancelled' ELSE status END WHERE id = $1 AND ($2 = '' OR owner_id = $2) "
                                   "RETURNING " +
                                   run_columns;
    auto run = one_run(connection_.query(sql, id, owner, name_of(how), now));
    if (run && run->status == Status::cancelled && run->ended_at == now)
        if (auto told = tell_end(connection_, *run); !told)
            return told.error();
    return run;
}

Result<std::vector<Run>> RunRows::claim(const Claim& claim)
{
    auto dead = sql::read_all(take(connection_, next_dead, claim, claim.lease_now, claim.limit), run_from);
    if (!dead)
        return dead;
    std::vector<Run> taken;
    for (auto& run : *dead) {
        const auto goes_on = count_crash(run, claim);
        if (!goes_on)
            return goes_on.error();
        if (*goes_on)
            taken.push_back(std::move(run));
    }
    const auto room = claim.limit - static_cast<std::int64_t>(taken.size());
    if (room <= 0)
        return taken;
    auto fresh = begun_from(connection_, take(connection_, next_pending, claim, claim.now, room));
    if (!fresh)
        return fresh;
    for (auto& run : *fresh)
        taken.push_back(std::move(run));
    return taken;
}

// False: it was one too many at the same checkpoint, the run is over.
Result<bool> RunRows::count_crash(Run& run, const Claim& claim)
{
    const auto counted = connection_.query("UPDATE graph_runs SET crashes = CASE WHEN crashed_at = h.id THEN crashes + "
                                           "1 ELSE 1 END, crashed_at = h.id FROM "
                                           "(SELECT COALESCE(MAX(id), '') AS id FROM graph_checkpoints WHERE thread_id "
                                           "= $2) AS h WHERE graph_runs.id = $1 "
                                           "RETURNING crashes",
                                           run.id, run.thread);
    if (!counted)
        return counted.error();
    run.crashes = counted->front().integer(0);
    if (run.crashes < claim.crash_limit)
        return true;
    const auto nodes = Runs::unfinished_nodes_in(connection_, run.thread);
    if (!nodes)
        return nodes.error();
    Ending ending;
    ending.status = Status::error;
    ending.error = recovery_limit_error(run.crashes, "run stood at the same checkpoint", *nodes);
    ending.now = claim.now;
    if (auto ended = finish({run.id, run.epoch}, ending); !ended)
        return ended.error();
    return false;
}

Result<std::vector<Held>> RunRows::renew(const std::string& worker, UnixMillis lease_until)
{
    const auto rows =
        connection_.query("UPDATE graph_runs SET lease_until = $2 WHERE worker = $1 AND status = 'running' "
                          "RETURNING id, epoch, stop",
                          worker, lease_until);
    if (!rows)
        return rows.error();
    std::vector<Held> held;
    for (const auto row : *rows)
        held.push_back({row.text(0), row.integer(1), stop_named(row.text(2))});
    return held;
}

Result<Stop> RunRows::asked_stop(const Fence& fence)
{
    const auto held = connection_.query("UPDATE graph_runs SET stop = stop WHERE id = $1 AND epoch = $2 AND "
                                        "status = 'running' RETURNING stop",
                                        fence.run, fence.epoch);
    if (!held)
        return held.error();
    return held->empty() ? Result<Stop>(lease_lost()) : stop_named(held->front().text(0));
}

Result<bool> RunRows::has_stops(const std::string& worker)
{
    const auto rows = connection_.query(
        "SELECT 1 FROM graph_runs WHERE status = 'running' AND worker = $1 AND stop <> '' LIMIT 1", worker);
    if (!rows)
        return rows.error();
    return !rows->empty();
}

Result<void> RunRows::release(const Fence& fence)
{
    return without_count(connection_.execute("UPDATE graph_runs SET status = 'pending', worker = '', lease_until = 0 "
                                             "WHERE id = $1 AND epoch = $2 AND status = 'running'",
                                             fence.run, fence.epoch));
}

Result<void> RunRows::finish(const Fence& fence, const Ending& ending)
{
    const auto ended =
        connection_.query("UPDATE graph_runs SET status = $3, output = $4, error = $5, ended_at = $6, lease_until = 0 "
                          "WHERE id = $1 AND epoch = $2 AND status = 'running' RETURNING options",
                          fence.run, fence.epoch, name_of(ending.status), maybe_text_of(ending.output),
                          maybe_text_of(ending.error), ending.now);
    if (!ended)
        return ended.error();
    if (ended->empty())
        return lease_lost();
    if (!may_name_webhook(ended->front().text(0)))
        return {};
    const auto run = find(fence.run, "");
    if (!run)
        return run.error();
    return tell_end(connection_, *run);
}

Result<void> RunRows::expire_all(UnixMillis now, const std::string& graphs)
{
    return without_count(
        connection_.execute("UPDATE graph_runs SET lease_until = $1 WHERE status = 'running' AND lease_until > $1 "
                            "AND substr(graph, 1, length($2)) = $2",
                            now - 1, graphs));
}

Result<void> RunRows::start_held(const Run& fresh)
{
    static const std::string sql =
        "INSERT INTO graph_runs (" + run_columns +
        ") VALUES ($1, $2, $3, $4, $5, $6, 'running', $7, $8, 1, $9, 0, '', '', NULL, NULL, $10, $10, NULL)";
    return without_count(connection_.execute(sql, fresh.id, fresh.thread, fresh.owner, fresh.graph,
                                             json_text(fresh.input), dump(fresh.options), fresh.worker, fresh.epoch,
                                             fresh.lease_until, fresh.created_at));
}

Result<void> RunRows::hold(const std::string& worker, const std::vector<std::string>& ids, UnixMillis until)
{
    const auto sql = "UPDATE graph_runs SET lease_until = $2 WHERE worker = $1 AND status = 'running' AND id IN (" +
                     elements_of(connection_, "$3") + ")";
    return without_count(connection_.execute(sql, worker, until, dump(Json(ids))));
}

Result<std::vector<std::string>> RunRows::ended_threads(const std::string& graphs, UnixMillis before,
                                                        std::int64_t limit)
{
    // Ids begin with the time they were made at, so that the primary key finds the old ones.
    std::array<char, 16> oldest_kept{};
    std::snprintf(oldest_kept.data(), oldest_kept.size(), "%08llx-%04llx",
                  static_cast<unsigned long long>(before >> 16), static_cast<unsigned long long>(before & 0xffff));
    const auto rows = connection_.query("SELECT thread_id FROM graph_runs WHERE id < $1 AND "
                                        "substr(graph, 1, length($2)) = $2 AND status NOT IN ('pending', 'running', "
                                        "'interrupted') ORDER BY id LIMIT $3",
                                        oldest_kept.data(), graphs, limit);
    if (!rows)
        return rows.error();
    std::vector<std::string> threads;
    for (const auto row : *rows)
        threads.push_back(row.text(0));
    return threads;
}

Result<store::Listed<RunEvent>> RunRows::events_after(const std::string& run, std::int64_t seq, std::int64_t limit)
{
    static const std::string sql =
        "SELECT seq, ns, mode, data FROM graph_run_events WHERE run_id = $1 AND seq > $2 ORDER BY seq LIMIT $3";
    const std::array<sql::Param, 3> values{run, seq, std::clamp<std::int64_t>(limit, 1, most_events)};
    const auto rows = connection_.query_up_to({store::page_text_bytes, "octet_length(data)", "seq"}, sql, values);
    if (!rows)
        return rows.error();
    store::Listed<RunEvent> events;
    events.cut = rows->cut();
    for (const auto row : *rows)
        events.push_back({row.integer(0), row.text(1), row.text(2), Json::parse(row.text(3))});
    return events;
}

Result<std::int64_t> RunRows::last_seq(const std::string& run)
{
    const auto rows = connection_.query("SELECT COALESCE(MAX(seq), 0) FROM graph_run_events WHERE run_id = $1", run);
    if (!rows)
        return rows.error();
    return rows->front().integer(0);
}

Result<std::int64_t> RunRows::forget_events(UnixMillis before)
{
    return connection_.execute("DELETE FROM graph_run_events WHERE run_id IN (SELECT id FROM graph_runs WHERE "
                               "status NOT IN ('pending', 'running', 'interrupted') AND ended_at < $1)",
                               before);
}

}  // namespace dure::runs
