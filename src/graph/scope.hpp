// What all levels of one run share: the root graph and its sub-graphs. Saver hands batches to the checkpointer as the
// run's durability says (D1). One core.
#pragma once

#include <map>
#include <memory>
#include <set>

#include "dure/base/task_group.hpp"
#include "dure/graph/run.hpp"
#include "graph/emitter.hpp"

namespace dure::graph {

class Saver {
public:
    Saver(boost::asio::any_io_executor executor, const RunOptions& options)
        : executor_(std::move(executor)), options_(options)
    {}

    // sync: returns when it is durable. async: returns at once, after the batch before it is durable. exit: keeps it.
    Task<Result<void>> save(Batch batch);
    // Durable whatever the mode: answers (I7), step results (D7).
    Task<Result<void>> save_now(Batch batch);
    // Everything handed over is durable. The end of a run awaits it.
    Task<Result<void>> flush();
    // exit: pending writes of this checkpoint that wait for the end of the run.
    std::vector<PendingWrite> held_pending(const std::string& ns, const std::string& checkpoint) const;

private:
    void hold(Batch batch);
    Task<void> save_behind(Batch batch);

    boost::asio::any_io_executor executor_;
    const RunOptions& options_;
    Batch held_;  // exit
    std::unique_ptr<TaskGroup> behind_;  // async; at most one
    std::optional<Error> failure_;  // of a save behind
};

// A sub-graph as it stood when it was left.
struct LeftLevel {
    Checkpoint position;
    State state;
};

// Tasks of a superstep that were cancelled and have not ended in time (F2): the level goes on without them, what they come to
// is dropped, and the run waits for them at its very end, since they use what it was given.
class Stragglers {
public:
    virtual ~Stragglers() = default;
    virtual Task<void> end() = 0;
};

struct RunScope {
    RunScope(boost::asio::any_io_executor on, const RunOptions& with, RunResult& into)
        : executor(on), options(with), result(into), emitter(on, with.events), saver(on, with)
    {}
    // Time limits and pauses (F4, F5) go by these.
    Steady::time_point steady_now() const { return options.timekeeper ? options.timekeeper->now() : Steady::now(); }
    Task<void> wait(Signal& signal, Steady::time_point until) const;
    Task<void> pause(Steady::duration length) const;
    UnixMillis now() const { return options.clock ? options.clock->now() : SystemClock().now(); }

    boost::asio::any_io_executor executor;
    const RunOptions& options;
    RunResult& result;
    Emitter emitter;
    Saver saver;
    std::map<std::string, LeftLevel> left;  // exit: sub-graphs left in this run, by namespace; storage does not know them yet
    std::set<std::string> answered;  // interrupt ids that this run's command answers
    std::vector<std::unique_ptr<Stragglers>> stragglers;
    std::vector<std::shared_ptr<void>> left_levels;  // sub-graphs whose stragglers are not back
    bool executes_open = false;  // a null run: tasks that wait for an answer ask again (I8)
};

// Thrown through a level after it has dealt with its cancellation; no std::exception, so that no node's failure hides it.
struct RunCancelled {};

// An interrupt with what is needed to answer it.
struct OpenInterrupt {
    std::string id;
    Json value;
    std::string node;
    std::string ns;
    std::string checkpoint;
    std::string task;
    std::string key;  // k, as text
};
Json stored_interrupt(const OpenInterrupt& interrupt);
OpenInterrupt interrupt_from(const Json& stored);

}  // namespace dure::graph
