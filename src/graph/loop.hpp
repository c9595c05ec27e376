// One level of a run, the root or a sub-graph: where it begins (begin.cpp), then supersteps of plan → run → fold → keep →
// tell until nothing is ready or something ends it. What happened at the root is written into the RunResult as it happens.
#pragma once

#include "dure/graph/graph.hpp"
#include "graph/runner.hpp"

namespace dure::graph {

// How a level ended.
struct LevelEnd {
    enum class Kind { none, success, interrupted, failed, to_parent };
    Kind kind = Kind::none;
    std::optional<Error> error;  // of failed
    std::vector<OpenInterrupt>
        interrupts;  // of interrupted; none: a static stop (I1). Of failed: those that a refused answer left open
    Update command;  // of to_parent (C4)
};

class Loop {
public:
    // Of a sub-graph: above: the execution of its node; marker: into the metadata of a lasting one's checkpoints, the task it
    // runs for.
    Loop(const Definition& definition, RunScope& run, std::string ns, bool keeps, TaskExecution* above = nullptr,
         std::string marker = {});

    Task<void> run_root(const RunInput& input);
    // `fresh`: nothing of it can be stored yet.
    Task<void> run_subgraph(Json input, Persistence persistence, bool fresh);

    const LevelEnd& end() const { return end_; }
    const State& state() const { return progress_.state; }
    bool output(std::size_t channel) const { return definition_.output_channels[channel]; }
    // The root's result: state, output, next nodes; once, at the end.
    void fill(RunResult& into);
    // Outcomes of an open superstep that was cut off, and what `exit` has kept. Not to be cancelled.
    Task<Result<void>> save_rest();

private:
    // begin.cpp. False: the level has ended.
    Task<bool> begin(const RunInput& input);
    Task<bool> accept(const Json& input);
    Task<bool> start_from(const Json& known, bool also_input);
    Task<bool> follow_command(const Command& command, const std::string& head);
    Task<bool> continue_from(bool named, const std::string& head);
    Task<bool> take_answers(const Json& resume);
    Task<Result<bool>> load_subgraph();
    bool input_was_accepted() const;

    Task<void> supersteps();
    Task<bool> superstep();
    Result<void> remember(SuperstepTask& task, const std::vector<const PendingWrite*>& writes);
    Task<bool> announce_kept(Superstep& superstep);
    Task<bool> finish_superstep(Superstep& superstep);
    Task<bool> leave_open(Superstep& superstep);
    Task<bool> discard(Superstep& superstep, const Error& error);
    Task<bool> save_and_tell(Batch batch, std::optional<Json> input = {});
    Task<bool> tell_accepted(std::optional<Json>& input);
    Task<bool> tell_superstep(Superstep& superstep, bool changed);
    Task<bool> tell_all(Superstep& superstep);
    Task<bool> tell_values();
    bool tells_checkpoints() const;
    Task<bool> tell_checkpoint();
    Task<bool> run_within_step_timeout(Superstep& superstep);
    bool stops(const std::vector<bool>& compiled, const std::vector<std::string>& asked) const;
    bool something_is_next() const;
    bool counts() const;
    Json frontier() const;
    void stop_here();
    bool fail(Error error);

    const Definition& definition_;
    RunScope& run_;
    ThreadKeeper keeper_;
    Progress progress_;
    std::vector<SuperstepTask> tasks_;  // of the open superstep; empty between supersteps
    std::optional<Superstep> open_;  // lives as long as its stragglers
    std::vector<PendingWrite> pending_;  // of the checkpoint the level began from
    TaskExecution* above_;
    std::string marker_;
    bool read_back_ = false;  // the next superstep was begun before, by another run or attempt
    bool continues_ = false;  // the first superstep goes on past a static stop
    std::int64_t supersteps_ = 0;
    std::int64_t counted_ = 0;  // of them: with user nodes (P6)
    LevelEnd end_;
};

}  // namespace dure::graph
