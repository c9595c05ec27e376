// The tasks of a superstep side by side, and how their outcomes become known; see runner.hpp.
#include "graph/runner.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include "dure/base/cancellation.hpp"
#include "dure/base/task_group.hpp"
#include "graph/frontier.hpp"

namespace dure::graph {
namespace {

using Stage = SuperstepTask::Stage;

Json shown_interrupts(const std::vector<OpenInterrupt>& interrupts)
{
    auto list = Json::array();
    for (const auto& one : interrupts)
        list.push_back(to_json(Interrupt{one.id, one.value, one.node, one.ns}));
    return list;
}

Task<Result<void>> tell_update(Superstep& superstep, SuperstepTask& task)
{
    if (!superstep.run.emitter.wants(Mode::updates, superstep.ns()))
        co_return Result<void>();
    auto data = Json::object();
    if (task.finished) {
        data[superstep.node(task).name] = shown_update(task.finished->update);
        if (task.kept || task.cached)
            data["__metadata__"]["cached"] = true;
    } else if (!task.interrupts.empty()) {
        data["__interrupt__"] = shown_interrupts(task.interrupts);
    } else {
        co_return Result<void>();
    }
    co_return co_await superstep.run.emitter.emit(Mode::updates, superstep.ns(), std::move(data));
}

Task<Result<void>> tell_end(Superstep& superstep, SuperstepTask& task)
{
    if (!superstep.run.emitter.wants_or_debugs(Mode::tasks, superstep.ns()))
        co_return Result<void>();
    auto data = Json::object();
    data["event"] = "end";
    data["id"] = superstep.id_of(task);
    data["name"] = superstep.node(task).name;
    data["step"] = superstep.step;
    if (task.finished)
        data["result"] = shown_update(task.finished->update);
    else if (task.failure)
        data["error"] = error_json(*task.failure);
    else
        data["interrupts"] = shown_interrupts(task.interrupts);
    if (task.kept || task.cached)
        data["cached"] = true;
    co_return co_await superstep.run.emitter.emit_with_debug(Mode::tasks, superstep.ns(), superstep.step,
                                                             std::move(data));
}

// Stores the outcome on its own unless it is the last of the superstep, and tells it.
Task<Result<void>> settle(Superstep& superstep, SuperstepTask& task)
{
    const bool last = superstep.running == 0;
    const bool early = !superstep.keeper.keeps() || superstep.run.options.durability != Durability::sync;
    if (!early && last)
        co_return Result<void>();
    if (!early && task.stage != Stage::failed) {
        Batch batch;
        add_outcome(superstep, task, batch);
        if (superstep.run.emitter.holds_until_durable())
            if (auto told = co_await tell_outcome(superstep, task); !told)
                co_return told;
        if (auto saved = co_await superstep.run.saver.save(std::move(batch)); !saved)
            co_return saved;
    }
    co_return co_await tell_outcome(superstep, task);
}

Task<Result<void>> run_task(Superstep& superstep, SuperstepTask& task)
{
    auto executed = co_await execute_task(superstep, task);
    --superstep.running;
    if (superstep.is_abandoned())
        throw RunCancelled();
    if (superstep.above)
        superstep.above->active();
    const bool concerns_somebody = superstep.run.emitter.speaks() || superstep.keeper.keeps();
    if (!executed || !concerns_somebody)
        co_return executed;
    co_return co_await settle(superstep, task);
}

// F2. Nodes that end when they are cancelled are gone within milliseconds.
constexpr std::chrono::seconds patience_with_cancelled_siblings{10};

// Several tasks at once: workers take the next task in P1 order until all are taken or one has failed.
class SideBySide final : public Stragglers {
public:
    SideBySide(Superstep& superstep, std::vector<SuperstepTask*> tasks)
        : superstep_(superstep), tasks_(std::move(tasks)), group_(superstep.run.executor),
          changed_(superstep.run.executor)
    {}

    Task<Result<void>> run()
    {
        const auto bound = superstep_.run.options.max_concurrency;
        working_ = bound == 0 ? tasks_.size() : std::min(bound, tasks_.size());
        for (auto left = working_; left > 0; --left)
            group_.spawn(work());
        bool aborted = false;
        try {
            while (working_ > 0 && !stopped_)
                co_await changed_.wait();
        } catch (const boost::system::system_error&) {
            aborted = true;
        }
        // A cancellation that came with the last end must not keep the children from being awaited.
        aborted = aborted || is_cancelled(co_await boost::asio::this_coro::cancellation_state);
        if (aborted)
            co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
        if (working_ > 0) {
            group_.cancel();
            aborted = co_await wait_for_cancelled() || aborted;
        }
        if (working_ == 0)
            co_await group_.wait();
        if (aborted || superstep_.is_abandoned())
            throw boost::system::system_error(boost::asio::error::operation_aborted);
        if (error_)
            co_return *error_;
        co_return Result<void>();
    }

    // Some did not end in time: nothing of them counts any more.
    bool leaves_some() const { return working_ > 0; }
    void abandon()
    {
        superstep_.abandoned = true;
        superstep_.above = nullptr;   // that node comes to its end before they do
    }
    Task<void> end() override
    {
        try {
            co_await group_.wait();
        } catch (...) {   // dropped like their results
        }
    }

private:
    // Whether the run was cancelled meanwhile.
    Task<bool> wait_for_cancelled()
    {
        const auto& scope = superstep_.run;
        const auto until = scope.steady_now() + patience_with_cancelled_siblings;
        bool aborted = false;
        while (working_ > 0 && scope.steady_now() < until) {
            try {
                co_await scope.wait(changed_, until);
            } catch (const boost::system::system_error&) {
                aborted = true;
            }
            if (aborted)
                co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
        }
        co_return aborted;
    }

