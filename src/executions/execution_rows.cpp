// See execution_rows.hpp.
#include "executions/execution_rows.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <tuple>

#include "dure/executions/flow_chat.hpp"
#include "dure/sql/outcomes.hpp"

namespace dure::executions {

namespace {

const std::string stored_columns =
    "id, owner_id, flow_id, flow_slug, flow_version, flow_type, pins, status, user_label, session_id, message, inputs, "
    "facts, output, error, waiting, limits, idempotency_key, request_hash, forked_from, forked_step, created_at, "
    "started_at, ended_at, updated_at, active_since, active_ms, wake_at, crashes, crashed_at, "
    "rights, retries, webhook";
const std::string whole_columns =
    stored_columns +
    // PostgreSQL sums whole numbers as NUMERIC.
    ", CAST((SELECT COALESCE(SUM(tokens), 0) FROM execution_steps s WHERE s.execution_id = executions.id) AS BIGINT) "
    "AS "
    "tokens, CAST((SELECT COALESCE(SUM(cost_nano), 0) FROM execution_steps s WHERE s.execution_id = executions.id) AS "
    "BIGINT) AS cost_nano, (SELECT COUNT(*) FROM execution_steps s WHERE s.execution_id = executions.id) AS steps";
const std::string select_executions = "SELECT " + whole_columns + " FROM executions";

// "…, pins, …" -> "…, '{}' AS pins, …"
std::string with_constants(std::string columns, std::initializer_list<std::pair<std::string, std::string>> constants)
{
    for (const auto& [name, constant] : constants)
        columns.replace(columns.find(", " + name + ",") + 2, name.size(), constant + " AS " + name);
    return columns;
}

// Of a list: nobody is told what it was pinned to and what else was known. And of one whose texts are full.
const std::string listed_columns = with_constants(whole_columns, {{"pins", "'{}'"}, {"facts", "'{}'"}});
const std::string abridged_columns = with_constants(
    listed_columns, {{"message", "''"}, {"inputs", "'{}'"}, {"output", "NULL"}, {"waiting", "NULL"}});
constexpr sql::TextBound page_of_executions{
    store::page_text_bytes,
    "octet_length(message) + octet_length(inputs) + COALESCE(octet_length(output), 0) + "
    "COALESCE(octet_length(error), 0) + COALESCE(octet_length(waiting), 0)",
    "id DESC"};

const std::string step_columns =
    "task_id, node_id, number, visit, step, status, input, output, error, started_at, duration_ms, tokens, cost_nano, attempts";
const std::string abridged_step_columns = with_constants(step_columns, {{"input", "'null'"}, {"output", "'null'"}});
constexpr sql::TextBound bound_of_steps{store::page_text_bytes, "octet_length(input) + octet_length(output)",
                                        "number, node_id"};
const std::string steps_of_one = " FROM execution_steps WHERE execution_id = $1 ORDER BY number, node_id";

constexpr std::int64_t touch_interval = 1000;  // ms
constexpr std::string_view execution_word = "execution";

std::string touch_sql(const std::string& now, const std::string& latest)
{
    return "UPDATE executions SET updated_at = " + now + " WHERE id = $1 AND updated_at <= " + latest;
}

std::optional<Json> stored_json(const sql::Row& row, std::string_view column)
{
    const auto text = row.maybe_text(column);
    return text ? std::optional(Json::parse(*text)) : std::nullopt;
}

std::optional<std::string> maybe_text_of(const std::optional<Json>& json)
{
    return json ? std::optional(dump(*json)) : std::nullopt;
}

std::string rights_text(const std::optional<flows::Rights>& rights)
{
    return rights ? dump(flows::to_json(*rights)) : std::string();
}

Execution execution_from(const sql::Row& row)
{
    Execution execution;
    execution.id = row.text("id");
    execution.owner_id = row.text("owner_id");
    execution.flow_id = row.text("flow_id");
    execution.flow_slug = row.text("flow_slug");
    execution.flow_version = row.integer("flow_version");
    execution.flow_type = row.text("flow_type");
    execution.pins = Json::parse(row.text("pins"));
    execution.status = status_named(row.text("status")).value();
    execution.user_label = row.text("user_label");
    execution.session_id = row.text("session_id");
    execution.message = row.text("message");
    execution.inputs = Json::parse(row.text("inputs"));
    execution.facts = Json::parse(row.text("facts"));
    execution.output = stored_json(row, "output");
    execution.error = stored_json(row, "error");
    execution.waiting = stored_json(row, "waiting");
    execution.limits = limits_from(Json::parse(row.text("limits")));
    execution.idempotency_key = row.maybe_text("idempotency_key");
    execution.request_hash = row.text("request_hash");
    execution.forked_from = row.maybe_text("forked_from");
    execution.forked_step = row.maybe_integer("forked_step");
    execution.created_at = row.integer("created_at");
    execution.started_at = row.maybe_integer("started_at");
    execution.ended_at = row.maybe_integer("ended_at");
    execution.updated_at = row.integer("updated_at");
    execution.active_since = row.maybe_integer("active_since");
    execution.active_ms = row.integer("active_ms");
    execution.wake_at = row.maybe_integer("wake_at");
    execution.crashes = row.integer("crashes");
    execution.crashed_at = row.integer("crashed_at");
    if (const auto rights = row.text("rights"); !rights.empty())
        execution.rights = flows::rights_from(Json::parse(rights));
    execution.retries = row.integer("retries");
    execution.webhook = row.text("webhook");
    execution.steps = row.integer("steps");
    execution.tokens = row.integer("tokens");
    execution.cost_nano = row.integer("cost_nano");
    return execution;
}

Result<Execution> one_execution(const Result<sql::Rows>& rows)
{
    return sql::read_one(rows, execution_from, execution_word);
}

Result<void> one_change(const Result<std::int64_t>& changed)
{
    return sql::must_change(changed, execution_word);
}

Step step_from(const sql::Row& row)
{
    Step step;
    step.task_id = row.text("task_id");
    step.node_id = row.text("node_id");
    step.number = row.integer("number");
    step.visit = row.integer("visit");
    step.step = row.integer("step");
    step.status = row.text("status");
    step.input = Json::parse(row.text("input"));
    step.output = Json::parse(row.text("output"));
    step.error = stored_json(row, "error");
    step.started_at = row.integer("started_at");
    step.duration_ms = row.integer("duration_ms");
    step.tokens = row.integer("tokens");
    step.cost_nano = row.integer("cost_nano");
    step.attempts = row.integer("attempts");
    return step;
}

}  // namespace

Result<void> ExecutionRows::insert(const Execution& execution)
{
    static const std::string sql = "INSERT INTO executions (" + stored_columns +
                                   ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, "
                                   "$17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33)";
    const auto& e = execution;
    const auto stored = connection_.execute(
        sql, e.id, e.owner_id, e.flow_id, e.flow_slug, e.flow_version, e.flow_type, dump(e.pins), name_of(e.status),
        e.user_label, e.session_id, e.message, dump(e.inputs), dump(e.facts), maybe_text_of(e.output), maybe_text_of(e.error),
        maybe_text_of(e.waiting), dump(to_json(e.limits)), e.idempotency_key, e.request_hash, e.forked_from, e.forked_step,
        e.created_at, e.started_at, e.ended_at, e.updated_at, e.active_since, e.active_ms, e.wake_at, e.crashes,
        e.crashed_at, rights_text(e.rights), e.retries, e.webhook);
    if (!stored)
        return stored.error();
    return {};
}

Result<Execution> ExecutionRows::find(const std::string& id, const std::string& owner)
{
    static const std::string sql = select_executions + " WHERE id = $1 AND ($2 = '' OR owner_id = $2)";
    return one_execution(connection_.query(sql, id, owner));
}

Result<Execution> ExecutionRows::find_for_update(const std::string& id, const std::string& owner)
{
    static const std::string sql = select_executions + " WHERE id = $1 AND ($2 = '' OR owner_id = $2)";
    static const std::string locking = sql + " FOR UPDATE";
    const bool locks = connection_.dialect() == sql::Dialect::postgres;
    return one_execution(connection_.query(locks ? locking : sql, id, owner));
}

Result<std::optional<Execution>> ExecutionRows::find_by_key(const std::string& owner, const std::string& flow,
                                                            const std::string& key)
{
    static const std::string sql = select_executions + " WHERE owner_id = $1 AND flow_id = $2 AND idempotency_key = $3";
    auto found = sql::read_all(connection_.query(sql, owner, flow, key), execution_from);
    if (!found)
        return found.error();
    if (found->empty())
        return std::optional<Execution>();
    return std::optional(std::move(found->front()));
}

Result<LeftState> ExecutionRows::session_state(const SessionPlace& place)
{
    const auto rows = connection_.query("SELECT output, flow_version, session_turn FROM executions WHERE flow_id = $1 AND "
                                        "owner_id = $2 AND session_id = $3 AND session_id <> '' AND status = 'succeeded' "
                                        "ORDER BY session_turn DESC, id DESC LIMIT 1",
                                        place.flow_id, place.owner_id, place.session_id);
    if (!rows)
        return rows.error();
    const auto output = rows->empty() ? std::nullopt : rows->front().maybe_text("output");
    if (!output)
        return LeftState();
    return LeftState{Json::parse(*output).value("session_state", Json::object()), rows->front().integer("flow_version"),
                     rows->front().integer("session_turn")};
}

Result<void> ExecutionRows::hold_session(const SessionPlace& place)
{
    if (connection_.dialect() == sql::Dialect::sqlite)  // one unit writes at a time
        return {};
    const auto held = connection_.query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))::text AS held",
                                        "session state " + place.flow_id + " " + place.owner_id + " " + place.session_id);
    if (!held)
        return held.error();
    return {};
}

