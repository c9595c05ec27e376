// One task until it has an outcome: attempts with their time limits (F5), retries (F4), the error handler (F6), the cache
// (X1), and the routing that belongs to the node (E5). See runner.hpp.
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <cmath>

#include "dure/base/cancellation.hpp"
#include "dure/base/task_group.hpp"
#include "dure/base/timeout.hpp"
#include "dure/graph/node_cache.hpp"
#include "graph/frontier.hpp"
#include "graph/runner.hpp"

namespace dure::graph {
namespace {

using Stage = SuperstepTask::Stage;

Error thrown_error(const std::string& node, const char* what)
{
    return Error(Errc::internal, "Node '" + node + "' failed.").detail(what);
}

// What the node's function gives, with what it throws as an error. A cancellation of the run is thrown on.
Task<Result<Update>> call_body(TaskExecution& execution, const std::function<Task<Result<Update>>()>& body)
{
    const auto& name = execution.superstep.node(execution.task).name;
    std::exception_ptr aborted;
    std::optional<Error> failure;
    try {
        auto result = co_await body();
        if (execution.superstep.is_abandoned())
            throw RunCancelled();
        co_return result;
    } catch (const boost::system::system_error& error) {
        if (error.code() == boost::asio::error::operation_aborted)
            aborted = std::current_exception();
        failure = thrown_error(name, error.what());
    } catch (const std::exception& error) {
        failure = thrown_error(name, error.what());
    }
    if (execution.superstep.is_abandoned())
        throw RunCancelled();
    // Asking for the state does not throw, also when cancelled; a node may see an abort that was not ours.
    if (aborted && is_cancelled(co_await boost::asio::this_coro::cancellation_state))
        std::rethrow_exception(aborted);
    co_return *failure;
}

// A body under its time limits: it runs as a child that is cancelled and awaited when one of them passes.
class LimitedBody {
public:
    LimitedBody(TaskExecution& execution, const std::function<Task<Result<Update>>()>& body, NodeTimeouts limits)
        : execution_(execution), body_(body), limits_(limits), group_(execution.superstep.run.executor),
          changed_(execution.superstep.run.executor)
    {}

    Task<Result<Update>> run()
    {
        const auto& scope = execution_.superstep.run;
        const auto hard = limits_.run.count() > 0 ? scope.steady_now() + limits_.run : Steady::time_point::max();
        execution_.watch();
        group_.spawn(work());
        bool aborted = false;
        bool late = false;
        try {
            while (!result_ && !late) {
                const auto until = std::min(hard, limits_.idle.count() > 0 ? execution_.last_activity() + limits_.idle
                                                                           : Steady::time_point::max());
                late = scope.steady_now() >= until;
                if (!late)
                    co_await scope.wait(changed_, until);
            }
        } catch (const boost::system::system_error&) {
            aborted = true;
        }
        aborted = aborted || is_cancelled(co_await boost::asio::this_coro::cancellation_state);
        if (aborted)
            co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
        group_.cancel();
        co_await group_.wait();
        if (aborted)
            throw boost::system::system_error(boost::asio::error::operation_aborted);
        if (late)
            co_return Error(Errc::timeout,
                            "Node '" + execution_.superstep.node(execution_.task).name + "' took too long.")
                .reason("NODE_TIMEOUT");
        co_return std::move(*result_);
    }

private:
    Task<void> work()
    {
        try {
            auto result = co_await call_body(execution_, body_);
            result_.emplace(std::move(result));
        } catch (const RunCancelled&) {
            // The time is up or the run is cancelled; run() knows which.
        }
        changed_.notify();
    }

