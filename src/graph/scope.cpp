// Saver; see scope.hpp.
#include "graph/scope.hpp"

#include <algorithm>
#include <iterator>

namespace dure::graph {
namespace {

template <class T>
void move_to_end(std::vector<T>& from, std::vector<T>& to)
{
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

template <class T>
bool none_or_one_of(const std::vector<T>& wanted, const T& one)
{
    return wanted.empty() || std::find(wanted.begin(), wanted.end(), one) != wanted.end();
}

bool reaches(const PendingDrop& drop, const PendingWrite& write)
{
    const bool below = drop.below && (drop.ns.empty() ? !write.ns.empty() : write.ns.starts_with(drop.ns + "|"));
    return (write.ns == drop.ns || below) && (drop.checkpoint.empty() || drop.checkpoint == write.checkpoint) &&
           none_or_one_of(drop.tasks, write.task) && none_or_one_of(drop.kinds, write.kind);
}

}  // namespace

Task<Result<void>> Saver::save(Batch batch)
{
    if (batch.empty())
        co_return Result<void>();
    if (options_.durability == Durability::sync)
        co_return co_await options_.checkpointer->save(options_.thread, std::move(batch));
    if (options_.durability == Durability::exit) {
        hold(std::move(batch));
        co_return Result<void>();
    }
    if (!behind_)
        behind_ = std::make_unique<TaskGroup>(executor_);
    co_await behind_->wait();
    if (failure_)
        co_return *failure_;
    behind_->spawn(save_behind(std::move(batch)));
    co_return Result<void>();
}

// In one batch the drops come first, so what they reach among what is held goes now.
void Saver::hold(Batch batch)
{
    for (const auto& drop : batch.drops)
        std::erase_if(held_.pending, [&](const PendingWrite& write) { return reaches(drop, write); });
    move_to_end(batch.drops, held_.drops);
    move_to_end(batch.pending, held_.pending);
    move_to_end(batch.checkpoints, held_.checkpoints);
}

std::vector<PendingWrite> Saver::held_pending(const std::string& ns, const std::string& checkpoint) const
{
    std::vector<PendingWrite> own;
    for (const auto& write : held_.pending)
        if (write.ns == ns && write.checkpoint == checkpoint)
            own.push_back(write);
    return own;
}

Task<void> Saver::save_behind(Batch batch)
{
    if (auto saved = co_await options_.checkpointer->save(options_.thread, std::move(batch)); !saved)
        failure_ = saved.error();
}

Task<Result<void>> Saver::save_now(Batch batch)
{
    if (auto before = co_await flush(); !before)
        co_return before;
    if (batch.empty())
        co_return Result<void>();
    co_return co_await options_.checkpointer->save(options_.thread, std::move(batch));
}

Task<Result<void>> Saver::flush()
{
    if (behind_)
        co_await behind_->wait();
    if (failure_)
        co_return *failure_;
    if (held_.empty())
        co_return Result<void>();
    co_return co_await options_.checkpointer->save(options_.thread, std::exchange(held_, Batch()));
}

Task<void> RunScope::wait(Signal& signal, Steady::time_point until) const
{
    return options.timekeeper ? options.timekeeper->wait(signal, until) : signal.wait(until);
}

Task<void> RunScope::pause(Steady::duration length) const
{
    Signal nobody(executor);
    const auto until = steady_now() + length;
    while (steady_now() < until)
        co_await wait(nobody, until);
}

Json stored_interrupt(const OpenInterrupt& interrupt)
{
    auto stored = Json::object();
    stored["id"] = interrupt.id;
    stored["value"] = interrupt.value;
    stored["node"] = interrupt.node;
    stored["ns"] = interrupt.ns;
    stored["checkpoint"] = interrupt.checkpoint;
    stored["task"] = interrupt.task;
    stored["key"] = interrupt.key;
    return stored;
}

OpenInterrupt interrupt_from(const Json& stored)
{
    OpenInterrupt interrupt;
    interrupt.id = stored.at("id").get<std::string>();
    interrupt.value = stored.at("value");
    interrupt.node = stored.at("node").get<std::string>();
    interrupt.ns = stored.at("ns").get<std::string>();
    interrupt.checkpoint = stored.at("checkpoint").get<std::string>();
    interrupt.task = stored.at("task").get<std::string>();
    interrupt.key = stored.at("key").get<std::string>();
    return interrupt;
}

}  // namespace dure::graph