// A text of its own for each set of filters: each finds its index.
Result<Page> ExecutionRows::list(const std::string& owner, const Filter& filter)
{
    std::string condition = " WHERE owner_id = $1";
    std::vector<sql::Param> values{owner};
    const std::string status(filter.status ? name_of(*filter.status) : "");
    const auto add = [&](const char* column, const std::string& value) {
        if (value.empty())
            return;
        values.emplace_back(value);
        condition += std::string(" AND ") + column + " = $" + std::to_string(values.size());
    };
    add("flow_id", filter.flow_id);
    add("status", status);
    if (filter.models) {
        std::string places;
        for (const auto& model : *filter.models) {
            if (!model.starts_with(flow_model_prefix))
                continue;
            values.emplace_back(std::string_view(model).substr(flow_model_prefix.size()));
            places += (places.empty() ? "$" : ", $") + std::to_string(values.size());
        }
        if (places.empty())
            return Page();
        condition += " AND flow_slug IN (" + places + ")";
    }
    const auto counted = connection_.query_with("SELECT COUNT(*) FROM executions" + condition, values);
    if (!counted)
        return counted.error();
    const auto size = std::clamp<std::int64_t>(filter.page_size, 1, 100);
    const auto before = (std::clamp<std::int64_t>(filter.page, 1, std::int64_t{1} << 40) - 1) * size;
    values.emplace_back(size);
    values.emplace_back(before);
    const auto behind = " FROM executions" + condition + " ORDER BY id DESC LIMIT $" +
                        std::to_string(values.size() - 1) + " OFFSET $" + std::to_string(values.size());
    const auto rows = connection_.query_up_to(page_of_executions, "SELECT " + listed_columns + behind, values);
    auto executions = sql::read_all(rows, execution_from);
    if (!executions)
        return executions.error();
    Page page{std::move(*executions), counted->front().integer(0)};
    if (!rows->cut())
        return page;
    const auto told = std::ssize(page.executions);
    values[values.size() - 2] = size - told;
    values.back() = before + told;
    auto others = sql::read_all(connection_.query_with("SELECT " + abridged_columns + behind, values), execution_from);
    if (!others)
        return others.error();
    for (auto& execution : *others) {
        execution.abridged = true;
        page.executions.push_back(std::move(execution));
    }
    return page;
}

