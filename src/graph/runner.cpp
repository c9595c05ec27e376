// The coroutines of a superstep; see runner.hpp.
#include "graph/runner.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include "dure/base/cancellation.hpp"
#include "dure/base/task_group.hpp"

namespace dure::graph {
namespace {

Error node_failed(const std::string& node, const char* what)
{
    return Error(Errc::internal, "Node '" + node + "' failed.").detail(what);
}

Task<Result<void>> tell_start(const Superstep& superstep, const PlannedTask& task)
{
    if (!superstep.emitter.wants(Mode::tasks))
        co_return Result<void>();
    auto data = Json::object();
    data["event"] = "start";
    data["name"] = superstep.definition.nodes[task.node].name;
    data["step"] = superstep.step;
    if (task.argument)
        data["input"] = *task.argument;
    co_return co_await superstep.emitter.emit(Mode::tasks, std::move(data));
}

Task<Result<void>> tell_end(const Superstep& superstep, const PlannedTask& task, const TaskEnd& outcome)
{
    const auto& name = superstep.definition.nodes[task.node].name;
    if (outcome.finished && superstep.emitter.wants(Mode::updates)) {
        auto data = Json::object();
        data[name] = outcome.finished->update.values;
        if (auto told = co_await superstep.emitter.emit(Mode::updates, std::move(data)); !told)
            co_return told;
    }
    if (!superstep.emitter.wants(Mode::tasks))
        co_return Result<void>();
    auto data = Json::object();
    data["event"] = "end";
    data["name"] = name;
    data["step"] = superstep.step;
    if (outcome.finished)
        data["result"] = outcome.finished->update.values;
    else
        data["error"] = outcome.failure->message();
    co_return co_await superstep.emitter.emit(Mode::tasks, std::move(data));
}

// The node and its conditional edges are one unit (E5).
Task<TaskEnd> run_node(const Superstep& superstep, const PlannedTask& task)
{
    TaskEnd outcome;
    const auto& node = superstep.definition.nodes[task.node];
    NodeContext context(node.name, superstep.snapshot, task.argument, superstep.options.context, superstep.emitter,
                        superstep.options.deadline, superstep.step, superstep.remaining);
    std::exception_ptr aborted;
    try {
        auto update = co_await node.function(context);
        if (!update) {
            outcome.failure = update.error();
            co_return outcome;
        }
        auto destinations = destinations_of(superstep.definition, superstep.snapshot, task.node, *update);
        if (destinations)
            outcome.finished = FinishedTask{task.node, std::move(*update), std::move(*destinations)};
        else
            outcome.failure = destinations.error();
        co_return outcome;
    } catch (const boost::system::system_error& error) {
        if (error.code() == boost::asio::error::operation_aborted)
            aborted = std::current_exception();
        outcome.failure = node_failed(node.name, error.what());
    } catch (const std::exception& error) {
        outcome.failure = node_failed(node.name, error.what());
    }
    // Asking for the state does not throw, also when cancelled; a node may see an abort that was not ours.
    if (aborted) {
        const auto state = co_await boost::asio::this_coro::cancellation_state;
        if (state.cancelled() != boost::asio::cancellation_type::none)
            std::rethrow_exception(aborted);
    }
    co_return outcome;
}

Task<TaskEnd> run_task(const Superstep& superstep, const PlannedTask& task)
{
    if (auto told = co_await tell_start(superstep, task); !told) {
        TaskEnd unheard;
        unheard.failure = told.error();
        co_return unheard;
    }
    auto outcome = co_await run_node(superstep, task);
    if (auto told = co_await tell_end(superstep, task, outcome); !told && !outcome.failure) {
        outcome.finished.reset();
        outcome.failure = told.error();
    }
    co_return outcome;
}

// Several tasks at once: workers take the next task in P1 order until all are taken or one has failed.
class SideBySide {
public:
    SideBySide(const Superstep& superstep, const std::vector<PlannedTask>& tasks, boost::asio::any_io_executor executor)
        : superstep_(superstep), tasks_(tasks), ends_(tasks.size()), group_(executor), changed_(executor)
    {
    }

    Task<std::vector<TaskEnd>> run()
    {
        const auto bound = superstep_.options.max_concurrency;
        working_ = bound == 0 ? tasks_.size() : std::min(bound, tasks_.size());
        for (auto left = working_; left > 0; --left)
            group_.spawn(work());
        bool aborted = false;
        try {
            while (working_ > 0 && !failed_)
                co_await changed_.wait();
        } catch (const boost::system::system_error&) {
            aborted = true;
        }
        // A cancellation that came with the last end must not keep the children from being awaited.
        aborted = aborted || is_cancelled(co_await boost::asio::this_coro::cancellation_state);
        if (aborted)
            co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
        if (working_ > 0)
            group_.cancel();
        co_await group_.wait();
        if (aborted)
            throw boost::system::system_error(boost::asio::error::operation_aborted);
        co_return std::move(ends_);
    }

private:
    Task<void> work()
    {
        const Leaving leaving(*this);
        while (next_ < tasks_.size() && !failed_) {
            const auto mine = next_++;
            ends_[mine] = co_await run_task(superstep_, tasks_[mine]);
            if (ends_[mine].failure)
                failed_ = true;
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

    const Superstep& superstep_;
    const std::vector<PlannedTask>& tasks_;
    std::vector<TaskEnd> ends_;
    std::size_t next_ = 0;
    std::size_t working_ = 0;
    bool failed_ = false;
    TaskGroup group_;
    Signal changed_;
};

}  // namespace

Task<std::vector<TaskEnd>> run_tasks(const Superstep& superstep, const std::vector<PlannedTask>& tasks)
{
    if (tasks.size() > 1) {
        SideBySide all(superstep, tasks, co_await boost::asio::this_coro::executor);
        co_return co_await all.run();
    }
    std::vector<TaskEnd> ends;
    ends.push_back(co_await run_task(superstep, tasks.front()));
    co_return ends;
}

}  // namespace dure::graph
