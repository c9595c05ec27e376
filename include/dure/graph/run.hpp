// One run of a compiled graph: what goes in, how it is to go, what comes out. Plain values.
#pragma once

#include <any>
#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "dure/base/clock.hpp"
#include "dure/base/error.hpp"
#include "dure/base/json.hpp"
#include "dure/graph/checkpointer.hpp"
#include "dure/graph/events.hpp"
#include "dure/graph/policy.hpp"
#include "dure/graph/state.hpp"

namespace dure::graph {

class NodeCache;
class Store;

// Input that speaks to a thread's state instead of its entry (C5, I5).
struct Command {
    // The answer to the one open interrupt, or {interrupt id: answer, …} for any of several. Every JSON value is an answer.
    std::optional<Json> resume;
    Json update;       // as a node would return it; null: nothing
    Routes go_to;      // what starts; the open tasks are dropped
};

// A fresh input; nothing (JSON null): go on where the thread stands; or a Command.
class RunInput {
public:
    RunInput(Json fresh) : form_(std::move(fresh)) {}
    RunInput(Command command) : form_(std::move(command)) {}
    static RunInput nothing() { return RunInput(Json()); }

    const Json* fresh() const { return command() || std::get<Json>(form_).is_null() ? nullptr : &std::get<Json>(form_); }
    const Command* command() const { return std::get_if<Command>(&form_); }

private:
    std::variant<Json, Command> form_;
};

// D1. sync: a task's result before its `updates` event, a superstep before the next; async: at most the newest superstep is
// unsaved; exit: one checkpoint at the end.
enum class Durability { sync, async, exit };
std::optional<Durability> durability_named(std::string_view name);

struct RunOptions {
    std::int64_t recursion_limit = 25;         // P6
    std::size_t max_concurrency = 0;           // P5; 0: no bound
    Deadline deadline = Deadline::never();     // of the whole run: RUN_TIMEOUT
    std::chrono::milliseconds step_timeout{0}; // of a superstep: STEP_TIMEOUT; 0: none
    EventSink* events = nullptr;
    std::any context;                          // a T*, read back by NodeContext::context<T>()

    Checkpointer* checkpointer = nullptr;      // with a thread: state lasts; without: one run only
    std::string thread;
    std::string checkpoint;                    // start from this one instead of the thread's head (K6)
    std::string run;                           // id; made when empty
    Durability durability = Durability::sync;
    Json metadata = Json::object();            // into every checkpoint of the run
    bool recovers = false;                     // this run was begun before and its process died: input that was accepted is
        // not accepted again, answers that are there are taken (D4); what may have
        // been executed before is told as `replayed` (T5)
    std::string limit_span;                    // what recursion_limit counts is kept with the checkpoints under this name:
        // runs of one span go on with it, another span begins it anew (P6)
    std::vector<std::string> interrupt_before; // nodes or "*", beside those of compile() (I1)
    std::vector<std::string> interrupt_after;
    const std::atomic<bool>* drains = nullptr; // set from outside: stop at the next boundary (F8)
    OnFailure on_failure = OnFailure::cancel;
    std::vector<RetryPolicy> retry;            // of nodes that have none of their own
    Store* store = nullptr;
    NodeCache* cache = nullptr;
    const Clock* clock = nullptr;              // for created_at; the system's when null
    Timekeeper* timekeeper = nullptr;  // for retries and time limits of attempts; the monotonic clock when null
};

// pending: drained, to be continued by another run of the same input with `recovers` (F8).
enum class RunStatus { pending, running, interrupted, success, error, timeout, cancelled };
std::string_view name_of(RunStatus status);

struct Interrupt {
    std::string id;        // I4
    Json value;
    std::string node;
    std::string ns;        // of the task that asks
};

struct NodeFailure {
    NodeFailure(std::string which, Error why, int tried = 1) : node(std::move(which)), cause(std::move(why)), attempts(tried) {}
    std::string node;
    Error cause;
    int attempts;
};

// Filled while the run goes, so that a cancelled run leaves what it had.
struct RunResult {
    RunStatus status = RunStatus::pending;
    State state;                               // after the last whole superstep
    Json output;                               // the state's output channels
    std::vector<std::string> next;             // nodes without a result; empty after success
    std::vector<Interrupt> interrupts;         // open ones
    std::int64_t supersteps = 0;               // with user nodes, of this run
    std::optional<Error> error;                // its reason() is a code of graph-semantics §14
    std::vector<NodeFailure> failures;         // of NODE_ERROR, in P1 order
    std::vector<std::string> warnings;         // S6, once per node and key
    std::string checkpoint;                    // the thread's head; empty without a thread
    std::string run;
};

struct StateSnapshot;

struct TaskSnapshot {
    std::string id;
    std::string node;
    Json path;                                 // ["pull", node] or ["push", index]
    std::optional<Json> error;                 // {code, message}
    std::vector<Interrupt> interrupts;
    std::optional<Json> result;                // of a finished one whose superstep is open
    std::shared_ptr<const StateSnapshot> state;   // of a sub-graph, on request
};

// K3.
struct StateSnapshot {
    Json values = Json::object();
    std::vector<std::string> next;             // in P1 order; one entry per task; "__start__" before START ran
    std::vector<TaskSnapshot> tasks;
    std::string thread;
    std::string ns;
    std::string checkpoint;
    std::string parent;
    std::string run;
    std::int64_t step = -1;
    Source source = Source::input;
    Json metadata = Json::object();
    UnixMillis created_at = 0;
};
Json to_json(const Interrupt& interrupt);
Json to_json(const StateSnapshot& snapshot);

}  // namespace dure::graph
