// Recorder: what an execution leaves in its tables and in the event store, in the transaction of the run's own writes
// (runs::ExtraWrites): that it began, each step with the result it describes, and how it ended. Its events are published
// when the write is committed. Thread-safe.
#pragma once

#include <any>

#include "dure/events/bus.hpp"
#include "dure/executions/execution.hpp"
#include "dure/runs/writer.hpp"

namespace dure::executions {

// What the body of an execution tells, as it stands in the numbered log of its run:
//   status  {"status": "running" | "waiting" | …}
//   tasks   {"event": "start" | "end", "id", "node_id", …; at the end "steps": [told_step() …]}
inline constexpr std::string_view mode_status = "status";
inline constexpr std::string_view mode_tasks = "tasks";

Json told_step(Step step);

class Recorder {
public:
    // Both outlive it.
    Recorder(events::Bus& bus, const Clock& clock) : bus_(bus), clock_(clock) {}

    static bool has_extra(const runs::WriteOfRun& what);
    // On the run's core; what it gives is WriteOfRun::prepared of the others.
    static std::any prepare(const runs::WriteOfRun& what);
    Result<void> write(sql::Connection& connection, const runs::WriteOfRun& what);
    void committed(const runs::WriteOfRun& what);

private:
    events::Bus& bus_;
    const Clock& clock_;
};

}  // namespace dure::executions
