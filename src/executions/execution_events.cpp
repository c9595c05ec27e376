// See execution_events.hpp.
#include "executions/execution_events.hpp"

#include "dure/base/text.hpp"

namespace dure::executions {

namespace {

store::NewEvent event_of(const std::string& id, const std::string& owner, std::string type, Json data,
                         const model::Actor& by)
{
    return events::event_by(by, "Execution", id, std::move(type), std::move(data), owner);
}

std::string type_of_step(const std::string& status)
{
    if (status == "failed")
        return "ExecutionStepFailed";
    if (status == "skipped")
        return "ExecutionStepSkipped";
    if (status == "cancelled")
        return "ExecutionStepCancelled";
    return status == "waiting" ? "ExecutionStepWaiting" : "ExecutionStepCompleted";
}

std::string type_of_outcome(Status status)
{
    switch (status) {
    case Status::succeeded: return "ExecutionCompleted";
    case Status::failed: return "ExecutionFailed";
    case Status::cancelled: return "ExecutionCancelled";
    case Status::waiting: return "ExecutionWaiting";
    case Status::queued: return "ExecutionParked";
    case Status::running: break;
    }
    throw InvariantBroken("an execution was left running");
}

Json started_data(const Execution& execution)
{
    auto data = to_json(execution);
    data["steps"] = Json::array();
    return data;
}

}  // namespace

store::NewEvent execution_started(const Execution& execution, const model::Actor& by)
{
    return event_of(execution.id, execution.owner_id, "ExecutionStarted", started_data(execution), by);
}

store::NewEvent execution_forked(const Execution& execution, const std::vector<Step>& steps, const Json& patch,
                                 const model::Actor& by)
{
    auto data = started_data(execution);
    for (const auto& step : steps)
        data["steps"].push_back(to_json(step));
    auto forked = event_of(execution.id, execution.owner_id, "ExecutionForked", std::move(data), by);
    forked.metadata["patch"] = patch;
    return forked;
}

store::NewEvent execution_began(const std::string& id, const std::string& owner, UnixMillis started_at, UnixMillis now)
{
    auto began = event_of(id, owner, "ExecutionBegan",
                          Json{{"status", name_of(Status::running)}, {"started_at", rfc3339(started_at)}}, {});
    began.created_at = now;
    return began;
}

store::NewEvent step_ended(const std::string& id, const std::string& owner, std::string status, Json step)
{
    return event_of(id, owner, type_of_step(status), std::move(step), {});
}

store::NewEvent step_ended(const std::string& id, const std::string& owner, Step step)
{
    auto status = step.status;
    return step_ended(id, owner, std::move(status), to_json(std::move(step)));
}

store::NewEvent execution_left(const Execution& execution, const Outcome& outcome, UnixMillis now,
                               const model::Actor& by)
{
    auto after = execution;
    after.status = outcome.status;
    after.output = outcome.output;
    after.error = outcome.error;
    after.waiting = outcome.waiting;
    after.ended_at = has_ended(outcome.status) ? std::optional(now) : std::nullopt;
    const auto whole = to_json(after);
    auto data = Json::object();
    for (const auto* member : {"status", "output", "error", "waiting", "tokens", "cost", "started_at", "ended_at"})
        data[member] = whole[member];
    auto left = event_of(execution.id, execution.owner_id, type_of_outcome(outcome.status), std::move(data), by);
    left.created_at = now;
    return left;
}

store::NewEvent execution_cancel_requested(const Execution& execution, const model::Actor& by)
{
    return event_of(execution.id, execution.owner_id, "ExecutionCancelRequested", Json::object(), by);
}

store::NewEvent execution_queued(const Execution& execution, std::string type, Json answered, const model::Actor& by)
{
    Json data{{"status", name_of(Status::queued)},
              {"output", nullptr},
              {"error", nullptr},
              {"waiting", Json::array()},
              {"ended_at", nullptr}};
    auto queued = event_of(execution.id, execution.owner_id, std::move(type), std::move(data), by);
    if (!answered.is_null())
        queued.metadata["answered"] = std::move(answered);
    return queued;
}

store::NewEvent execution_webhook_failed(const Execution& execution, const std::string& cause)
{
    auto failed = event_of(execution.id, execution.owner_id, "ExecutionWebhookFailed", Json::object(), {});
    failed.metadata["cause"] = cause;
    return failed;
}

// A UUIDv7 of the time and the hash of the cause.
std::string event_id_for(UnixMillis created_at, const std::string& cause)
{
    auto hash = sha256(cause);
    auto bytes = hash.substr(0, 16);
    for (std::size_t i = 0; i < 6; ++i)
        bytes[i] = static_cast<char>((created_at >> (40 - 8 * i)) & 0xff);
    bytes[6] = static_cast<char>((bytes[6] & 0x0f) | 0x70);
    bytes[8] = static_cast<char>((bytes[8] & 0x3f) | 0x80);
    auto id = hex(bytes);
    for (const std::size_t dash : {20u, 16u, 12u, 8u})
        id.insert(dash, "-");
    return id;
}

}  // namespace dure::executions