    Task<void> work()
    {
        const Leaving leaving(*this);
        while (next_ < tasks_.size() && !stopped_) {
            auto& mine = *tasks_[next_++];
            Result<void> done;
            try {
                done = co_await run_task(superstep_, mine);
            } catch (const RunCancelled&) {
                co_return;
            }
            if (!done && !error_)
                error_ = done.error();
            const bool cancels = mine.stage == Stage::failed && superstep_.run.options.on_failure == OnFailure::cancel;
            const bool leaves = mine.finished && mine.finished->update.to_parent;
            stopped_ = stopped_ || error_ || cancels || leaves;
        }
    }

    struct Leaving {
        explicit Leaving(SideBySide& of) : all(of) {}
        ~Leaving()
        {
            --all.working_;
            all.changed_.notify();
        }
        Leaving(const Leaving&) = delete;
        Leaving& operator=(const Leaving&) = delete;
        SideBySide& all;
    };

    Superstep& superstep_;
    std::vector<SuperstepTask*> tasks_;
    std::size_t next_ = 0;
    std::size_t working_ = 0;
    bool stopped_ = false;
    std::optional<Error> error_;
    TaskGroup group_;
    Signal changed_;
};

Task<Result<void>> run_side_by_side(Superstep& superstep)
{
    std::vector<SuperstepTask*> ready;
    ready.reserve(superstep.running);
    for (auto& task : superstep.tasks)
        if (task.stage == Stage::ready)
            ready.push_back(&task);
    if (ready.empty())
        co_return Result<void>();
    struct Keeping {
        std::unique_ptr<SideBySide> all;
        RunScope& run;
        ~Keeping()
        {
            if (!all->leaves_some())
                return;
            all->abandon();
            run.stragglers.push_back(std::move(all));
        }
    };
    const Keeping keeping{std::make_unique<SideBySide>(superstep, std::move(ready)), superstep.run};
    co_return co_await keeping.all->run();
}

}  // namespace

Task<Result<void>> tell_start(TaskExecution& execution)
{
    auto& superstep = execution.superstep;
    auto& task = execution.task;
    if (!superstep.run.emitter.wants_or_debugs(Mode::tasks, superstep.ns()))
        co_return Result<void>();
    auto data = Json::object();
    data["event"] = "start";
    data["id"] = superstep.id_of(task);
    data["name"] = superstep.node(task).name;
    data["step"] = superstep.step;
    if (superstep.run.emitter.shows_task_input())
        data["input"] = task.plan.argument ? *task.plan.argument : execution.state().to_json();
    data["triggers"] = superstep.path_of(task);
    data["attempt"] = task.attempts;
    // Without a trace of its own a task may still have begun before its process died.
    if (task.memory || (superstep.continued && superstep.run.options.recovers))
        data["replayed"] = true;
    co_return co_await superstep.run.emitter.emit_with_debug(Mode::tasks, superstep.ns(), superstep.step,
                                                             std::move(data));
}

Task<Result<void>> tell_outcome(Superstep& superstep, SuperstepTask& task)
{
    if (task.told)
        co_return Result<void>();
    task.told = true;
    if (auto told = co_await tell_update(superstep, task); !told)
        co_return told;
    co_return co_await tell_end(superstep, task);
}

void add_outcome(Superstep& superstep, SuperstepTask& task, Batch& into)
{
    const bool passing = task.failure && (task.failure->reason() == "DRAINED" || task.failure->reason() == "CANCELLED");
    const bool begun = passing || (task.stage == Stage::ready && task.attempts > 0);
    if (task.stored || !superstep.keeper.keeps())
        return;
    task.stored = true;
    if (task.finished) {
        into.pending.push_back(
            superstep.pending(task, PendingWrite::Kind::result, "",
                              result_json(superstep.definition, *task.finished, ResultFor::storage)));
    } else if (begun) {
        into.pending.push_back(superstep.pending(task, PendingWrite::Kind::begun, "", nullptr));
    } else if (task.failure) {
        into.pending.push_back(superstep.pending(task, PendingWrite::Kind::error, "", error_json(*task.failure)));
    } else if (!task.interrupts.empty()) {
        // Of a sub-graph they stand for those that were open before; of a node the k-th replaces none.
        const auto& own = superstep.id_of(task);
        if (superstep.node(task).subgraph)
            into.drops.push_back(PendingDrop{
                superstep.ns(), false, superstep.keeper.position().id, {own}, {PendingWrite::Kind::interrupt}});
        for (std::size_t i = 0; i < task.interrupts.size(); ++i) {
            const auto& one = task.interrupts[i];
            auto key = one.task == own ? one.key : "sub-graph " + std::to_string(i);
            into.pending.push_back(
                superstep.pending(task, PendingWrite::Kind::interrupt, std::move(key), stored_interrupt(one)));
        }
    } else {
        task.stored = false;
        return;
    }
    superstep.keeper.mark_pending();
}

Task<Result<void>> run_tasks(Superstep& superstep)
{
    SuperstepTask* last = nullptr;
    superstep.running = 0;
    for (auto& task : superstep.tasks)
        if (task.stage == Stage::ready) {
            last = &task;
            ++superstep.running;
        }
    return superstep.running == 1 ? run_task(superstep, *last) : run_side_by_side(superstep);
}

}  // namespace dure::graph
