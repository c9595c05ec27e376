// See recorder.hpp. Rows first, events at the end of the transaction: an append holds the lock of the global order until the commit. What can be made
// before is made on the run's core: the database's thread is the one that all runs wait for.
#include "executions/recorder.hpp"

#include <cmath>

#include "dure/base/json_write.hpp"

#include "executions/end_webhook.hpp"
#include "executions/execution_events.hpp"
#include "executions/execution_rows.hpp"
#include "executions/session_state.hpp"

namespace dure::executions {

namespace {

// A kept result that is announced again was recorded in the write that kept it.
bool tells_steps(const runs::RunEvent& event)
{
    return event.mode == mode_tasks && event.data.contains("steps") && !event.data.value("cached", false);
}

constexpr std::int64_t steps_of_an_event = 1 << 16;  // a task ends its node and those it skips: no flow has as many

// Without what is stored as text only.
Step step_from_told(const Json& told, const runs::RunEvent& event, std::int64_t place)
{
    Step step;
    step.task_id = event.data.at("id").get<std::string>();
    step.node_id = told.at("node_id").get<std::string>();
    step.number = event.seq * steps_of_an_event + place;
    step.step = told.at("step").get<std::int64_t>();
    step.status = told.at("status").get<std::string>();
    step.started_at = parse_rfc3339(told.at("started_at").get<std::string>()).value_or(0);
    step.duration_ms = told.at("duration_ms").get<std::int64_t>();
    step.tokens = told.at("tokens").get<std::int64_t>();
    step.cost_nano = std::llround(told.at("cost").get<double>() * 1e9);
    step.attempts = told.at("attempts").get<std::int64_t>();
    return step;
}

Status status_after(runs::Status ended)
{
    switch (ended) {
    case runs::Status::success: return Status::succeeded;
    case runs::Status::interrupted: return Status::waiting;
    case runs::Status::pending: return Status::queued;
    case runs::Status::cancelled: return Status::cancelled;
    case runs::Status::error:
    case runs::Status::timeout: return Status::failed;
    case runs::Status::running: break;
    }
    throw InvariantBroken("a run ended as running");
}

// Of the questions that are open, the earliest deadline; a question's value names it as "deadline" (Unix milliseconds).
std::optional<UnixMillis> earliest_deadline(const Json& waiting)
{
    std::optional<UnixMillis> earliest;
    for (const auto& question : waiting) {
        const auto& value = question.at("value");
        if (!value.is_object() || !value.contains("deadline") || !value["deadline"].is_number_integer())
            continue;
        const auto deadline = value["deadline"].get<UnixMillis>();
        earliest = earliest ? std::min(*earliest, deadline) : deadline;
    }
    return earliest;
}

Outcome outcome_of(const runs::Ending& ending)
{
    Outcome outcome;
    outcome.status = status_after(ending.status);
    if (outcome.status == Status::succeeded)
        outcome.output = ending.output;
    if (outcome.status == Status::failed)
        outcome.error = ending.error;
    if (outcome.status == Status::waiting && ending.output) {
        outcome.waiting = ending.output->value("waiting", Json::array());
        outcome.wake_at = earliest_deadline(*outcome.waiting);
    }
    return outcome;
}

struct ToldStep {
    Step step;
    StepTexts texts;
    store::NewEvent event;   // its data is a text that lacks the visit
    Json data;               // the same, for who follows the events
};

// What becomes of one write, made again when its transaction was lost.
struct Prepared {
    std::vector<ToldStep> steps;
    std::vector<store::EventToAppend> events;   // until the end of the transaction
    std::vector<model::Event> stored;
    std::size_t first_step = 0;   // of the stored events
    std::vector<std::int64_t> visits;

    Result<void> store(sql::Connection& connection)
    {
        auto appended = store::append_every(connection, std::move(events));
        if (!appended)
            return appended.error();
        stored = std::move(*appended);
        return {};
    }
};

Prepared* prepared_of(const runs::WriteOfRun& what)
{
    const auto* made = std::any_cast<std::shared_ptr<Prepared>>(&what.prepared);
    return made ? made->get() : nullptr;
}

// `at` is of the cause too: a repeat has the same. Ids of one moment lie together, whatever runs they are of.
void name_event(store::NewEvent& event, const std::string& run, UnixMillis at, const std::string& cause)
{
    event.event_id = event_id_for(at, run + "/" + cause);
}

ToldStep told_step_of(const runs::Run& run, const Json& told, const runs::RunEvent& event, std::int64_t place)
{
    ToldStep made;
    made.step = step_from_told(told, event, place);
    made.texts.input = json_text(told.at("input"));
    made.texts.output = json_text(told.at("output"));
    if (const auto& error = told.at("error"); !error.is_null())
        made.texts.error = json_text(error);
    made.data = told;
    made.event = step_ended(run.id, run.owner, made.step.status, Json());
    made.event.data_text = json_text(told);
    name_event(made.event, run.id, made.step.started_at + made.step.duration_ms,
               std::to_string(event.seq) + "/" + made.step.node_id);
    return made;
}

// The rows and events of one write.
class Recording {
public:
    Recording(sql::Connection& connection, const runs::WriteOfRun& what, Prepared& prepared, UnixMillis now)
        : connection_(connection), rows_(connection), what_(what), prepared_(prepared), now_(now)
    {
        prepared_.stored.clear();
        prepared_.visits.clear();
    }

