// Ids and pending writes of tasks, and the NodeContext over an execution; see superstep.hpp and node.hpp.
#include "graph/superstep.hpp"

#include "dure/base/text.hpp"
#include "graph/frontier.hpp"

namespace dure::graph {
namespace {

Error not_awaited()
{
    return Error(Errc::cancelled, "The run does not wait for this node any more.").reason("CANCELLED");
}

std::string short_hash(const std::string& text)
{
    return hex(sha256(text)).substr(0, 32);
}

}  // namespace

bool Superstep::is_abandoned() const
{
    return abandoned || (above && above->superstep.is_abandoned());
}

const std::string& Superstep::id_of(SuperstepTask& task) const
{
    if (task.id.empty())
        task.id = make_task_id(run.options.thread.empty() ? run.result.run : run.options.thread, ns(),
                               keeper.place(step), node(task).name, task.plan, task.send_index);
    return task.id;
}

std::vector<SuperstepTask> tasks_of(std::vector<PlannedTask> planned)
{
    std::vector<SuperstepTask> tasks;
    tasks.reserve(planned.size());
    std::size_t sent = 0;
    for (auto& plan : planned) {
        auto& task = tasks.emplace_back();
        task.plan = std::move(plan);
        if (task.plan.argument)
            task.send_index = sent++;
    }
    return tasks;
}

std::string make_task_id(const std::string& thread, const std::string& ns, const std::string& place,
                         const std::string& node, const PlannedTask& plan, std::size_t send_index)
{
    auto text = thread + '\n' + ns + '\n' + place + '\n' + node;
    text += plan.argument ? "\npush " + std::to_string(send_index) : "\npull";
    return short_hash(text);
}

Json make_task_path(const std::string& node, const PlannedTask& plan, std::size_t send_index)
{
    auto path = Json::array();
    path.push_back(plan.argument ? "push" : "pull");
    path.push_back(plan.argument ? Json(send_index) : Json(node));
    return path;
}

Json Superstep::path_of(const SuperstepTask& task) const
{
    return make_task_path(node(task).name, task.plan, task.send_index);
}

PendingWrite Superstep::pending(SuperstepTask& task, PendingWrite::Kind kind, std::string key, Json data) const
{
    return PendingWrite{ns(), keeper.position().id, id_of(task), kind, std::move(key), std::move(data)};
}

void TaskExecution::narrow()
{
    const auto& visible = superstep.node(task).visible;
    if (visible.empty())
        return;
    narrowed_.emplace(superstep.snapshot);
    for (std::size_t i = 0; i < visible.size(); ++i)
        if (!visible[i])
            narrowed_->value(i) = nullptr;
    state_ = &*narrowed_;
}

const State& NodeContext::state() const
{
    return execution_.state();
}
const Json* NodeContext::argument() const
{
    return execution_.task.plan.argument.get();
}
const std::string& NodeContext::node() const
{
    return execution_.superstep.node(execution_.task).name;
}
std::int64_t NodeContext::step() const
{
    return execution_.superstep.step;
}
std::int64_t NodeContext::remaining_steps() const
{
    return execution_.superstep.remaining;
}
int NodeContext::attempt() const
{
    return execution_.task.attempts;
}
const std::string& NodeContext::task_id() const
{
    return execution_.superstep.id_of(execution_.task);
}
const std::string& NodeContext::run_id() const
{
    return execution_.superstep.run.result.run;
}
const std::string& NodeContext::thread_id() const
{
    return execution_.superstep.run.options.thread;
}
const std::string& NodeContext::ns() const
{
    return execution_.superstep.ns();
}
Store* NodeContext::store() const
{
    return execution_.superstep.run.options.store;
}
Deadline NodeContext::deadline() const
{
    return execution_.deadline;
}
const std::any& NodeContext::services() const
{
    return execution_.superstep.run.options.context;
}
void NodeContext::heartbeat()
{
    execution_.active();
}

std::string NodeContext::idempotency_key(std::string_view call) const
{
    return call.empty() ? task_id() : task_id() + "/" + std::string(call);
}

Task<Result<void>> NodeContext::emit_message(Json chunk)
{
    execution_.active();
    auto& superstep = execution_.superstep;
    if (superstep.is_abandoned())
        co_return not_awaited();
    if (!superstep.run.emitter.wants(Mode::messages, superstep.ns()))
        co_return Result<void>();
    auto metadata = Json::object();
    metadata["node"] = node();
    metadata["step"] = step();
    metadata["task"] = task_id();
    metadata["ns"] = superstep.ns();
    if (const auto& tags = superstep.node(execution_.task).options.tags; !tags.empty())
        metadata["tags"] = tags;
    auto data = Json::array();
    data.push_back(std::move(chunk));
    data.push_back(std::move(metadata));
    co_return co_await superstep.run.emitter.emit(Mode::messages, superstep.ns(), std::move(data));
}

Task<Result<void>> NodeContext::emit_custom(Json data)
{
    execution_.active();
    auto& superstep = execution_.superstep;
    if (superstep.is_abandoned())
        co_return not_awaited();
    if (!superstep.run.emitter.wants(Mode::custom, superstep.ns()))
        co_return Result<void>();
    co_return co_await superstep.run.emitter.emit(Mode::custom, superstep.ns(), std::move(data));
}

Task<Result<Json>> NodeContext::interrupt(Json value)
{
    auto& task = execution_.task;
    auto& superstep = execution_.superstep;
    if (superstep.is_abandoned())
        co_return not_awaited();
    if (!superstep.keeper.keeps())
        co_return Error(Errc::invalid_argument,
                        "Node '" + node() + "' asks a person, which needs a checkpointer and a thread.")
            .reason("MISSING_CHECKPOINTER");
    const auto k = execution_.asked++;
    if (task.memory && k < task.memory->answers.size())
        co_return task.memory->answers[k];
    if (!execution_.interrupted) {
        execution_.interrupted = true;
        OpenInterrupt open;
        open.key = std::to_string(k);
        open.id = short_hash(task_id() + " " + open.key);
        open.value = std::move(value);
        open.node = node();
        open.ns = superstep.ns();
        open.checkpoint = superstep.keeper.position().id;
        open.task = task_id();
        task.interrupts.push_back(std::move(open));
    }
    co_return Error(Errc::cancelled, "The node waits for an answer.").reason("INTERRUPTED");
}

Task<Result<Json>> NodeContext::step(std::string name, std::function<Task<Result<Json>>()> work)
{
    auto& task = execution_.task;
    auto& superstep = execution_.superstep;
    execution_.active();
    if (superstep.is_abandoned())
        co_return not_awaited();
    if (!execution_.steps_used.insert(name).second)
        co_return Error(Errc::invalid_argument,
                        "Step '" + name + "' of node '" + node() + "' was used before in this task.");
    if (task.memory)
        if (const auto known = task.memory->steps.find(name); known != task.memory->steps.end())
            co_return known->second;
    auto done = co_await work();
    if (!done)
        co_return done;
    if (superstep.is_abandoned())
        co_return not_awaited();
    execution_.active();
    if (!task.memory)
        task.memory = std::make_unique<TaskMemory>();
    task.memory->steps[name] = *done;   // a retry of this run finds it too
    if (superstep.keeper.keeps()) {
        Batch batch;
        batch.pending.push_back(superstep.pending(task, PendingWrite::Kind::step, name, *done));
        superstep.keeper.mark_pending();
        auto saved = superstep.durable() ? co_await superstep.run.saver.save_now(std::move(batch))
                                         : co_await superstep.run.saver.save(std::move(batch));
        if (!saved)
            co_return saved.error();
    }
    co_return done;
}

}  // namespace dure::graph
