// get_state, history, update_state (K3–K5); see graph.hpp and snapshot.hpp.
#include "graph/snapshot.hpp"

#include <algorithm>

#include "graph/frontier.hpp"
#include "graph/still_run.hpp"
#include "graph/superstep.hpp"

namespace dure::graph {
namespace {

using Kind = PendingWrite::Kind;

std::vector<SuperstepTask> next_tasks(const Definition& definition, Progress progress)
{
    return tasks_of(plan(definition, progress));
}

void add_pending(TaskSnapshot& shown, const PendingWrite& write, const std::vector<PendingWrite>& all)
{
    if (write.kind == Kind::result) {
        const auto& writes = write.data.at("writes");
        shown.result = writes.size() == 1 ? writes.at(0) : writes;
    } else if (write.kind == Kind::error) {
        shown.error = write.data;
    } else if (write.kind == Kind::interrupt) {
        const bool answered = std::any_of(all.begin(), all.end(), [&](const PendingWrite& other) {
            return other.kind == Kind::answer && other.task == write.task && other.key == write.key;
        });
        const auto one = interrupt_from(write.data);
        if (!answered)
            shown.interrupts.push_back(Interrupt{one.id, one.value, one.node, one.ns});
    }
}

// The whole state as far as checkpoints hold it: without untracked channels (S8).
Json stored_values(const Definition& definition, const State& state)
{
    auto values = Json::object();
    for (std::size_t i = 0; i < state.size(); ++i)
        if (definition.reducers[i].tracked && state.value(i))
            values[state.name(i)] = *state.value(i);
    return values;
}

// The head as K3 wants it: results of finished tasks count in the values, and their tasks are not next.
void apply_pending(const Definition& definition, const Progress& progress, const std::vector<PendingWrite>& pending,
                   StateSnapshot& snapshot)
{
    const auto tasks = next_tasks(definition, progress);
    std::vector<FinishedTask> finished;
    snapshot.next.clear();
    for (std::size_t i = 0; i < tasks.size(); ++i) {
        auto& shown = snapshot.tasks[i];
        for (const auto& write : pending)
            if (write.task == shown.id)
                add_pending(shown, write, pending);
        if (!shown.result) {
            snapshot.next.push_back(shown.node);
            continue;
        }
        shown.error.reset();
        shown.interrupts.clear();
        for (const auto& write : pending)
            if (write.task == shown.id && write.kind == Kind::result)
                if (auto task = result_from(definition, tasks[i].plan.node, write.data))
                    finished.push_back(std::move(*task));
    }
    auto shown_progress = progress;
    Warnings ignored;
    std::vector<const FinishedTask*> pointers;
    for (const auto& task : finished)
        pointers.push_back(&task);
    if (apply(definition, shown_progress, pointers, ignored))
        snapshot.values = stored_values(definition, shown_progress.state);
}

}  // namespace

Json output_values(const Definition& definition, const State& state)
{
    auto values = Json::object();
    for (std::size_t i = 0; i < state.size(); ++i)
        if (definition.output_channels[i] && state.value(i))
            values[state.name(i)] = *state.value(i);
    return values;
}

StateSnapshot snapshot_of(const Definition& definition, const std::string& thread, const Checkpoint& checkpoint,
                          const Progress& progress)
{
    StateSnapshot snapshot;
    snapshot.values = stored_values(definition, progress.state);
    snapshot.thread = thread;
    snapshot.ns = checkpoint.ns;
    snapshot.checkpoint = checkpoint.id;
    snapshot.parent = checkpoint.parent;
    snapshot.run = checkpoint.run;
    snapshot.step = checkpoint.step;
    snapshot.source = checkpoint.source;
    snapshot.metadata = checkpoint.metadata;
    snapshot.created_at = checkpoint.created_at;
    if (checkpoint.frontier.contains("input")) {
        snapshot.next.emplace_back(start);
        return snapshot;
    }
    for (auto& task : next_tasks(definition, progress)) {
        TaskSnapshot shown;
        shown.node = definition.nodes[task.plan.node].name;
        shown.id = make_task_id(thread, checkpoint.ns, checkpoint.id, shown.node, task.plan, task.send_index);
        shown.path = make_task_path(shown.node, task.plan, task.send_index);
        snapshot.next.push_back(shown.node);
        snapshot.tasks.push_back(std::move(shown));
    }
    return snapshot;
}

Json to_json(const Interrupt& interrupt)
{
    auto shown = Json::object();
    shown["id"] = interrupt.id;
    shown["value"] = interrupt.value;
    shown["node"] = interrupt.node;
    shown["ns"] = interrupt.ns;
    return shown;
}

Json to_json(const StateSnapshot& snapshot)
{
    auto shown = Json::object();
    shown["values"] = snapshot.values;
    shown["next"] = snapshot.next;
    shown["thread"] = snapshot.thread;
    shown["ns"] = snapshot.ns;
    shown["checkpoint"] = snapshot.checkpoint;
    shown["parent"] = snapshot.parent.empty() ? Json() : Json(snapshot.parent);
    shown["run"] = snapshot.run;
    shown["step"] = snapshot.step;
    shown["source"] = name_of(snapshot.source);
    shown["metadata"] = snapshot.metadata;
    shown["created_at"] = rfc3339(snapshot.created_at);
    auto tasks = Json::array();
    for (const auto& task : snapshot.tasks) {
        auto one = Json::object();
        one["id"] = task.id;
        one["name"] = task.node;
        one["path"] = task.path;
        one["error"] = task.error.value_or(Json());
        one["interrupts"] = Json::array();
        for (const auto& interrupt : task.interrupts)
            one["interrupts"].push_back(to_json(interrupt));
        if (task.result)
            one["result"] = *task.result;
        if (task.state)
            one["state"] = to_json(*task.state);
        tasks.push_back(std::move(one));
    }
    shown["tasks"] = std::move(tasks);
    return shown;
}

namespace {

Task<Result<std::optional<StateSnapshot>>> read_state(std::shared_ptr<const Definition> definition, StillRun& still,
                                                      std::string ns, std::string checkpoint, bool subgraphs)
{
    Progress progress(*definition);
    ThreadKeeper keeper(*definition, still.scope, ns, true);
    std::vector<PendingWrite> pending;
    auto loaded = co_await keeper.load(checkpoint, progress, pending);
    if (!loaded)
        co_return loaded.error();
    if (!*loaded)
        co_return std::optional<StateSnapshot>();
    auto snapshot = snapshot_of(*definition, still.options.thread, keeper.position(), progress);
    if (checkpoint.empty() && !pending.empty())
        apply_pending(*definition, progress, pending, snapshot);
    if (!subgraphs)
        co_return snapshot;
    for (auto& task : snapshot.tasks) {
        const auto& node = definition->nodes[*definition->find(task.node)];
        if (!node.subgraph || task.result)
            continue;
        auto inner = (ns.empty() ? "" : ns + "|") + task.node +
                     (node.subgraph->persistence == Persistence::own ? "" : ":" + task.id);
        auto state = co_await read_state(node.subgraph->graph.definition(), still, std::move(inner), "", true);
        if (!state)
            co_return state.error();
        if (*state)
            task.state = std::make_shared<StateSnapshot>(std::move(**state));
    }
    co_return snapshot;
}

// The graph of a namespace: "a:task|b" is the sub-graph b of the sub-graph a.
std::shared_ptr<const Definition> definition_of(std::shared_ptr<const Definition> definition, std::string_view ns)
{
    while (!ns.empty() && definition) {
        const auto part = ns.substr(0, ns.find('|'));
        const auto node = definition->find(part.substr(0, part.find(':')));
        definition =
            node && definition->nodes[*node].subgraph ? definition->nodes[*node].subgraph->graph.definition() : nullptr;
        ns = part.size() == ns.size() ? std::string_view() : ns.substr(part.size() + 1);
    }
    return definition;
}

}  // namespace

Task<Result<std::optional<StateSnapshot>>> CompiledGraph::get_state(Checkpointer& checkpointer, std::string thread,
                                                                    std::string checkpoint, bool subgraphs) const
{
    StillRun still(co_await boost::asio::this_coro::executor, checkpointer, thread);
    co_return co_await read_state(definition_, still, "", std::move(checkpoint), subgraphs);
}

Task<Result<std::vector<StateSnapshot>>> CompiledGraph::history(Checkpointer& checkpointer, std::string thread,
                                                                HistoryOptions options) const
{
    const auto definition = definition_of(definition_, options.ns);
    if (!definition)
        co_return Error(Errc::not_found, "The graph has no sub-graph at '" + options.ns + "'.");
    StillRun still(co_await boost::asio::this_coro::executor, checkpointer, thread);
    auto stored = co_await checkpointer.history(
        thread, HistoryQuery{options.ns, options.metadata, options.before, options.limit});
    if (!stored)
        co_return stored.error();
    std::vector<StateSnapshot> snapshots;
    for (auto& one : *stored) {
        Progress progress(*definition);
        ThreadKeeper keeper(*definition, still.scope, options.ns, true);
        if (auto taken = keeper.take(std::move(one), progress); !taken)
            co_return taken.error();
        snapshots.push_back(snapshot_of(*definition, thread, keeper.position(), progress));
    }
    co_return snapshots;
}

}  // namespace dure::graph
