// The entry of a run: its scope, its time limit, its end. See graph.hpp and loop.hpp.
#include <boost/asio/this_coro.hpp>

#include "dure/base/timeout.hpp"
#include "graph/loop.hpp"

namespace dure::graph {
namespace {

// Keeps what a level throws, so that its end can be recorded first.
Task<void> run_kept(Loop& loop, const RunInput& input, std::exception_ptr& thrown)
{
    try {
        co_await loop.run_root(input);
    } catch (...) {
        thrown = std::current_exception();
    }
}

bool is_abort(const std::exception_ptr& thrown)
{
    try {
        std::rethrow_exception(thrown);
    } catch (const RunCancelled&) {
        return true;
    } catch (const boost::system::system_error& error) {
        return error.code() == boost::asio::error::operation_aborted;
    } catch (...) {
        return false;
    }
}

RunStatus status_of(const LevelEnd& end)
{
    switch (end.kind) {
    case LevelEnd::Kind::success: return RunStatus::success;
    case LevelEnd::Kind::interrupted: return RunStatus::interrupted;
    case LevelEnd::Kind::to_parent:
    case LevelEnd::Kind::none: return RunStatus::error;
    case LevelEnd::Kind::failed: break;
    }
    const auto& reason = end.error->reason();
    return reason == "CANCELLED" ? RunStatus::cancelled : reason == "DRAINED" ? RunStatus::pending : RunStatus::error;
}

void record(const LevelEnd& end, RunResult& into)
{
    into.status = status_of(end);
    into.error = end.error;
    if (end.kind == LevelEnd::Kind::to_parent)
        into.error = Error(Errc::internal, "A Command for the parent graph was returned where there is none.")
                         .reason("INVALID_DESTINATION");
}

// F2: the outcome is known and durable; those that do not hear their cancellation still use what the run was given.
Task<void> end_of_stragglers(RunScope& scope)
{
    co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
    for (std::size_t i = 0; i < scope.stragglers.size(); ++i)   // a sub-graph among them may give up tasks of its own meanwhile
        co_await scope.stragglers[i]->end();
    co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::enable_terminal_cancellation());
}

}  // namespace

std::string_view name_of(RunStatus status)
{
    switch (status) {
    case RunStatus::pending: return "pending";
    case RunStatus::running: return "running";
    case RunStatus::interrupted: return "interrupted";
    case RunStatus::success: return "success";
    case RunStatus::error: return "error";
    case RunStatus::timeout: return "timeout";
    case RunStatus::cancelled: return "cancelled";
    }
    return "";
}

std::optional<Durability> durability_named(std::string_view name)
{
    return name == "sync"    ? std::optional(Durability::sync)
           : name == "async" ? std::optional(Durability::async)
           : name == "exit"  ? std::optional(Durability::exit)
                             : std::nullopt;
}

std::vector<std::string> CompiledGraph::nodes() const
{
    std::vector<std::string> names;
    for (const auto& node : definition_->nodes)
        names.push_back(node.name);
    return names;
}

std::vector<std::string> CompiledGraph::channels() const
{
    return *definition_->channel_names;
}
const std::string& CompiledGraph::version() const
{
    return definition_->version;
}

Task<void> CompiledGraph::run(RunInput input, const RunOptions& options, RunResult& into) const
{
    const auto definition = definition_;   // the run keeps its graph, whatever becomes of this object
    into.run = options.run.empty() ? new_id() : options.run;
    into.status = RunStatus::running;
    RunScope scope(co_await boost::asio::this_coro::executor, options, into);
    Loop loop(*definition, scope, "", options.checkpointer && !options.thread.empty());
    std::exception_ptr thrown;
    bool in_time = true;
    if (options.deadline.at() == Steady::time_point::max())
        co_await run_kept(loop, input, thrown);
    else
        in_time = co_await with_timeout(run_kept(loop, input, thrown), options.deadline);
    const bool aborted = thrown && in_time && is_abort(thrown);
    // What is finished is kept, also by a run that was cut off (F7).
    const bool cut_off = thrown || !in_time || !scope.stragglers.empty() || options.durability != Durability::sync;
    if (options.checkpointer) {
        if (cut_off)
            co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
        auto saved = co_await loop.save_rest();
        if (saved)
            saved = co_await scope.saver.flush();
        record(loop.end(), into);
        if (!saved && into.status != RunStatus::error) {
            into.status = RunStatus::error;
            into.error = saved.error();
        }
        if (cut_off)
            co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::enable_terminal_cancellation());
    } else {
        record(loop.end(), into);
    }
    loop.fill(into);
    if (!in_time) {
        into.status = RunStatus::timeout;
        into.error = Error(Errc::timeout, "The run took too long.").reason("RUN_TIMEOUT");
    } else if (thrown) {
        into.status = RunStatus::cancelled;
        into.error = Error(Errc::cancelled, "The run was cancelled.").reason("CANCELLED");
    }
    if (!scope.stragglers.empty())
        co_await end_of_stragglers(scope);
    if (!in_time || !thrown)
        co_return;
    if (!aborted)
        std::rethrow_exception(thrown);
    throw boost::system::system_error(boost::asio::error::operation_aborted);
}

}  // namespace dure::graph
