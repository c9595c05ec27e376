// The supersteps of a level; see loop.hpp.
#include "graph/loop.hpp"

#include <algorithm>
#include <utility>

#include "dure/base/timeout.hpp"
#include "graph/frontier.hpp"
#include "graph/snapshot.hpp"

namespace dure::graph {
namespace {

using Stage = SuperstepTask::Stage;

// What the engine itself refused keeps its code; everything else is a failure of the node (F1).
bool is_engine_code(const std::string& reason)
{
    static constexpr std::string_view codes[] = {"INVALID_DESTINATION",
                                                 "INVALID_GRAPH_NODE_RETURN_VALUE",
                                                 "INVALID_CONCURRENT_GRAPH_UPDATE",
                                                 "INVALID_UPDATE",
                                                 "CANCELLED",
                                                 "DRAINED",
                                                 "NODE_TIMEOUT",
                                                 "STEP_TIMEOUT",
                                                 "GRAPH_RECURSION_LIMIT",
                                                 "MISSING_CHECKPOINTER",
                                                 "MULTIPLE_SUBGRAPHS",
                                                 "GRAPH_VERSION_MISMATCH",
                                                 "LEASE_LOST",
                                                 "STORAGE_ERROR",
                                                 "NODE_ERROR"};
    return std::find(std::begin(codes), std::end(codes), reason) != std::end(codes);
}

// The cause stands apart too: whoever handles the failure of a sub-graph has no list of failures.
Error error_of_run(const std::string& node, const Error& cause)
{
    if (is_engine_code(cause.reason()))
        return cause;
    return Error(cause.code(), "Node '" + node + "' failed: " + cause.message())
        .reason("NODE_ERROR")
        .detail(cause.detail())
        .problem({{"nodes", node}, cause.message(), cause.reason()});
}

}  // namespace

Loop::Loop(const Definition& definition, RunScope& run, std::string ns, bool keeps, TaskExecution* above,
           std::string marker)
    : definition_(definition), run_(run), keeper_(definition, run, std::move(ns), keeps), progress_(definition),
      above_(above), marker_(std::move(marker))
{
    if (!marker_.empty())
        keeper_.set_metadata(Json{{"task", marker_}});
}

bool Loop::fail(Error error)
{
    end_.kind = LevelEnd::Kind::failed;
    end_.error = std::move(error);
    return false;
}

bool Loop::something_is_next() const
{
    return !progress_.sent.empty() ||
           std::find(progress_.triggered.begin(), progress_.triggered.end(), true) != progress_.triggered.end();
}

// P6, of the tasks that stand in tasks_.
bool Loop::counts() const
{
    return std::any_of(tasks_.begin(), tasks_.end(), [&](const SuperstepTask& task) {
        return definition_.nodes[task.plan.node].options.counts;
    });
}

// Of the progress, with the count of P6 where it lasts.
Json Loop::frontier() const
{
    auto frontier = frontier_of(definition_, progress_);
    if (!run_.options.limit_span.empty() && counted_ > 0) {
        frontier["counted"] = counted_;
        frontier["counted_in"] = run_.options.limit_span;
    }
    return frontier;
}

// I1, of the tasks that stand in tasks_.
bool Loop::stops(const std::vector<bool>& compiled, const std::vector<std::string>& asked) const
{
    return std::any_of(tasks_.begin(), tasks_.end(), [&](const SuperstepTask& task) {
        const bool root = keeper_.ns().empty();
        return compiled[task.plan.node] || (root && names_node(asked, definition_.nodes[task.plan.node].name));
    });
}

void Loop::stop_here()
{
    end_.kind = LevelEnd::Kind::interrupted;
}

Task<void> Loop::supersteps()
{
    while (true) {
        tasks_ = tasks_of(plan(definition_, progress_));
        if (tasks_.empty())
            break;
        if (run_.options.drains && run_.options.drains->load(std::memory_order_relaxed)) {
            fail(Error(Errc::cancelled, "The run stopped between two supersteps and can go on.").reason("DRAINED"));
            co_return;
        }
        if (!continues_ && stops(definition_.stop_before, run_.options.interrupt_before))
            co_return stop_here();
        if (counted_ >= run_.options.recursion_limit && counts()) {
            fail(Error(Errc::internal,
                       "The graph did not end within " + std::to_string(run_.options.recursion_limit) + " supersteps.")
                     .reason("GRAPH_RECURSION_LIMIT"));
            co_return;
        }
        const bool stops_after = stops(definition_.stop_after, run_.options.interrupt_after);
        continues_ = false;
        if (!co_await superstep())
            co_return;
        if (stops_after && something_is_next()) {
            tasks_ = tasks_of(plan(definition_, progress_));
            co_return stop_here();
        }
    }
    end_.kind = LevelEnd::Kind::success;
}

// What pending writes say of a task: results are kept (F2), open questions wait (I6), answers and steps are at hand.
// GRAPH_VERSION_MISMATCH: a kept result leads to a node that the graph does not have any more (D11).
Result<void> Loop::remember(SuperstepTask& task, const std::vector<const PendingWrite*>& writes)
{
    using Kind = PendingWrite::Kind;
    if (writes.empty())
        return {};
    task.memory = std::make_unique<TaskMemory>();
    auto& memory = *task.memory;
    std::map<std::string, const Json*> answers;
    for (const auto* write : writes) {
        switch (write->kind) {
        case Kind::result: {
            auto finished = result_from(definition_, task.plan.node, write->data);
            if (!finished)
                return finished.error();
            task.finished = std::move(*finished);
            task.stage = Stage::finished;
            task.kept = task.stored = true;
            break;
        }
        case Kind::error: memory.failure = error_from(write->data); break;
        case Kind::interrupt: task.interrupts.push_back(interrupt_from(write->data)); break;
        case Kind::answer: answers[write->key] = &write->data.at("value"); break;
        case Kind::step: memory.steps[write->key] = write->data; break;
        case Kind::handed: memory.handed = error_from(write->data); break;
        case Kind::begun: break;   // that there is a memory says it
        }
    }
    for (std::size_t k = 0; answers.contains(std::to_string(k)); ++k)
        memory.answers.push_back(*answers[std::to_string(k)]);
    if (task.finished) {
        task.interrupts.clear();
        return {};
    }
    const bool subgraph = definition_.nodes[task.plan.node].subgraph != nullptr;
    std::erase_if(task.interrupts, [&](const OpenInterrupt& one) { return !subgraph && answers.contains(one.key); });
    if (subgraph) {
        // Answers to a sub-graph's questions stand in its own namespace.
        const auto before = task.interrupts.size();
        std::erase_if(task.interrupts, [&](const OpenInterrupt& one) { return run_.answered.contains(one.id); });
        if (before != task.interrupts.size()) {
            task.interrupts.clear();
            return {};
        }
    }
    if (!task.interrupts.empty() && !run_.executes_open) {
        task.stage = Stage::open;
        task.stored = true;
    } else {
        task.interrupts.clear();
    }
    return {};
}

// T5: a result that is there already is announced once more.
Task<bool> Loop::announce_kept(Superstep& superstep)
{
    for (auto& task : tasks_)
        if (task.kept)
            if (auto told = co_await tell_outcome(superstep, task); !told)
                co_return fail(told.error());
    co_return true;
}

Task<bool> Loop::run_within_step_timeout(Superstep& superstep)
{
    std::optional<Error> failure;
    const auto work = [&]() -> Task<void> {
        try {
            if (auto ran = co_await run_tasks(superstep); !ran)
                failure = ran.error();
        } catch (const RunCancelled&) {
            throw boost::system::system_error(boost::asio::error::operation_aborted);
        }
    };
    if (!co_await with_timeout(work(), Deadline::after(run_.options.step_timeout)))
        for (auto& task : tasks_)
            if (task.stage == Stage::ready) {
                task.stage = Stage::failed;
                task.failure = Error(Errc::timeout, "The superstep took too long.").reason("STEP_TIMEOUT");
            }
    co_return failure ? fail(*failure) : true;
}

// False: the level has ended.
Task<bool> Loop::superstep()
{
    ++supersteps_;
    counted_ += counts() ? 1 : 0;
    if (keeper_.ns().empty())
        run_.result.supersteps = counted_;
    auto& superstep = open_.emplace(Superstep{definition_, run_, keeper_, progress_.state,
                                              keeper_.stored() ? keeper_.step() + 1 : supersteps_,
                                              run_.options.recursion_limit - counted_, tasks_, 0, false});
    superstep.continued = std::exchange(read_back_, false);
    superstep.above = above_;
    if (!pending_.empty()) {
        for (auto& task : tasks_) {
            std::vector<const PendingWrite*> own;
            for (const auto& write : pending_)
                if (write.task == superstep.id_of(task))
                    own.push_back(&write);
            if (auto known = remember(task, own); !known)
                co_return fail(known.error());
        }
        pending_.clear();
        if (!co_await announce_kept(superstep))
            co_return false;
    }
    if (run_.options.step_timeout.count() > 0) {
        if (!co_await run_within_step_timeout(superstep))
            co_return false;
    } else if (auto ran = co_await run_tasks(superstep); !ran) {
        co_return fail(ran.error());
    }
    for (auto& task : tasks_)
        if (task.finished && task.finished->update.to_parent) {
            end_.kind = LevelEnd::Kind::to_parent;
            end_.command = std::move(task.finished->update);
            end_.command.to_parent = false;
            co_return false;
        }
    const bool whole =
        std::all_of(tasks_.begin(), tasks_.end(), [](const auto& task) { return task.finished.has_value(); });
    co_return whole ? co_await finish_superstep(superstep) : co_await leave_open(superstep);
}

Task<bool> Loop::finish_superstep(Superstep& superstep)
{
    std::vector<const FinishedTask*> finished;
    finished.reserve(tasks_.size());
    for (auto& task : tasks_)
        finished.push_back(&*task.finished);
    auto changes = apply(definition_, progress_, finished, run_.result.warnings);
    if (!changes)
        co_return co_await discard(superstep, changes.error());
    const bool changed = !changes->empty();
    const bool tells = run_.emitter.speaks();
    const bool tells_first = run_.emitter.holds_until_durable();
    Batch batch;
    if (keeper_.keeps())
        keeper_.add(Source::loop, progress_, &*changes, frontier(), batch);
    if (tells && tells_first && !co_await tell_superstep(superstep, changed))
        co_return false;
    if (keeper_.keeps())
        if (auto saved = co_await run_.saver.save(std::move(batch)); !saved)
            co_return fail(saved.error());
    if (tells && !tells_first && !co_await tell_superstep(superstep, changed))
        co_return false;
    tasks_.clear();
    co_return true;
}

Task<bool> Loop::tell_superstep(Superstep& superstep, bool changed)
{
    if (!co_await tell_all(superstep))
        co_return false;
    if (changed && !co_await tell_values())
        co_return false;
    co_return co_await tell_checkpoint();
}

// Failures, questions, or both: what there is becomes durable, then known.
Task<bool> Loop::leave_open(Superstep& superstep)
{
    if (keeper_.keeps()) {
        Batch batch;
        for (auto& task : tasks_)
            add_outcome(superstep, task, batch);
        if (run_.emitter.holds_until_durable() && !co_await tell_all(superstep))
            co_return false;
        if (auto saved = co_await run_.saver.save(std::move(batch)); !saved)
            co_return fail(saved.error());
    }
    if (!co_await tell_all(superstep))
        co_return false;
    const SuperstepTask* first = nullptr;
    for (auto& task : tasks_) {
        end_.interrupts.insert(end_.interrupts.end(), task.interrupts.begin(), task.interrupts.end());
        if (!task.failure)
            continue;
        first = first ? first : &task;
        if (keeper_.ns().empty())
            run_.result.failures.emplace_back(superstep.node(task).name, *task.failure, task.attempts);
    }
    if (first)
        co_return fail(error_of_run(superstep.node(*first).name, *first->failure));
    stop_here();
    co_return false;
}

// S10: no update is applied, no result kept, and all tasks carry the error.
Task<bool> Loop::discard(Superstep& superstep, const Error& error)
{
    if (keeper_.keeps()) {
        Batch batch;
        batch.drops.push_back(PendingDrop{keeper_.ns(), false, keeper_.position().id, {}, {}});
        for (auto& task : tasks_)
            batch.pending.push_back(superstep.pending(task, PendingWrite::Kind::error, "", error_json(error)));
        keeper_.mark_pending();
        if (run_.emitter.holds_until_durable() && !co_await tell_all(superstep))
            co_return false;
        if (auto saved = co_await run_.saver.save(std::move(batch)); !saved)
            co_return fail(saved.error());
    }
    if (!co_await tell_all(superstep))
        co_return false;
    for (auto& task : tasks_)
        task.finished.reset();
    co_return fail(error);
}

Task<bool> Loop::tell_all(Superstep& superstep)
{
    for (auto& task : tasks_)
        if (task.stage != Stage::ready && !task.told)
            if (auto told = co_await tell_outcome(superstep, task); !told)
                co_return fail(told.error());
    co_return true;
}

Task<bool> Loop::tell_values()
{
    if (!run_.emitter.wants(Mode::values, keeper_.ns()))
        co_return true;
    auto told = co_await run_.emitter.emit(Mode::values, keeper_.ns(), progress_.state.to_json());
    co_return told ? true : fail(told.error());
}

bool Loop::tells_checkpoints() const
{
    return keeper_.keeps() && run_.emitter.wants_or_debugs(Mode::checkpoints, keeper_.ns());
}

Task<bool> Loop::tell_checkpoint()
{
    if (!tells_checkpoints())
        co_return true;
    auto snapshot = snapshot_of(definition_, run_.options.thread, keeper_.position(), progress_);
    auto told =
        co_await run_.emitter.emit_with_debug(Mode::checkpoints, keeper_.ns(), keeper_.step(), to_json(snapshot));
    co_return told ? true : fail(told.error());
}

Task<Result<void>> Loop::save_rest()
{
    const bool lost = end_.error && (end_.error->reason() == "LEASE_LOST" || end_.error->reason() == "STORAGE_ERROR");
    if (!keeper_.keeps() || lost)
        co_return Result<void>();
    Batch batch;
    Superstep superstep{definition_, run_, keeper_, progress_.state, keeper_.step() + 1, 0, tasks_, 0, false};
    if (end_.kind != LevelEnd::Kind::to_parent)
        for (auto& task : tasks_)
            add_outcome(superstep, task, batch);
    keeper_.add_last(progress_, batch);
    if (run_.options.durability == Durability::exit && !keeper_.ns().empty())
        run_.left.insert_or_assign(keeper_.ns(), LeftLevel{keeper_.position(), progress_.state});
    co_return co_await run_.saver.save(std::move(batch));
}

void Loop::fill(RunResult& into)
{
    // A superstep that did not end is as if it had not begun: its tasks without result are next (S10, F3).
    for (const auto& task : tasks_)
        if (!task.finished || !keeper_.keeps())
            into.next.push_back(definition_.nodes[task.plan.node].name);
    for (const auto& one : end_.interrupts)
        into.interrupts.push_back(Interrupt{one.id, one.value, one.node, one.ns});
    into.checkpoint = keeper_.position().id;
    into.output = output_values(definition_, progress_.state);
    into.state = run_.stragglers.empty() ? std::move(progress_.state) : progress_.state;  // they may be looking at it
}

}  // namespace dure::graph