    Result<void> write()
    {
        if (auto begun = begin(); !begun)
            return begun;
        prepared_.first_step = events_.size();
        for (const auto& told : prepared_.steps)
            if (auto put = put_step(told); !put)
                return put;
        if (what_.ending || !touched_)
            if (auto left = what_.ending ? leave() : rows_.touch(what_.run.id, now_); !left)
                return left;
        prepared_.events = std::move(events_);
        return connection_.at_end([&prepared = prepared_](sql::Connection& c) { return prepared.store(c); });
    }

private:
    void add(store::NewEvent event)
    {
        if (event.created_at == 0)
            event.created_at = now_;
        events_.push_back({std::move(event)});
    }
    void add(store::NewEvent event, UnixMillis at, const std::string& cause)
    {
        name_event(event, what_.run.id, at, cause);
        add(std::move(event));
    }

    // The first write under this claim.
    Result<void> begin()
    {
        for (const auto& event : what_.events) {
            if (event.mode != mode_status || event.data.value("status", "") != name_of(Status::running))
                continue;
            const auto started_at = rows_.begin(what_.run.id, now_);
            if (!started_at)
                return started_at.error();
            touched_ = true;
            add(execution_began(what_.run.id, what_.run.owner, *started_at, now_), what_.run.created_at,
                std::to_string(event.seq));
        }
        return {};
    }

    Result<void> put_step(const ToldStep& told)
    {
        const auto visit = what_.ending || touched_
                               ? rows_.put_step(what_.run.id, told.step, told.texts)
                               : rows_.put_step_and_touch(what_.run.id, told.step, told.texts, now_);
        if (!visit)
            return visit.error();
        touched_ = true;
        prepared_.visits.push_back(*visit);
        auto event = told.event;
        event.data_text.back() = ',';   // in place of the closing brace
        event.data_text += "\"visit\":" + std::to_string(*visit) + "}";
        add(std::move(event));
        return {};
    }

    Result<void> leave()
    {
        auto outcome = outcome_of(*what_.ending);
        if (auto state = leave_session_state(rows_, outcome); !state)
            return state;
        if (outcome.status == Status::failed || outcome.status == Status::cancelled)
            if (auto cancelled = cancel_waiting(); !cancelled)
                return cancelled;
        const auto execution = rows_.leave(what_.run.id, outcome, now_);
        if (!execution)
            return execution.error();
        add(execution_left(*execution, outcome, now_, {}), now_, "end of " + std::to_string(what_.run.epoch));
        return tell_webhook(connection_, *execution, now_);
    }

    Result<void> cancel_waiting()
    {
        auto cancelled = rows_.cancel_waiting_steps(what_.run.id);
        if (!cancelled)
            return cancelled.error();
        for (auto& step : *cancelled) {
            const auto cause = "cancelled " + std::to_string(what_.run.epoch) + "/" + step.task_id;
            add(step_ended(what_.run.id, what_.run.owner, std::move(step)), now_, cause);
        }
        return {};
    }

    sql::Connection& connection_;
    ExecutionRows rows_;
    const runs::WriteOfRun& what_;
    Prepared& prepared_;
    const UnixMillis now_;
    std::vector<store::EventToAppend> events_;
    bool touched_ = false;   // the execution's row, by something else that was written
};

}  // namespace

Json told_step(Step step)
{
    auto told = to_json(std::move(step));
    told.erase("visit");  // counted when it is stored
    return told;
}

bool Recorder::has_extra(const runs::WriteOfRun& what)
{
    return what.ending || std::any_of(what.events.begin(), what.events.end(), [](const runs::RunEvent& event) {
               return event.mode == mode_status || tells_steps(event);
           });
}

std::any Recorder::prepare(const runs::WriteOfRun& what)
{
    auto prepared = std::make_shared<Prepared>();
    for (const auto& event : what.events) {
        if (!tells_steps(event))
            continue;
        std::int64_t place = 0;
        for (const auto& told : event.data["steps"])
            prepared->steps.push_back(told_step_of(what.run, told, event, place++));
    }
    return prepared;
}

Result<void> Recorder::write(sql::Connection& connection, const runs::WriteOfRun& what)
{
    return Recording(connection, what, *prepared_of(what), what.ending ? what.ending->now : clock_.now()).write();
}

void Recorder::committed(const runs::WriteOfRun& what)
{
    auto* prepared = prepared_of(what);
    if (prepared == nullptr || prepared->stored.empty())
        return;
    for (std::size_t i = 0; i < prepared->steps.size(); ++i) {
        auto& data = prepared->stored[prepared->first_step + i].data;
        data = std::move(prepared->steps[i].data);
        data["visit"] = prepared->visits[i];
    }
    bus_.publish(std::move(prepared->stored));
}

}  // namespace dure::executions
