// The words of run.hpp as they are stored and shown.
#include "dure/runs/run.hpp"

#include <algorithm>
#include <array>

namespace dure::runs {

namespace {

constexpr std::array<std::pair<Status, std::string_view>, 7> status_words{{
    {Status::pending, "pending"},
    {Status::running, "running"},
    {Status::interrupted, "interrupted"},
    {Status::success, "success"},
    {Status::error, "error"},
    {Status::timeout, "timeout"},
    {Status::cancelled, "cancelled"},
}};

}  // namespace

std::string_view name_of(Status status)
{
    for (const auto& [known, word] : status_words)
        if (known == status)
            return word;
    throw InvariantBroken("unknown status of a run");
}

std::optional<Status> status_named(std::string_view name)
{
    for (const auto& [status, word] : status_words)
        if (word == name)
            return status;
    return std::nullopt;
}

std::string_view name_of(ThreadStatus status)
{
    switch (status) {
    case ThreadStatus::idle: return "idle";
    case ThreadStatus::busy: return "busy";
    case ThreadStatus::interrupted: return "interrupted";
    case ThreadStatus::error: return "error";
    }
    throw InvariantBroken("unknown status of a thread");
}

std::string_view name_of(Stop stop)
{
    switch (stop) {
    case Stop::no: return "";
    case Stop::cancel: return "cancel";
    case Stop::rollback: return "rollback";
    }
    throw InvariantBroken("unknown way to stop a run");
}

Ending ended_by(Stop how)
{
    Ending ending;
    ending.status = Status::cancelled;
    ending.error = Json{{"code", "CANCELLED"},
                        {"message", how == Stop::rollback ? "The run was rolled back." : "The run was cancelled."}};
    return ending;
}

Json recovery_limit_error(std::int64_t crashes, const std::string& stood, const std::vector<std::string>& nodes)
{
    constexpr std::size_t most_named = 20;   // in one sentence
    auto message = "The process ended " + std::to_string(crashes) + " times while the " + stood;
    for (std::size_t i = 0; i < std::min(nodes.size(), most_named); ++i)
        message += (i == 0 ? ", at work on: " : ", ") + nodes[i];
    if (nodes.size() > most_named)
        message += " and " + std::to_string(nodes.size() - most_named) + " more";
    Json error{{"code", "RECOVERY_LIMIT"}, {"message", message + "."}};
    if (!nodes.empty())
        error["nodes"] = nodes;
    return error;
}

bool EventFilter::passes(const RunEvent& event) const
{
    return (subgraphs || event.ns.empty()) &&
           (modes.empty() || std::find(modes.begin(), modes.end(), event.mode) != modes.end());
}

}  // namespace dure::runs
