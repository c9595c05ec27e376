// ExecutionService::look_after(): what nobody asks for. Every replica may do it; what one has done the others find done.
#include "executions/end_webhook.hpp"
#include "executions/execution_events.hpp"
#include "executions/execution_rows.hpp"
#include "executions/open_steps.hpp"
#include "executions/service_state.hpp"

namespace dure::executions {

namespace {

constexpr std::int64_t upkeep_batch = 100;

// A run that ended without its worker (RECOVERY_LIMIT at a claim): the execution follows it.
Result<std::vector<std::string>> given_up(sql::Connection& connection)
{
    // In the order of the index of those: without it SQLite reads the keys of all executions.
    const auto rows = connection.query("SELECT e.id FROM executions e JOIN graph_runs r ON r.id = e.id "
                                       "WHERE e.status IN ('queued', 'running') AND r.status IN ('error', 'cancelled') "
                                       "ORDER BY e.id LIMIT $1",
                                       upkeep_batch);
    if (!rows)
        return rows.error();
    std::vector<std::string> found;
    for (const auto row : *rows)
        found.push_back(row.text("id"));
    return found;
}

// How such a run ended; nothing: it goes on, somebody has set it going again.
Result<std::optional<Outcome>> outcome_without_worker(sql::Connection& connection, const std::string& id)
{
    const auto rows = connection.query(
        "SELECT status, error FROM graph_runs WHERE id = $1 AND status IN ('error', 'cancelled')", id);
    if (!rows)
        return rows.error();
    if (rows->empty())
        return std::optional<Outcome>();
    Outcome outcome;
    outcome.status = rows->front().text("status") == "cancelled" ? Status::cancelled : Status::failed;
    if (const auto error = rows->front().maybe_text("error"); error && outcome.status == Status::failed)
        outcome.error = Json::parse(*error);
    return std::optional(std::move(outcome));
}

bool is_late(const Json& question, UnixMillis now)
{
    const auto& value = question.at("value");
    return value.is_object() && value.contains("deadline") && value["deadline"].is_number_integer() &&
           value["deadline"].get<UnixMillis>() <= now;
}

}  // namespace

Task<void> ExecutionService::look_after()
{
    co_await state_->wake_late_ones();
    co_await state_->end_given_up_ones();
    co_await state_->forget_old_ones();
}

Task<void> ExecutionService::State::wake_late_ones()
{
    const auto now = parts.clock.now();
    const auto late =
        co_await parts.database.read_statement([now](sql::Connection& c) { return ExecutionRows(c).to_wake(now, upkeep_batch); });
    if (!late) {
        if (!parts.database.is_away())  // that was told once
            parts.logger.warn("executions whose time is over could not be read", {{"cause", late.error().detail()}});
        co_return;
    }
    for (const auto& execution : *late)
        for (const auto& question : execution.waiting.value_or(Json::array())) {
            if (!is_late(question, now))
                continue;
            const auto woken = co_await answer(execution.id, execution.owner_id, question, Json{{"timeout", true}}, {});
            if (!woken && woken.error().code() != Errc::conflict)  // answered meanwhile
                parts.logger.warn("an execution whose time is over could not go on",
                                  {{"execution", execution.id}, {"cause", woken.error().detail()}});
            break;  // the others are asked again when it waits again
        }
}

Task<void> ExecutionService::State::end_given_up_ones()
{
    const auto found = co_await parts.database.read_statement(given_up);
    if (!found)
        co_return;
    for (const auto& id : *found) {
        const auto now = parts.clock.now();
        const auto ended = co_await parts.journal.write([&](sql::Connection& c, events::Batch& batch) -> Result<void> {
            ExecutionRows rows(c);
            const auto execution = rows.find_for_update(id, "");
            if (!execution)
                return execution.error();
            if (execution->status != Status::queued && execution->status != Status::running)
                return {};
            const auto outcome = outcome_without_worker(c, id);
            if (!outcome)
                return outcome.error();
            if (!*outcome)
                return {};
            if (auto cancelled = cancel_waiting_steps(rows, *execution, batch); !cancelled)
                return cancelled.error();
            const auto now_ended = rows.leave(id, **outcome, now);
            if (!now_ended)
                return now_ended.error();
            batch.add(execution_left(*execution, **outcome, now, {}));
            return tell_webhook(c, *now_ended, now);
        });
        if (!ended)
            parts.logger.warn("an execution could not be ended",
                              {{"execution", id}, {"cause", ended.error().detail()}});
    }
}

Task<void> ExecutionService::State::forget_old_ones()
{
    const auto before = parts.clock.now() - parts.settings.executions.retention.count();
    const auto forgotten = co_await parts.database.write([before](sql::Connection& c) -> Result<std::size_t> {
        const auto gone = ExecutionRows(c).forget(before, upkeep_batch);
        if (!gone)
            return gone.error();
        for (const auto& id : *gone)
            if (auto removed = runs::Runs::remove_in(c, id); !removed)
                return removed.error();
        return gone->size();
    });
    if (!forgotten && !parts.database.is_away())
        parts.logger.warn("old executions could not be removed", {{"cause", forgotten.error().detail()}});
}

}  // namespace dure::executions
