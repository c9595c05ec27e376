// The words and JSON forms of execution.hpp.
#include "dure/executions/execution.hpp"

#include <array>
#include <utility>

#include "dure/base/error.hpp"

namespace dure::executions {

namespace {

constexpr std::array<std::pair<Status, std::string_view>, 6> status_words{{
    {Status::queued, "queued"},
    {Status::running, "running"},
    {Status::waiting, "waiting"},
    {Status::succeeded, "succeeded"},
    {Status::failed, "failed"},
    {Status::cancelled, "cancelled"},
}};

Json time_or_null(const std::optional<UnixMillis>& time)
{
    return time ? Json(rfc3339(*time)) : Json();
}

double usd(std::int64_t cost_nano)
{
    return static_cast<double>(cost_nano) / 1e9;
}

Json text_or_null(const std::string& text)
{
    return text.empty() ? Json() : Json(text);
}

}  // namespace

std::string_view name_of(Status status)
{
    for (const auto& [known, word] : status_words)
        if (known == status)
            return word;
    throw InvariantBroken("unknown status of an execution");
}

std::optional<Status> status_named(std::string_view name)
{
    for (const auto& [status, word] : status_words)
        if (word == name)
            return status;
    return std::nullopt;
}

Json to_json(Step step)
{
    auto json = Json::object();
    json["node_id"] = step.node_id;
    json["visit"] = step.visit;
    json["step"] = step.step;
    json["status"] = step.status;
    json["input"] = std::move(step.input);
    json["output"] = std::move(step.output);
    json["started_at"] = rfc3339(step.started_at);
    json["duration_ms"] = step.duration_ms;
    json["tokens"] = step.tokens;
    json["cost"] = usd(step.cost_nano);
    json["attempts"] = step.attempts;
    json["error"] = step.error ? std::move(*step.error) : Json();
    if (step.abridged)
        json["abridged"] = true;
    return json;
}

Json to_json(const Execution& execution)
{
    auto json = Json::object();
    json["id"] = execution.id;
    json["flow_id"] = execution.flow_id;
    json["flow_slug"] = execution.flow_slug;
    json["flow_version"] = execution.flow_version;
    json["flow_type"] = execution.flow_type;
    json["status"] = name_of(execution.status);
    json["input"] =
        execution.abridged ? Json() : Json{{"message", execution.message}, {"inputs", execution.inputs}};
    json["output"] = execution.output ? *execution.output : Json();
    json["error"] = execution.error ? *execution.error : Json();
    const bool waits = execution.status == Status::waiting && execution.waiting;
    json["waiting"] = waits ? *execution.waiting : Json::array();
    json["tokens"] = execution.tokens;
    json["cost"] = usd(execution.cost_nano);
    json["user_id"] = text_or_null(execution.user_label);
    json["session_id"] = text_or_null(execution.session_id);
    json["forked_from"] = execution.forked_from ? Json(*execution.forked_from) : Json();
    json["forked_step"] = execution.forked_step ? Json(*execution.forked_step) : Json();
    json["created_at"] = rfc3339(execution.created_at);
    json["started_at"] = time_or_null(execution.started_at);
    json["ended_at"] = time_or_null(execution.ended_at);
    if (execution.abridged)
        json["abridged"] = true;
    return json;
}

Json to_json(const Limits& limits)
{
    return Json{{"max_steps", limits.max_steps},         {"timeout_ms", limits.timeout_ms},
                {"max_parallel", limits.max_parallel},   {"max_tokens", limits.max_tokens},
                {"max_cost_nano", limits.max_cost_nano}, {"max_model_calls", limits.max_model_calls},
                {"owner_runs", limits.owner_runs}};
}

Limits limits_from(const Json& json)
{
    Limits limits;
    limits.max_steps = json.value("max_steps", limits.max_steps);
    limits.timeout_ms = json.value("timeout_ms", limits.timeout_ms);
    limits.max_parallel = json.value("max_parallel", limits.max_parallel);
    limits.max_tokens = json.value("max_tokens", limits.max_tokens);
    limits.max_cost_nano = json.value("max_cost_nano", limits.max_cost_nano);
    limits.max_model_calls = json.value("max_model_calls", limits.max_model_calls);
    limits.owner_runs = json.value("owner_runs", limits.owner_runs);
    return limits;
}

}  // namespace dure::executions
