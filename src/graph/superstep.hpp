// The open superstep of a level as data: its tasks, what each has come to, what it may use.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>

#include "graph/keeper.hpp"

namespace dure::graph {

// What earlier executions of a task left (read from its pending writes).
struct TaskMemory {
    std::vector<Json> answers;              // by k; those of the first questions (I3)
    std::map<std::string, Json> steps;      // by name (D7)
    std::optional<Error> handed;            // the failure its error handler has to deal with (F6)
    std::optional<Error> failure;           // of the last execution
};

struct SuperstepTask {
    enum class Stage { ready, open, finished, failed, interrupted };

    PlannedTask plan;
    std::size_t send_index = 0;
    std::string id;                         // D5; made when somebody needs it
    Stage stage = Stage::ready;             // open: waits for an answer and does not run (I6)
    std::optional<FinishedTask> finished;
    std::optional<Error> failure;
    std::vector<OpenInterrupt> interrupts;
    std::unique_ptr<TaskMemory> memory;
    int attempts = 0;
    bool kept = false;                      // its result was there when the run began (T5)
    bool cached = false;                    // its result came out of the node cache (X1)
    bool stored = false;                    // its outcome is durable
    bool told = false;                      // its outcome was told
};

class TaskExecution;

struct Superstep {
    const Definition& definition;
    RunScope& run;
    ThreadKeeper& keeper;
    State& snapshot;                        // nobody changes it but destinations_of(), for a moment
    std::int64_t step = 0;                  // number on the thread
    std::int64_t remaining = 0;
    std::vector<SuperstepTask>& tasks;
    std::size_t running = 0;                // tasks that have not come to an end yet
    bool continued = false;                 // the level was read back: its tasks may have run before
    TaskExecution* above = nullptr;         // of the node whose sub-graph this is
    bool abandoned = false;                 // the level has gone on without those that still run

    const std::string& ns() const { return keeper.ns(); }
    const NodeDefinition& node(const SuperstepTask& task) const { return definition.nodes[task.plan.node]; }
    const std::string& id_of(SuperstepTask& task) const;   // D5
    Json path_of(const SuperstepTask& task) const;
    bool is_abandoned() const;              // here, or a level above
    bool durable() const { return keeper.keeps() && run.options.durability == Durability::sync; }
    PendingWrite pending(SuperstepTask& task, PendingWrite::Kind kind, std::string key, Json data) const;
};

// Sends are numbered in their order.
std::vector<SuperstepTask> tasks_of(std::vector<PlannedTask> planned);

// D5: the same over retries, resume and recovery.
std::string make_task_id(const std::string& thread, const std::string& ns, const std::string& place,
                         const std::string& node, const PlannedTask& plan, std::size_t send_index);
// ["pull", node] or ["push", index]
Json make_task_path(const std::string& node, const PlannedTask& plan, std::size_t send_index);

// One execution of a task: what stands behind its NodeContext.
class TaskExecution {
public:
    TaskExecution(Superstep& of, SuperstepTask& which) : superstep(of), task(which), state_(&of.snapshot) { narrow(); }

    const State& state() const { return *state_; }
    // Something happened that an idle limit counts (F5), here or in a sub-graph below.
    void active()
    {
        if (watched_)
            last_activity_ = superstep.run.steady_now();
        if (superstep.above)
            superstep.above->active();
    }
    void watch()
    {
        watched_ = true;
        last_activity_ = superstep.run.steady_now();
    }
    Steady::time_point last_activity() const { return last_activity_; }
    // The body has ended: what it saw is not needed any more.
    void forget_state()
    {
        narrowed_.reset();
        state_ = &superstep.snapshot;
    }

    Superstep& superstep;
    SuperstepTask& task;
    std::size_t asked = 0;                  // interrupts so far
    std::set<std::string> steps_used;
    bool interrupted = false;               // a question has no answer: what the body returns does not count
    Deadline deadline = Deadline::never();

private:
    void narrow();

    const State* state_;
    bool watched_ = false;                  // there is a time limit
    Steady::time_point last_activity_;
    std::optional<State> narrowed_;         // S7
};

}  // namespace dure::graph
