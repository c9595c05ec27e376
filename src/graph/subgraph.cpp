// A compiled graph as a node (G1–G5): its own level of the run, in a namespace of its own.
#include <boost/asio/this_coro.hpp>

#include <algorithm>

#include "graph/loop.hpp"

namespace dure::graph {
namespace {

std::string namespace_of(const Superstep& superstep, SuperstepTask& task, Persistence persistence)
{
    auto ns = superstep.ns().empty() ? "" : superstep.ns() + "|";
    ns += superstep.node(task).name;
    return persistence == Persistence::own ? ns : ns + ":" + superstep.id_of(task);
}

// A sent task's argument, or our state under the names of the sub-graph's channels.
Json input_of(const TaskExecution& execution, const Subgraph& subgraph)
{
    if (execution.task.plan.argument)
        return *execution.task.plan.argument;
    auto input = Json::object();
    for (const auto& inner : subgraph.graph.channels()) {
        const auto mapped = subgraph.input_map.find(inner);
        if (!subgraph.input_map.empty() && mapped == subgraph.input_map.end())
            continue;
        if (const auto* value = execution.state().find(mapped == subgraph.input_map.end() ? inner : mapped->second))
            input[inner] = *value;
    }
    return input;
}

// Its final values of shared keys, for our reducers.
Json output_of(const Superstep& superstep, const Subgraph& subgraph, const Loop& loop)
{
    auto output = Json::object();
    for (const auto& outer : *superstep.definition.channel_names) {
        const auto mapped = subgraph.output_map.find(outer);
        if (!subgraph.output_map.empty() && mapped == subgraph.output_map.end())
            continue;
        const auto index = loop.state().index_of(mapped == subgraph.output_map.end() ? outer : mapped->second);
        if (index != State::unknown && loop.output(index) && loop.state().value(index))
            output[outer] = *loop.state().value(index);
    }
    return output;
}

// A lasting sub-graph has one state, so a superstep may run it once, whatever the timing (N1).
bool runs_twice(const Superstep& superstep, const SuperstepTask& task)
{
    return std::count_if(superstep.tasks.begin(), superstep.tasks.end(),
                         [&](const SuperstepTask& other) { return other.plan.node == task.plan.node; }) > 1;
}

Result<Update> update_of(TaskExecution& execution, const Subgraph& subgraph, const Loop& loop)
{
    switch (loop.end().kind) {
    case LevelEnd::Kind::success: return Update(output_of(execution.superstep, subgraph, loop));
    case LevelEnd::Kind::to_parent: return loop.end().command;
    case LevelEnd::Kind::failed: return *loop.end().error;
    case LevelEnd::Kind::interrupted:
    case LevelEnd::Kind::none: break;
    }
    execution.interrupted = true;
    execution.task.interrupts = loop.end().interrupts;
    return Error(Errc::cancelled, "The sub-graph waits.").reason("INTERRUPTED");
}

}  // namespace

Task<Result<Update>> execute_subgraph(TaskExecution& execution)
{
    auto& superstep = execution.superstep;
    const auto& subgraph = *superstep.node(execution.task).subgraph;
    const bool lasting = subgraph.persistence == Persistence::own;
    const bool keeps = superstep.keeper.keeps() && subgraph.persistence != Persistence::none;
    const auto ns = namespace_of(superstep, execution.task, subgraph.persistence);
    if (lasting && runs_twice(superstep, execution.task))
        co_return Error(Errc::conflict, "Sub-graph '" + superstep.node(execution.task).name +
                                            "' keeps its state and cannot run twice at the same time.")
            .reason("MULTIPLE_SUBGRAPHS");
    const auto definition = subgraph.graph.definition();
    const auto kept_loop = std::make_shared<Loop>(*definition, superstep.run, ns, keeps, &execution,
                                                  lasting ? superstep.id_of(execution.task) : std::string());
    auto& loop = *kept_loop;
    const auto stragglers_before = superstep.run.stragglers.size();
    const bool fresh = !superstep.continued && execution.task.attempts == 1;
    bool aborted = false;
    try {
        co_await loop.run_subgraph(input_of(execution, subgraph), subgraph.persistence, fresh);
    } catch (const RunCancelled&) {
        aborted = true;
    } catch (const boost::system::system_error& error) {
        if (error.code() != boost::asio::error::operation_aborted)
            throw;
        aborted = true;
    }
    if (superstep.run.stragglers.size() > stragglers_before)
        superstep.run.left_levels.push_back(kept_loop);
    if (superstep.is_abandoned())
        throw RunCancelled();
    if (aborted)
        co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
    auto saved = co_await loop.save_rest();
    if (aborted)
        throw RunCancelled();
    if (!saved)
        co_return saved.error();
    co_return update_of(execution, subgraph, loop);
}

}  // namespace dure::graph
