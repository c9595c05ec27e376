// See service.hpp: starting, looking at and ending executions. What changes the course of one that stands (resume, retry,
// fork) is in course.cpp.
#include "dure/executions/service.hpp"

#include <boost/asio/this_coro.hpp>

#include "dure/flows/inputs.hpp"

#include "executions/body.hpp"
#include "executions/end_webhook.hpp"
#include "executions/execution_events.hpp"
#include "executions/execution_rows.hpp"
#include "executions/limits.hpp"
#include "executions/open_steps.hpp"
#include "executions/pins.hpp"
#include "executions/service_state.hpp"
#include "executions/session_state.hpp"

namespace dure::executions {

namespace {

Error key_reused()
{
    return Error(Errc::conflict, "This Idempotency-Key came with another request before.")
        .reason("idempotency_key_reused");
}

// Nothing works on it until somebody says so.
bool rests(Status status)
{
    return has_ended(status) || status == Status::waiting;
}

// The execution of a request that was answered before.
Result<std::optional<Started>> known_start(ExecutionRows& rows, const Execution& fresh)
{
    if (!fresh.idempotency_key)
        return std::optional<Started>();
    auto known = rows.find_by_key(fresh.owner_id, fresh.flow_id, *fresh.idempotency_key);
    if (!known)
        return known.error();
    if (!*known)
        return std::optional<Started>();
    if ((*known)->request_hash != fresh.request_hash)
        return key_reused();
    return std::optional(Started{std::move(**known), true});
}

Execution fresh_execution(const Caller& caller, const StartRequest& request, const RunnableFlow& flow, UnixMillis now)
{
    Execution fresh;
    fresh.id = new_id();
    fresh.owner_id = caller.user_id;
    fresh.rights = flows::Rights{caller.permissions, caller.models, {caller.by.key_id, caller.key_limits}};
    fresh.flow_id = flow.id;
    fresh.flow_slug = flow.slug;
    fresh.flow_type = flows::name_of(flow.document->flow_type);
    fresh.flow_version = flow.version;
    fresh.user_label = request.user_label;
    fresh.session_id = request.session_id;
    fresh.message = request.message;
    if (!request.idempotency_key.empty())
        fresh.idempotency_key = request.idempotency_key;
    fresh.request_hash = request.request_hash;
    fresh.webhook = request.webhook;
    fresh.created_at = fresh.updated_at = now;
    return fresh;
}

}  // namespace

void note_actor(Execution& execution, const model::Actor& by)
{
    if (!execution.session_id.empty())
        execution.facts["by"] = Json{{"key_id", by.key_id}, {"request_id", by.request_id}, {"address", by.address}};
}

model::Actor noted_actor(const Execution& execution)
{
    const auto by = execution.facts.value("by", Json::object());   // none: begun by an older version
    const auto noted = [&](const char* name) { return by.value(name, std::string()); };
    return {execution.owner_id, noted("key_id"), noted("request_id"), noted("address")};
}

runs::Run run_of(const Execution& execution, Json input)
{
    runs::Run run;
    run.id = run.thread = execution.id;
    run.owner = execution.owner_id;
    run.graph = std::string(graph_prefix) + execution.flow_id;
    run.input = std::move(input);
    run.options = run_options();
    run.created_at = execution.created_at;
    return run;
}

Result<void> check_queue(ExecutionRows& rows, const std::string& owner)
{
    const auto queued = rows.queued(owner, most_queued);
    if (!queued)
        return queued.error();
    if (*queued < most_queued)
        return {};
    return Error(Errc::rate_limited, "Too many of your executions wait already.")
        .reason("queue_full")
        .retry_after(std::chrono::seconds(5));
}

ExecutionService::ExecutionService(Parts parts) : state_(std::make_unique<State>(std::move(parts))) {}
ExecutionService::~ExecutionService() = default;

const ExecutionService::Parts& ExecutionService::parts() const
{
    return state_->parts;
}

Task<Result<Started>> ExecutionService::start(Caller caller, StartRequest request)
{
    auto& parts = state_->parts;
    if (auto checked = state_->check_webhook(request.webhook); !checked)
        co_return checked.error();
    const auto flow = co_await parts.flows.find(caller, request.flow, request.version);
    if (!flow)
        co_return flow.error();
    auto fresh = fresh_execution(caller, request, *flow, parts.clock.now());
    // Before anything is checked against the flow as it is now: the answer of then stands.
    auto answered = co_await state_->known(fresh);
    if (!answered)
        co_return answered.error();
    if (*answered)
        co_return std::move(**answered);
    if (auto whole = co_await state_->furnish(fresh, caller, request, *flow); !whole)
        co_return whole.error();
    auto started = co_await state_->store(fresh, caller.by);
    if (started && !started->again)
        parts.runs.announce(fresh.id, false, fresh.owner_id);
    co_return started;
}

Task<Result<void>> ExecutionService::State::furnish(Execution& fresh, const Caller& caller, StartRequest& request,
                                                    const RunnableFlow& flow)
{
    auto inputs = flows::check_inputs(*flow.document, request.inputs);
    if (!inputs)
        co_return inputs.error();
    fresh.inputs = std::move(*inputs);
    fresh.limits = limits_of(*flow.document, parts.settings.flows);
    fresh.limits.owner_runs = request.owner_runs;
    auto pins = co_await find_pins(parts.flows, caller, flow, *fresh.rights);
    if (!pins)
        co_return pins.error();
    fresh.pins = std::move(*pins);
    if (auto remembered = co_await remember(fresh, request.turn_key); !remembered)
        co_return remembered.error();
    if (request.history)
        fresh.facts["history"] = std::move(*request.history);
    if (!request.turn_key.empty())
        fresh.facts["turn_key"] = request.turn_key;
    note_actor(fresh, caller.by);
    if (auto known = co_await know_session_state(fresh, *flow.document); !known)
        co_return known.error();
    // Compiled before it is acknowledged: what cannot run is refused, and the worker finds it in the cache.
    const auto compiled = co_await compiled_flow(parts, cache, fresh);
    if (!compiled)
        co_return compiled.error();
    co_return Result<void>();
}

Task<Result<Started>> ExecutionService::State::store(const Execution& fresh, const model::Actor& by)
{
    const auto run = run_of(fresh, Json{{"input", parts.compiler.input(facts_of(fresh))}});
    auto started =
        co_await parts.journal.write_together([&](sql::Connection& c, events::Batch& batch) -> Result<Started> {
            ExecutionRows rows(c);
            auto known = known_start(rows, fresh);
            if (!known)
                return known.error();
            if (*known)
                return std::move(**known);
            if (auto place = check_queue(rows, fresh.owner_id); !place)
                return place.error();
            if (auto queued = runs::Runs::start_in(c, run, runs::Multitask::reject); !queued)
                return queued.error();
            if (auto stored = rows.insert(fresh); !stored)
                return stored.error();
            batch.add(execution_started(fresh, by));
            return Started{fresh, false};
        });
    // Two requests with one key at the same time: the second finds the first's row taken.
    if (!started && started.error().code() == Errc::conflict && fresh.idempotency_key &&
        started.error().reason() != "idempotency_key_reused") {
        auto earlier = co_await known(fresh);
        if (!earlier)
            co_return earlier.error();
        if (*earlier)
            co_return std::move(**earlier);
    }
    co_return started;
}

// State of scope session: as the flow's last run that succeeded in this session left it.
Task<Result<void>> ExecutionService::State::know_session_state(Execution& fresh, const flows::Document& document)
{
    const Json state(document.state);
    if (fresh.session_id.empty() || !has_session_state(state))
        co_return Result<void>();
    const SessionPlace place{fresh.flow_id, fresh.owner_id, fresh.session_id};
    auto left = co_await parts.database.read_statement([&](sql::Connection& c) { return ExecutionRows(c).session_state(place); });
    if (!left)
        co_return left.error();
    fresh.facts["session_turn"] = left->turn;
    if (auto known = session_values(*left, state, fresh.flow_version); !known.empty())
        fresh.facts["session_state"] = std::move(known);
    co_return Result<void>();
}

Task<Result<std::optional<Started>>> ExecutionService::State::known(const Execution& fresh)
{
    if (!fresh.idempotency_key)
        co_return std::optional<Started>();
    co_return co_await parts.database.read_statement([&](sql::Connection& c) {
        ExecutionRows rows(c);
        return known_start(rows, fresh);
    });
}

Task<Result<void>> ExecutionService::State::remember(Execution& fresh, std::string turn_key)
{
    if (fresh.session_id.empty())
        co_return Result<void>();
    const auto no_session = [] { return Error(Errc::not_found, "No such session.").param("session_id"); };
    if (parts.sessions == nullptr)
        co_return no_session();
    auto memory = co_await parts.sessions->read(fresh.owner_id, fresh.session_id);
    if (!memory)
        co_return memory.error();
    const bool again = !turn_key.empty() && turn_key == memory->last_turn_key;   // the last turn is answered anew
    fresh.facts = Json{{"history", std::move(memory->history)}, {"turn", memory->turn - (again ? 1 : 0)}};
    co_return Result<void>();
}

Task<Result<Execution>> ExecutionService::find(std::string id, std::string owner)
{
    co_return co_await state_->parts.database.read_statement(
        [&](sql::Connection& c) { return ExecutionRows(c).find(id, owner); });
}

Task<Result<std::vector<Step>>> ExecutionService::steps(std::string id, std::string owner)
{
    co_return co_await state_->parts.database.read([&](sql::Connection& c) -> Result<std::vector<Step>> {
        ExecutionRows rows(c);
        if (const auto found = rows.find(id, owner); !found)
            return found.error();
        return rows.steps(id);
    });
}

Task<Result<Whole>> ExecutionService::whole(std::string id, std::string owner)
{
    co_return co_await state_->parts.database.read([&](sql::Connection& c) -> Result<Whole> {
        ExecutionRows rows(c);
        auto execution = rows.find(id, owner);
        if (!execution)
            return execution.error();
        auto steps = rows.steps_to_show(id);
        if (!steps)
            return steps.error();
        return Whole{std::move(*execution), std::move(*steps)};
    });
}

Task<Result<Page>> ExecutionService::list(std::string owner, Filter filter)
{
    co_return co_await state_->parts.database.read(
        [&](sql::Connection& c) { return ExecutionRows(c).list(owner, filter); });
}

Task<Result<Execution>> ExecutionService::wait(std::string id, std::string owner, Deadline deadline)
{
    for (;;) {
        const auto run = co_await state_->parts.runs.wait(id, owner, deadline);
        if (!run)
            co_return run.error();
        auto execution = co_await find(id, owner);
        if (!execution || rests(execution->status))
            co_return execution;
        // Between the two reads it was set going again: a question's time was over, or it was answered or retried.
        if (deadline.passed())
            co_return Error(Errc::timeout, "The execution has not ended in time.");
    }
}

Task<Result<Whole>> ExecutionService::wait_whole(std::string id, std::string owner, Deadline deadline)
{
    for (;;) {
        if (const auto rested = co_await wait(id, owner, deadline); !rested)
            co_return rested.error();
        auto found = co_await whole(id, owner);
        if (!found || rests(found->execution.status))
            co_return found;
    }
}

Task<Result<Execution>> ExecutionService::cancel(std::string id, Caller caller)
{
    auto& parts = state_->parts;
    const auto now = parts.clock.now();
    auto cancelled =
        co_await parts.journal.write_together([&](sql::Connection& c, events::Batch& batch) -> Result<Execution> {
            if (caller.models) {
                const auto seen = ExecutionRows(c).find(id, caller.user_id);
                if (!seen)
                    return seen.error();
                if (auto opened = opened_by(caller, *seen); !opened)
                    return opened.error();
            }
            const auto run = runs::Runs::stop_in(c, id, caller.user_id, runs::Stop::cancel, now);
            if (!run)
                return run.error().code() == Errc::not_found ? Error(Errc::not_found, "No such execution.") : run.error();
            ExecutionRows rows(c);
            auto execution = rows.find_for_update(id, caller.user_id);
            if (!execution || execution->status == Status::cancelled)
                return execution;
            if (has_ended(execution->status))
                return Error(Errc::conflict, "The execution has ended already.").reason("already_ended");
            if (run->status !=
                runs::Status::cancelled) {  // its worker is told, and stores the end; who wanted it is said here
                batch.add(execution_cancel_requested(*execution, caller.by));
                return execution;
            }
            if (auto cancelled = cancel_waiting_steps(rows, *execution, batch); !cancelled)
                return cancelled.error();
            Outcome outcome;
            outcome.status = Status::cancelled;
            auto ended = rows.leave(id, outcome, now);
            if (!ended)
                return ended;
            batch.add(execution_left(*execution, outcome, now, caller.by));
            if (auto told = tell_webhook(c, *ended, now); !told)
                return told.error();
            return ended;
        });
    if (cancelled)
        parts.runs.announce(id, true);
    co_return cancelled;
}

Task<Result<LogPage>> ExecutionService::next_page(runs::RunReader& reader, std::string id, std::string owner,
                                                  Steady::time_point until)
{
    LogPage page;
    if (reader.ended()) {
        auto found = co_await find(id, owner);
        if (!found)
            co_return found.error();
        page.at_rest = std::move(*found);
        reader.look_again();
        until = Steady::now();
    }
    auto events = co_await reader.next(until);
    if (!events)
        co_return events.error();
    page.events = std::move(*events);
    if (!page.events.empty() || !reader.ended())
        page.at_rest.reset();
    co_return page;
}

Task<Result<std::unique_ptr<runs::RunReader>>>
ExecutionService::read(std::string id, std::string owner, std::int64_t after, std::vector<std::string> modes)
{
    co_return co_await state_->parts.runs.read(std::move(id), std::move(owner), after, {std::move(modes), true});
}

Task<void> ExecutionService::changed(std::string id, Steady::time_point until)
{
    runs::RunWaiter waiter(state_->parts.runs.streams(), co_await boost::asio::this_coro::executor, id);
    co_await waiter.wait(until);
}

void ExecutionService::close()
{
    state_->closed = true;
}

bool ExecutionService::closed() const
{
    return state_->closed;
}

}  // namespace dure::executions
