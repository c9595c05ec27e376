// Execution: one run of a flow as the world sees it (routes.md), and the steps it took. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dure/base/clock.hpp"
#include "dure/base/json.hpp"
#include "dure/flows/rights.hpp"

namespace dure::executions {

enum class Status { queued, running, waiting, succeeded, failed, cancelled };
std::string_view name_of(Status status);
std::optional<Status> status_named(std::string_view name);
inline bool has_ended(Status status)
{
    return status == Status::succeeded || status == Status::failed || status == Status::cancelled;
}

// What a run may use up; the flow's own limits, never above the server's. 0: no bound of its own.
struct Limits {
    std::int64_t max_steps = 0;
    std::int64_t timeout_ms = 0;   // while it works; waiting for a person is not counted
    std::int64_t max_parallel = 0;
    std::int64_t max_tokens = 0;
    std::int64_t max_cost_nano = 0;   // billionths of a USD
    std::int64_t max_model_calls = 0;
    std::int64_t owner_runs = 0;   // executions of its owner that work at the same time, in one process
};

struct Execution {
    std::string id;   // UUIDv7; also of the run and the thread
    std::string owner_id;   // who started it and whose rights it has,
    std::optional<flows::Rights> rights;  // as far as these go: of the key or login it began with; nothing: all of them
    std::string flow_id, flow_slug, flow_type;
    std::int64_t flow_version = 0;
    Json pins = Json::object();   // versions of the flows it uses, by what their nodes say
    Status status = Status::queued;
    std::string user_label;   // `user_id` of the request; gives no rights
    std::string session_id;   // empty: none
    std::string message;
    Json inputs = Json::object();
    Json facts = Json::object();  // what else was known at its start: {history, turn, session_state, session_turn, turn_key, by}
    std::optional<Json> output;
    std::optional<Json> error;   // {code, message, node_id?, …}
    std::optional<Json> waiting;   // open questions: [{id, node_id, value}]
    Limits limits;
    std::optional<std::string> idempotency_key;
    std::string request_hash;
    std::string webhook;   // where its ends are posted to; empty: nowhere. May hold a token: not shown
    std::optional<std::string> forked_from;
    std::optional<std::int64_t> forked_step;
    UnixMillis created_at = 0;
    std::optional<UnixMillis> started_at, ended_at;
    UnixMillis updated_at = 0;
    std::optional<UnixMillis> active_since;   // a worker has it, or had it when its process died
    std::int64_t active_ms = 0;   // before active_since
    std::int64_t retries = 0;  // times it was put back into the queue after it had failed or was cancelled
    std::int64_t crashes = 0;      // deaths of a process that worked on it while it had the same steps
    std::int64_t crashed_at = 0;   // how many steps it had then
    std::optional<UnixMillis> wake_at;   // earliest deadline of an open question
    // Sums over its steps.
    std::int64_t tokens = 0;
    std::int64_t cost_nano = 0;
    std::int64_t steps = 0;
    bool abridged = false;   // of a list whose texts were full: without message, inputs, output and questions
};

// One visit of a node. `visit` counts the node's own: 1, 2, 3 …
struct Step {
    std::string task_id;
    std::string node_id;
    std::int64_t number = 0;   // orders the steps: by the event that told it and the place there
    std::int64_t visit = 0;
    std::int64_t step = 0;   // superstep of the flow; what fork takes
    std::string status;   // succeeded, failed, skipped, waiting, cancelled
    Json input, output;
    std::optional<Json> error;
    UnixMillis started_at = 0;
    std::int64_t duration_ms = 0;
    std::int64_t tokens = 0;
    std::int64_t cost_nano = 0;
    std::int64_t attempts = 1;
    bool abridged = false;   // the texts of the steps before it were enough: without input and output
};

// The forms of the API, of events and of replays: one and the same.
Json to_json(Step step);
Json to_json(const Execution& execution);

Json to_json(const Limits& limits);
Limits limits_from(const Json& json);

struct Filter {
    std::string flow_id;   // empty: of all flows
    std::optional<Status> status;
    std::optional<std::vector<std::string>> models = {};   // of a bound key: only of flows among them, as "flow:<slug>"
    std::int64_t page = 1;
    std::int64_t page_size = 20;   // 1 to 100
};

struct Page {
    std::vector<Execution> executions;   // newest first, without steps
    std::int64_t total = 0;
};

}  // namespace dure::executions