    TaskExecution& execution_;
    const std::function<Task<Result<Update>>()>& body_;
    NodeTimeouts limits_;
    std::optional<Result<Update>> result_;
    TaskGroup group_;
    Signal changed_;
};

// One attempt, routing included (E5). An error is the node's; an interrupt leaves neither.
Task<Result<void>> attempt(TaskExecution& execution, const std::function<Task<Result<Update>>()>& body)
{
    auto& superstep = execution.superstep;
    auto& task = execution.task;
    auto limits = superstep.node(task).options.timeouts;
    if (task.plan.timeout.count() > 0)
        limits.run = task.plan.timeout;
    Result<Update> update = Update();
    if (limits.run.count() > 0 || limits.idle.count() > 0) {
        LimitedBody limited(execution, body, limits);
        update = co_await limited.run();
    } else {
        update = co_await call_body(execution, body);
    }
    if (execution.interrupted || !task.interrupts.empty()) {
        task.stage = Stage::interrupted;
        co_return Result<void>();
    }
    if (!update)
        co_return update.error();
    Destinations destinations;
    if (!update->to_parent) {
        execution.forget_state();
        const bool alone = superstep.running == 1;
        auto followed = destinations_of(superstep.definition, superstep.snapshot, task.plan.node, *update, alone);
        if (!followed)
            co_return followed.error();
        destinations = std::move(*followed);
    }
    task.finished = FinishedTask{task.plan.node, std::move(*update), std::move(destinations)};
    task.stage = Stage::finished;
    co_return Result<void>();
}

const RetryPolicy* policy_for(const Superstep& superstep, const SuperstepTask& task, const Error& error)
{
    const auto& own = superstep.node(task).options.retry;
    for (const auto& policy : own.empty() ? superstep.run.options.retry : own)
        if (policy.matches && policy.matches(error))
            return &policy;
    return nullptr;
}

std::chrono::milliseconds pause_before(const RetryPolicy& policy, int next_attempt, const Error& error)
{
    if (error.extra().retry_after)
        return *error.extra().retry_after;
    auto pause = static_cast<double>(policy.first_pause.count()) * std::pow(policy.factor, next_attempt - 2);
    pause = std::min(pause, static_cast<double>(policy.longest_pause.count()));
    if (policy.jitter) {
        std::uint32_t random = 0;
        fill_random(&random, sizeof random);
        pause *= 0.5 + 0.5 * static_cast<double>(random) / 4294967295.0;
    }
    return std::chrono::milliseconds(static_cast<std::int64_t>(pause));
}

bool is_for_handler(const Error& error)
{
    return error.reason() != "CANCELLED" && error.reason() != "DRAINED" && error.reason() != "LEASE_LOST" &&
           error.reason() != "STORAGE_ERROR" && error.reason() != "MISSING_CHECKPOINTER";
}

const ErrorHandler& handler_of(const Superstep& superstep, const SuperstepTask& task)
{
    const auto& own = superstep.node(task).options.on_error;
    return own ? own : superstep.definition.on_error;
}

// That it was handed over is durable before the handler starts, so that a crash runs the handler again, not the node (F6).
Task<Result<void>> hand_over(Superstep& superstep, SuperstepTask& task, Error failure)
{
    if (superstep.keeper.keeps() && !(task.memory && task.memory->handed)) {
        Batch batch;
        batch.pending.push_back(superstep.pending(task, PendingWrite::Kind::handed, "", error_json(failure)));
        superstep.keeper.mark_pending();
        if (auto saved = co_await superstep.run.saver.save(std::move(batch)); !saved)
            co_return saved;
    }
    TaskExecution execution(superstep, task);
    execution.deadline = superstep.run.options.deadline;
    NodeContext context(execution);
    const auto& handler = handler_of(superstep, task);
    const auto done = co_await attempt(execution, [&] { return handler(context, failure); });
    if (!done) {
        task.failure = done.error();
        task.stage = Stage::failed;
    }
    co_return Result<void>();
}

Task<Result<void>> execute_node(Superstep& superstep, SuperstepTask& task)
{
    const auto& node = superstep.node(task);
    while (true) {
        ++task.attempts;
        TaskExecution execution(superstep, task);
        if (superstep.run.emitter.speaks())
            if (auto told = co_await tell_start(execution); !told)
                co_return told;
        execution.deadline = superstep.run.options.deadline;
        NodeContext context(execution);
        const auto done = node.subgraph ? co_await attempt(execution, [&] { return execute_subgraph(execution); })
                                        : co_await attempt(execution, [&] { return node.function(context); });
        if (done)
            co_return Result<void>();
        const auto& failure = done.error();
        const auto* policy = policy_for(superstep, task, failure);
        if (policy && task.attempts < policy->attempts) {
            co_await superstep.run.pause(pause_before(*policy, task.attempts + 1, failure));
            continue;
        }
        if (handler_of(superstep, task) && is_for_handler(failure))
            co_return co_await hand_over(superstep, task, failure);
        task.failure = failure;
        task.stage = Stage::failed;
        co_return Result<void>();
    }
}

std::string cache_key(const Superstep& superstep, const SuperstepTask& task, const CachePolicy& policy,
                      const State& seen)
{
    const auto input = task.plan.argument ? *task.plan.argument : seen.to_json();
    return superstep.definition.version + "\n" + superstep.node(task).name + "\n" + policy.version + "\n" +
           (policy.key ? policy.key(input) : input.dump());
}

// X1. Concurrent equal keys run once: the others wait for the first and run themselves only when it failed.
Task<Result<void>> execute_cached(Superstep& superstep, SuperstepTask& task, const CachePolicy& policy)
{
    const TaskExecution probe(superstep, task);
    auto& cache = *superstep.run.options.cache;
    const auto key = cache_key(superstep, task, policy, probe.state());
    auto lookup = co_await cache.find_or_begin(key);
    if (lookup.value) {
        auto finished = result_from(superstep.definition, task.plan.node, *lookup.value);
        if (!finished)
            co_return finished.error();
        task.finished = std::move(*finished);
        task.stage = Stage::finished;
        task.cached = true;
        co_return Result<void>();
    }
    auto done = co_await execute_node(superstep, task);
    if (done && task.finished && !task.finished->update.to_parent)
        lookup.keep(result_json(superstep.definition, *task.finished, ResultFor::memory), policy.time_to_live);
    co_return done;
}

}  // namespace

bool is_passing_fault(const Error& error)
{
    switch (error.code()) {
    case Errc::rate_limited:
    case Errc::upstream_failed:
    case Errc::unavailable:
    case Errc::timeout: return true;
    default: return false;
    }
}

// No coroutine of its own: it only chooses one.
Task<Result<void>> execute_task(Superstep& superstep, SuperstepTask& task)
{
    if (task.memory && task.memory->handed && handler_of(superstep, task)) {
        task.attempts = 1;
        return hand_over(superstep, task, *task.memory->handed);
    }
    const auto& policy = superstep.node(task).options.cache;
    if (policy && superstep.run.options.cache && !superstep.node(task).subgraph)
        return execute_cached(superstep, task, *policy);
    return execute_node(superstep, task);
}

}  // namespace dure::graph
