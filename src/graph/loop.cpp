// The loop and the entry of a run; see loop.hpp.
#include "graph/loop.hpp"

#include <boost/asio/this_coro.hpp>

#include "dure/base/timeout.hpp"

namespace dure::graph {

std::string_view name_of(RunStatus status)
{
    switch (status) {
    case RunStatus::pending: return "pending";
    case RunStatus::running: return "running";
    case RunStatus::success: return "success";
    case RunStatus::error: return "error";
    case RunStatus::timeout: return "timeout";
    case RunStatus::cancelled: return "cancelled";
    }
    return "";
}

Loop::Loop(const Definition& definition, const RunOptions& options, RunResult& into,
           boost::asio::any_io_executor executor)
    : definition_(definition), options_(options), into_(into), emitter_(std::move(executor), options.events),
      progress_(definition)
{
}

Task<void> Loop::run(Json input)
{
    try {
        co_await supersteps(std::move(input));
    } catch (...) {
        aborted_ = std::current_exception();
    }
}

Task<void> Loop::supersteps(Json input)
{
    into_.status = RunStatus::running;
    if (auto accepted = accept_input(definition_, progress_, input); !accepted)
        co_return fail(accepted.error());
    if (!co_await tell_values())
        co_return;
    while (true) {
        tasks_ = plan(definition_, progress_);
        if (tasks_.empty())
            break;
        if (into_.supersteps == options_.recursion_limit)
            co_return fail(Error(Errc::internal, "The graph did not end within " +
                                                     std::to_string(options_.recursion_limit) + " supersteps.")
                               .reason("GRAPH_RECURSION_LIMIT"));
        if (!co_await superstep())
            co_return;
    }
    into_.status = RunStatus::success;
}

// False: the run has ended with an error.
Task<bool> Loop::superstep()
{
    ++into_.supersteps;
    const Superstep common{definition_,        progress_.state, options_,
                           emitter_,           into_.supersteps, options_.recursion_limit - into_.supersteps};
    auto ends = co_await run_tasks(common, tasks_);
    std::vector<FinishedTask> finished;
    if (!finish_tasks(std::move(ends), finished))
        co_return false;
    const auto changed = apply(definition_, progress_, finished, into_.warnings);
    if (!changed) {
        fail(changed.error());
        co_return false;
    }
    tasks_.clear();
    co_return !*changed || co_await tell_values();
}

// F1: the first failure in P1 order is the run's error, all are listed. What the engine itself refused keeps its code.
bool Loop::finish_tasks(std::vector<TaskEnd> ends, std::vector<FinishedTask>& finished)
{
    for (std::size_t i = 0; i < ends.size(); ++i) {
        if (ends[i].finished)
            finished.push_back(std::move(*ends[i].finished));
        else if (ends[i].failure)
            into_.failures.emplace_back(definition_.nodes[tasks_[i].node].name, std::move(*ends[i].failure));
    }
    if (into_.failures.empty())
        return true;
    const auto& first = into_.failures.front();
    const auto& reason = first.cause.reason();
    const bool of_engine = reason == "INVALID_DESTINATION" || reason == "INVALID_GRAPH_NODE_RETURN_VALUE" ||
                           reason == "INVALID_CONCURRENT_GRAPH_UPDATE" || reason == "INVALID_UPDATE" ||
                           reason == "CANCELLED";
    if (of_engine)
        fail(first.cause);
    else
        fail(Error(first.cause.code(), "Node '" + first.node + "' failed: " + first.cause.message())
                 .reason("NODE_ERROR")
                 .detail(first.cause.detail()));
    return false;
}

Task<bool> Loop::tell_values()
{
    if (!emitter_.wants(Mode::values))
        co_return true;
    auto told = co_await emitter_.emit(Mode::values, progress_.state.to_json());
    if (!told)
        fail(told.error());
    co_return static_cast<bool>(told);
}

void Loop::fail(Error error)
{
    into_.status = error.reason() == "CANCELLED" ? RunStatus::cancelled : RunStatus::error;
    into_.error = std::move(error);
}

void Loop::close()
{
    // A superstep that did not end is as if it had not begun: all its tasks are next again (S10, F3).
    for (const auto& task : tasks_)
        into_.next.push_back(definition_.nodes[task.node].name);
    into_.output = Json::object();
    for (std::size_t i = 0; i < progress_.state.size(); ++i)
        if (definition_.output_channels[i] && progress_.state.value(i))
            into_.output[progress_.state.name(i)] = *progress_.state.value(i);
    into_.state = std::move(progress_.state);
}

std::vector<std::string> CompiledGraph::nodes() const
{
    std::vector<std::string> names;
    for (const auto& node : definition_->nodes)
        names.push_back(node.name);
    return names;
}

Task<void> CompiledGraph::run(Json input, const RunOptions& options, RunResult& into) const
{
    const auto definition = definition_;   // the run keeps its graph, whatever becomes of this object
    Loop loop(*definition, options, into, co_await boost::asio::this_coro::executor);
    bool in_time = true;
    if (options.deadline.at() == Steady::time_point::max())
        co_await loop.run(std::move(input));
    else
        in_time = co_await with_timeout(loop.run(std::move(input)), options.deadline);
    loop.close();
    if (!in_time) {
        into.status = RunStatus::timeout;
        into.error = Error(Errc::timeout, "The run took too long.").reason("RUN_TIMEOUT");
        co_return;
    }
    if (!loop.aborted())
        co_return;
    into.status = RunStatus::cancelled;
    into.error = Error(Errc::cancelled, "The run was cancelled.").reason("CANCELLED");
    std::rethrow_exception(loop.aborted());
}

}  // namespace dure::graph
