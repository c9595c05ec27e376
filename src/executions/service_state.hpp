// What the sources of ExecutionService share.
#pragma once

#include <atomic>
#include <map>
#include <set>

#include "dure/executions/service.hpp"
#include "dure/graph/checkpointer.hpp"
#include "executions/execution_rows.hpp"
#include "executions/flow_cache.hpp"

namespace dure::executions {

inline constexpr std::size_t cached_flows = 256;
inline constexpr std::int64_t most_queued = 2'000;   // of one owner
// Of graph_runs.graph: workers of executions take these runs, other runs are others' work.
inline constexpr std::string_view graph_prefix = "flow:";

struct ExecutionService::State {
    explicit State(Parts given) : parts(std::move(given)) {}

    // What the idempotency key of a request began before.
    Task<Result<std::optional<Started>>> known(const Execution& fresh);
    // Everything a fresh execution begins with, checked; a request's answer to what is wrong with it.
    Task<Result<void>> furnish(Execution& fresh, const Caller& caller, StartRequest& request, const RunnableFlow& flow);
    // Its row, its place in the queue and its event; or what another request with its key has begun meanwhile.
    Task<Result<Started>> store(const Execution& fresh, const model::Actor& by);
    // What the session knows, as facts of the execution.
    // turn_key: as of StartRequest.
    Task<Result<void>> remember(Execution& fresh, std::string turn_key);
    Task<Result<void>> know_session_state(Execution& fresh, const flows::Document& document);

    // invalid_argument naming webhook.
    Result<void> check_webhook(const std::string& webhook) const;

    // Puts the answer to an open question into the run's queue.
    Task<Result<Execution>> answer(std::string id, std::string owner, Json question, Json answer, model::Actor by);
    // Whose checkpoints have the state before a step that the execution shows. conflict "step_forgotten".
    Task<Result<std::string>> thread_with(Execution execution, std::int64_t step);
    // Where a fork of `original` begins: the state before the step, patched as it was asked for.
    struct Beginning {
        graph::Checkpoint checkpoint;
        Json values;
        std::int64_t step = 0;
        std::map<std::string, std::int64_t> under_way = {};   // containers and where they began
    };
    Task<Result<Beginning>> before_step(const Execution& original, std::int64_t step, const Json& patch);
    // Where the nodes that are meant began, when they are containers under way at the step.
    Task<Result<Beginning>> beginning_at(const Execution& original, std::int64_t step, std::set<std::string> nodes,
                                         const Json& patch);
    // Its run and first checkpoint, its row, its place in the queue, the steps it takes over, and its event.
    Task<Result<Execution>> store_fork(const Execution& fork, const graph::Batch& first,
                                       const std::vector<Step>& taken_over, const Json& patch, const model::Actor& by);
    Task<void> wake_late_ones();
    Task<void> end_given_up_ones();
    Task<void> forget_old_ones();

    Parts parts;
    FlowCache cache{cached_flows};
    std::atomic<bool> closed{false};
};

runs::Run run_of(const Execution& execution, Json input);
// The request that began an execution of a session, for the event of its turn: a fact of the execution, because the turn may be
// recorded by another process.
void note_actor(Execution& execution, const model::Actor& by);
model::Actor noted_actor(const Execution& execution);
// A bound key sees and changes only executions of the flows it opens to run (flow-format §11, routes.md); others are not_found.
Result<void> opened_by(const Caller& caller, const Execution& execution);
// rate_limited "queue_full" when the owner has most_queued waiting already.
Result<void> check_queue(ExecutionRows& rows, const std::string& owner);

}  // namespace dure::executions