Result<std::int64_t> ExecutionRows::queued(const std::string& owner, std::int64_t most)
{
    const auto counted =
        connection_.query("SELECT COUNT(*) FROM (SELECT 1 FROM executions WHERE owner_id = $1 AND status = "
                          "'queued' LIMIT $2) AS open_ones",
                          owner, most);
    if (!counted)
        return counted.error();
    return counted->front().integer(0);
}

Result<std::vector<Step>> ExecutionRows::steps(const std::string& id)
{
    static const std::string sql = "SELECT " + step_columns + steps_of_one;
    return sql::read_all(connection_.query(sql, id), step_from);
}

Result<std::vector<Step>> ExecutionRows::cancel_waiting_steps(const std::string& id)
{
    static const std::string sql = "UPDATE execution_steps SET status = 'cancelled' WHERE execution_id = $1 AND "
                                   "status = 'waiting' RETURNING " + step_columns;
    auto cancelled = sql::read_all(connection_.query(sql, id), step_from);
    if (cancelled)
        std::ranges::sort(*cancelled, {}, [](const Step& step) { return std::tie(step.number, step.node_id); });
    return cancelled;
}

Result<std::vector<Step>> ExecutionRows::steps_to_show(const std::string& id)
{
    static const std::string whole_ones = "SELECT " + step_columns + steps_of_one;
    static const std::string others = "SELECT " + abridged_step_columns + steps_of_one + " LIMIT $2 OFFSET $3";
    const std::array<sql::Param, 1> value{id};
    const auto rows = connection_.query_up_to(bound_of_steps, whole_ones, value);
    auto steps = sql::read_all(rows, step_from);
    if (!steps || !rows->cut())
        return steps;
    auto abridged = sql::read_all(
        connection_.query(others, id, std::numeric_limits<std::int64_t>::max(), std::ssize(*steps)), step_from);
    if (!abridged)
        return abridged;
    for (auto& step : *abridged) {
        step.abridged = true;
        steps->push_back(std::move(step));
    }
    return steps;
}

