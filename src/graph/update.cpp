// update_state (K5); see graph.hpp.
#include <boost/asio/this_coro.hpp>

#include "graph/frontier.hpp"
#include "graph/still_run.hpp"
#include "graph/superstep.hpp"

namespace dure::graph {
namespace {

Error invalid(std::string text)
{
    return Error(Errc::invalid_argument, std::move(text)).reason("INVALID_UPDATE");
}

// The node that wrote last; START while none has.
Result<std::string> last_writer(const Definition& definition, const Progress& progress)
{
    if (progress.wrote.size() > 1)
        return Error(Errc::invalid_argument, "Several nodes wrote last: name the one the update is of.")
            .reason("AMBIGUOUS_UPDATE");
    return progress.wrote.empty() ? std::string(start) : definition.nodes[progress.wrote.front()].name;
}

// Results of finished tasks count; the unfinished tasks of the open superstep are given up.
Result<void> settle_open_superstep(const Definition& definition, const std::string& thread, const Checkpoint& at,
                                   const std::vector<PendingWrite>& pending, Progress& progress)
{
    std::vector<FinishedTask> finished;
    for (const auto& open : tasks_of(plan(definition, progress))) {
        const auto& node = definition.nodes[open.plan.node].name;
        const auto id = make_task_id(thread, at.ns, at.id, node, open.plan, open.send_index);
        for (const auto& write : pending)
            if (write.task == id && write.kind == PendingWrite::Kind::result) {
                auto task = result_from(definition, open.plan.node, write.data);
                if (!task)
                    return task.error();
                finished.push_back(std::move(*task));
            }
    }
    std::vector<const FinishedTask*> pointers;
    for (const auto& task : finished)
        pointers.push_back(&task);
    const auto arrived = progress.arrived;
    drop_open(progress);
    progress.arrived = arrived;
    Warnings ignored;
    const auto wrote = progress.wrote;
    if (auto applied = apply(definition, progress, pointers, ignored); !applied)
        return applied.error();
    if (finished.empty())
        progress.wrote = wrote;
    return {};
}

// Stored whole: what was folded in is gone when the checkpoint is made.
Result<Changes> as_whole_values(Result<Changes> changes)
{
    if (changes)
        for (auto& change : *changes)
            change = ChannelChange{change.channel, true, {}};
    return changes;
}

Result<Changes> apply_update(const Definition& definition, Progress& progress, const Update& values,
                             const std::string& as_node)
{
    Warnings ignored;
    if (as_node == end)
        return as_whole_values(apply_command(definition, progress, Update(values.values), ignored));
    if (as_node == start) {
        auto known = known_input(definition, values.values);
        if (!known)
            return known.error();
        return as_whole_values(accept_input(definition, progress, *known, ignored));
    }
    const auto node = definition.find(as_node);
    if (!node)
        return invalid("The graph has no node '" + as_node + "'.");
    return apply_as(definition, progress, *node, values, ignored);
}

}  // namespace

Task<Result<std::string>> CompiledGraph::update_state(Checkpointer& checkpointer, std::string thread, Update values,
                                                      std::string as_node, std::string at) const
{
    const auto definition = definition_;
    if (!values.values.is_object() && !values.values.is_null())
        co_return invalid("An update is an object of channels.");
    StillRun still(co_await boost::asio::this_coro::executor, checkpointer, thread);
    Progress progress(*definition);
    ThreadKeeper keeper(*definition, still.scope, "", true);
    std::vector<PendingWrite> pending;
    auto loaded = co_await keeper.load("", progress, pending);
    if (loaded && !at.empty() && keeper.position().id != at) {
        keeper.set_newest(keeper.position().id);
        loaded = co_await keeper.load(at, progress, pending);
        pending.clear();
        if (loaded && !*loaded)
            co_return Error(Errc::not_found, "The thread has no checkpoint '" + at + "'.");
    }
    if (!loaded)
        co_return loaded.error();
    if (keeper.stored())
        if (auto settled = settle_open_superstep(*definition, thread, keeper.position(), pending, progress); !settled)
            co_return settled.error();
    if (as_node.empty()) {
        auto writer = last_writer(*definition, progress);
        if (!writer)
            co_return writer.error();
        as_node = std::move(*writer);
    }
    const bool first = !keeper.stored();
    auto changes = apply_update(*definition, progress, values, as_node);
    if (!changes)
        co_return changes.error();
    Batch batch;
    keeper.add(Source::update, progress, first || !pending.empty() ? nullptr : &*changes,
               frontier_of(*definition, progress), batch);
    const auto id = keeper.position().id;
    if (auto saved = co_await checkpointer.save(thread, std::move(batch)); !saved)
        co_return saved.error();
    co_return id;
}

}  // namespace dure::graph
