// One run: START, then supersteps of plan → run → fold → tell, until nothing is ready or something ends it. What
// happened is written into the RunResult as it happens.
#pragma once

#include "dure/graph/graph.hpp"
#include "graph/algorithm.hpp"
#include "graph/emitter.hpp"
#include "graph/runner.hpp"

namespace dure::graph {

class Loop {
public:
    Loop(const Definition& definition, const RunOptions& options, RunResult& into,
         boost::asio::any_io_executor executor);

    // Never throws; being cancelled is kept for aborted().
    Task<void> run(Json input);
    std::exception_ptr aborted() const { return aborted_; }
    // Fills the result's state, output and next nodes from where the run stands; call once after run().
    void close();

private:
    Task<void> supersteps(Json input);
    Task<bool> superstep();
    bool finish_tasks(std::vector<TaskEnd> ends, std::vector<FinishedTask>& finished);
    Task<bool> tell_values();
    void fail(Error error);

    const Definition& definition_;
    const RunOptions& options_;
    RunResult& into_;
    Emitter emitter_;
    Progress progress_;
    std::vector<PlannedTask> tasks_;   // of the open superstep; empty between supersteps
    std::exception_ptr aborted_;
};

}  // namespace dure::graph