Result<UnixMillis> ExecutionRows::begin(const std::string& id, UnixMillis now)
{
    const auto begun = connection_.query(
        "UPDATE executions SET status = 'running', started_at = COALESCE(started_at, $2), active_since = $2, "
        "active_ms = active_ms + CASE WHEN active_since IS NULL OR updated_at < active_since THEN 0 ELSE updated_at - "
        "active_since END, crashes = CASE WHEN active_since IS NULL THEN crashes WHEN crashed_at = h.steps THEN "
        "crashes + "
        "1 ELSE 1 END, crashed_at = CASE WHEN active_since IS NULL THEN crashed_at ELSE h.steps END, updated_at = $2 "
        "FROM "
        "(SELECT COUNT(*) AS steps FROM execution_steps WHERE execution_id = $1) AS h WHERE id = $1 RETURNING "
        "started_at",
        id, now);
    if (!begun)
        return begun.error();
    if (begun->empty())
        return sql::missing(execution_word);
    return begun->front().integer(0);
}

Result<void> ExecutionRows::touch(const std::string& id, UnixMillis now)
{
    static const std::string sql = touch_sql("$2", "$3");
    const auto touched = connection_.execute(sql, id, now, now - touch_interval);
    if (!touched)
        return touched.error();
    return {};
}

Result<std::int64_t> ExecutionRows::put_step(const std::string& id, const Step& step)
{
    return put_step(id, step, {dump(step.input), dump(step.output), maybe_text_of(step.error)});
}

Result<std::int64_t> ExecutionRows::put_step(const std::string& id, const Step& step, const StepTexts& texts)
{
    return store_step(id, step, texts, std::nullopt);
}

Result<std::int64_t> ExecutionRows::put_step_and_touch(const std::string& id, const Step& step, const StepTexts& texts,
                                                       UnixMillis now)
{
    if (connection_.dialect() == sql::Dialect::postgres)
        return store_step(id, step, texts, now);
    auto visit = store_step(id, step, texts, std::nullopt);
    if (auto touched = touch(id, now); visit && !touched)
        return touched.error();
    return visit;
}

// SQLite has one writer: the visit is read first, since what it returns of an insert it keeps in a table of its own meanwhile.
Result<std::int64_t> ExecutionRows::store_step(const std::string& id, const Step& step, const StepTexts& texts,
                                               std::optional<UnixMillis> touched_at)
{
    static const std::string begin =
        "INSERT INTO execution_steps (execution_id, task_id, node_id, number, visit, step, status, input, output, error, "
        "started_at, duration_ms, tokens, cost_nano, attempts) VALUES ($1, $2, $3, $4, ";
    static const std::string end =
        ", $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) "
        "ON CONFLICT (execution_id, node_id, task_id) DO UPDATE SET status = excluded.status, input = excluded.input, "
        "output = excluded.output, error = excluded.error, started_at = excluded.started_at, "
        "duration_ms = excluded.duration_ms, tokens = excluded.tokens, cost_nano = excluded.cost_nano, "
        "attempts = excluded.attempts";
    static const std::string next = "(SELECT COALESCE(MAX(visit), 0) + 1 FROM execution_steps WHERE execution_id = $1 AND node_id = ";
    if (connection_.dialect() == sql::Dialect::sqlite) {
        static const std::string known =
            "SELECT COALESCE((SELECT visit FROM execution_steps WHERE execution_id = $1 AND node_id = $2 AND task_id = $3), " +
            next + "$2))";
        static const std::string insert = begin + "$15" + end;
        const auto found = connection_.query(known, id, step.node_id, step.task_id);
        if (!found)
            return found.error();
        const auto visit = found->front().integer(0);
        const auto stored = connection_.execute(insert, id, step.task_id, step.node_id, step.number, step.step, step.status,
                                                texts.input, texts.output, texts.error, step.started_at, step.duration_ms,
                                                step.tokens, step.cost_nano, step.attempts, visit);
        if (!stored)
            return stored.error();
        return visit;
    }
    static const std::string insert = begin + next + "$3)" + end + " RETURNING visit";
    static const std::string insert_and_touch = "WITH touched AS (" + touch_sql("$15", "$16") + ") " + insert;
    const std::array<sql::Param, 16> values{
        id,         step.task_id,     step.node_id,     step.number,      step.step,   step.status,    texts.input,   texts.output,
        texts.error, step.started_at, step.duration_ms, step.tokens, step.cost_nano, step.attempts, touched_at,
        touched_at.value_or(0) - touch_interval};
    const auto stored = touched_at ? connection_.query_with(insert_and_touch, values)
                                   : connection_.query_with(insert, std::span(values).first(14));
    if (!stored)
        return stored.error();
    return stored->front().integer(0);
}

