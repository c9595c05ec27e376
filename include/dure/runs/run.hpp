// Run: one call that moves a thread on, as its durable row tells it; and the events it told. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dure/base/clock.hpp"
#include "dure/base/error.hpp"
#include "dure/base/json.hpp"

namespace dure::runs {

// X5. interrupted: parked, waiting for answers.
enum class Status { pending, running, interrupted, success, error, timeout, cancelled };
std::string_view name_of(Status status);
std::optional<Status> status_named(std::string_view name);
inline bool is_open(Status status)
{
    return status == Status::pending || status == Status::running;
}

// X5, of a thread: busy while one of its runs is open, else what the last one left (timeout is error, cancelled idle).
enum class ThreadStatus { idle, busy, interrupted, error };
std::string_view name_of(ThreadStatus status);

// What a second run does when the thread has an open one (X4).
enum class Multitask { reject, enqueue, interrupt, rollback };

// How an open run is asked to stop.
enum class Stop { no, cancel, rollback };
std::string_view name_of(Stop stop);

struct Run {
    std::string id;
    std::string thread;
    std::string owner;            // user whose run it is; a foreign one is not found
    std::string graph;            // by this name the worker finds the graph
    Json input;
    Json options = Json::object();
    Status status = Status::pending;
    std::string worker;           // who holds or last held it
    std::int64_t epoch = 0;       // counts the claims (D8)
    std::int64_t attempts = 0;    // claims since it was started or resumed; above 1: it was begun before
    UnixMillis lease_until = 0;
    std::int64_t crashes = 0;     // at the same checkpoint (D9)
    Stop stop = Stop::no;
    std::optional<Json> error;    // {code, message, reason}
    std::optional<Json> output;
    UnixMillis created_at = 0;
    std::optional<UnixMillis> started_at;
    std::optional<UnixMillis> ended_at;
};

// Who may write: the run at this epoch (D8). Without a run: anybody.
struct Fence {
    std::string run;
    std::int64_t epoch = 0;
};

// How a run ended. pending: it did not, and goes back into the queue (drained, F8).
struct Ending {
    Status status = Status::success;
    std::optional<Json> output;
    std::optional<Json> error;   // {code, message, …}
    UnixMillis now = 0;
    bool stored = false;         // the body has written it itself (Runs::end_in): the worker does not
};

// Of a run that was stopped.
Ending ended_by(Stop how);

// RECOVERY_LIMIT (D9), naming the nodes that were at work: {code, message, nodes?}. `stood`: "run stood at the same checkpoint".
Json recovery_limit_error(std::int64_t crashes, const std::string& stood, const std::vector<std::string>& nodes);

// One event of a run's stream (T1, T3).
struct RunEvent {
    std::int64_t seq = 0;         // 1, 2, 3 … per run, without gaps
    std::string ns;
    std::string mode;
    Json data;
};

// The same filter for replay and live (T3).
struct EventFilter {
    std::vector<std::string> modes;   // empty: all
    bool subgraphs = false;
    bool passes(const RunEvent& event) const;
};

}  // namespace dure::runs
