// See recorder.hpp. Rows first, events last: an append holds the lock of the global order until the commit.
#include "executions/recorder.hpp"

#include <cmath>

#include "executions/end_webhook.hpp"
#include "executions/execution_events.hpp"
#include "executions/execution_rows.hpp"

namespace dure::executions {

namespace {

bool tells_steps(const runs::RunEvent& event)
{
    return event.mode == mode_tasks && event.data.contains("steps");
}

constexpr std::int64_t steps_of_an_event = 1 << 16;  // a task ends its node and those it skips: no flow has as many

Step step_from_told(const Json& told, const runs::RunEvent& event, std::int64_t place)
{
    Step step;
    step.task_id = event.data.at("id").get<std::string>();
    step.node_id = told.at("node_id").get<std::string>();
    step.number = event.seq * steps_of_an_event + place;
    step.step = told.at("step").get<std::int64_t>();
    step.status = told.at("status").get<std::string>();
    step.input = told.at("input");
    step.output = told.at("output");
    if (const auto& error = told.at("error"); !error.is_null())
        step.error = error;
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

// The rows and events of one write.
class Recording {
public:
    Recording(sql::Connection& connection, const runs::WriteOfRun& what, UnixMillis now)
        : connection_(connection), rows_(connection), what_(what), now_(now)
    {}

    Result<void> write()
    {
        if (auto begun = begin(); !begun)
            return begun;
        for (const auto& event : what_.events)
            if (tells_steps(event))
                if (auto put = put_steps(event); !put)
                    return put;
        if (!what_.ending)
            return rows_.touch(what_.run.id, now_);
        return leave();
    }

    std::vector<store::NewEvent> take_events() { return std::move(events_); }

private:
    void add(store::NewEvent event, const std::string& cause)
    {
        event.event_id = event_id_for(what_.run.created_at, what_.run.id + "/" + cause);
        if (event.created_at == 0)
            event.created_at = now_;
        events_.push_back(std::move(event));
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
            add(execution_began(what_.run.id, what_.run.owner, *started_at, now_), std::to_string(event.seq));
        }
        return {};
    }

    Result<void> put_steps(const runs::RunEvent& event)
    {
        std::int64_t place = 0;
        for (const auto& told : event.data["steps"]) {
            auto step = step_from_told(told, event, place++);
            auto visit = rows_.put_step(what_.run.id, step);
            if (!visit)
                return visit.error();
            step.visit = *visit;
            add(step_ended(what_.run.id, what_.run.owner, step), std::to_string(event.seq) + "/" + step.node_id);
        }
        return {};
    }

    Result<void> leave()
    {
        const auto outcome = outcome_of(*what_.ending);
        if (auto left = rows_.leave(what_.run.id, outcome, now_); !left)
            return left;
        const auto execution = rows_.find(what_.run.id, "");
        if (!execution)
            return execution.error();
        add(execution_left(*execution, outcome, now_, {}), "end of " + std::to_string(what_.run.epoch));
        return tell_webhook(connection_, *execution, now_);
    }

    sql::Connection& connection_;
    ExecutionRows rows_;
    const runs::WriteOfRun& what_;
    const UnixMillis now_;
    std::vector<store::NewEvent> events_;
};

}  // namespace

Json told_step(const Step& step)
{
    auto told = to_json(step);
    told.erase("visit");  // counted when it is stored
    return told;
}

bool Recorder::has_extra(const runs::WriteOfRun& what)
{
    return what.ending || std::any_of(what.events.begin(), what.events.end(), [](const runs::RunEvent& event) {
               return event.mode == mode_status || tells_steps(event);
           });
}

Result<void> Recorder::write(sql::Connection& connection, const runs::WriteOfRun& what)
{
    Recording recording(connection, what, what.ending ? what.ending->now : clock_.now());
    if (auto written = recording.write(); !written)
        return written;
    std::vector<model::Event> stored;
    for (const auto& event : recording.take_events()) {
        auto one = store::Events(connection).append(event);
        if (!one)
            return one.error();
        stored.push_back(std::move(*one));
    }
    const std::lock_guard lock(guard_);
    stored_[what.run.id] = std::move(stored);
    return {};
}

void Recorder::committed(const runs::WriteOfRun& what)
{
    std::vector<model::Event> stored;
    {
        const std::lock_guard lock(guard_);
        if (const auto found = stored_.find(what.run.id); found != stored_.end()) {
            stored = std::move(found->second);
            stored_.erase(found);
        }
    }
    if (!stored.empty())
        bus_.publish(std::move(stored));
}

}  // namespace dure::executions