Result<Execution> ExecutionRows::leave(const std::string& id, const Outcome& outcome, UnixMillis now)
{
    static const std::string sql =
        // Parked by a stop, it keeps the questions that are still open beside the one that was answered.
        "UPDATE executions SET status = $2, output = $3, error = $4, "
        "waiting = CASE WHEN $2 = 'queued' THEN waiting ELSE $5 END, wake_at = $6, ended_at = $7, "
        "active_ms = active_ms + CASE WHEN active_since IS NULL OR $8 < active_since THEN 0 ELSE $8 - active_since "
        "END, "
        "active_since = NULL, updated_at = $8, session_turn = $9 WHERE id = $1";
    static const std::string and_give = sql + " RETURNING " + whole_columns;
    const auto output = maybe_text_of(outcome.output), error = maybe_text_of(outcome.error),
               waiting = maybe_text_of(outcome.waiting);
    const auto ended_at = has_ended(outcome.status) ? std::optional(now) : std::nullopt;
    if (connection_.dialect() == sql::Dialect::postgres)
        return one_execution(connection_.query(and_give, id, name_of(outcome.status), output, error, waiting,
                                               outcome.wake_at, ended_at, now, outcome.session_turn));
    if (auto left = one_change(connection_.execute(sql, id, name_of(outcome.status), output, error, waiting,
                                                   outcome.wake_at, ended_at, now, outcome.session_turn));
        !left)
        return left.error();
    return find(id, "");
}

Result<void> ExecutionRows::queue_again(const std::string& id, UnixMillis now, const std::optional<Json>& still_asked)
{
    return one_change(connection_.execute(
        "UPDATE executions SET status = 'queued', output = NULL, error = NULL, waiting = $3, wake_at = NULL, "
        "ended_at = NULL, active_since = NULL, crashes = 0, crashed_at = 0, updated_at = $2 WHERE id = $1",
        id, now, still_asked ? std::optional(dump(*still_asked)) : std::nullopt));
}

Result<void> ExecutionRows::queue_afresh(const std::string& id, const std::optional<flows::Rights>& rights,
                                         UnixMillis now)
{
    if (auto queued = queue_again(id, now); !queued)
        return queued;
    return one_change(
        connection_.execute("UPDATE executions SET active_ms = 0, retries = retries + 1, rights = $2 WHERE id = $1", id,
                            rights_text(rights)));
}

Result<std::vector<Execution>> ExecutionRows::to_wake(UnixMillis now, std::int64_t limit)
{
    static const std::string sql =
        select_executions + " WHERE wake_at IS NOT NULL AND wake_at <= $1 ORDER BY wake_at LIMIT $2";
    return sql::read_all(connection_.query(sql, now, limit), execution_from);
}

Result<std::vector<std::string>> ExecutionRows::forget(UnixMillis ended_before, std::int64_t limit)
{
    const auto gone =
        connection_.query("DELETE FROM executions WHERE id IN (SELECT id FROM executions WHERE ended_at IS NOT "
                          "NULL AND ended_at < $1 ORDER BY ended_at LIMIT $2) RETURNING id",
                          ended_before, limit);
    if (!gone)
        return gone.error();
    std::vector<std::string> ids;
    for (const auto row : *gone) {
        ids.push_back(row.text(0));
        if (auto steps = connection_.execute("DELETE FROM execution_steps WHERE execution_id = $1", ids.back()); !steps)
            return steps.error();
    }
    return ids;
}

}  // namespace dure::executions
