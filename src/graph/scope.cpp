// Saver; see scope.hpp.
#include "graph/scope.hpp"

#include <iterator>

namespace dure::graph {
namespace {

template <class T>
void move_to_end(std::vector<T>& from, std::vector<T>& to)
{
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

}  // namespace

Task<Result<void>> Saver::save(Batch batch)
{
    if (batch.empty())
        co_return Result<void>();
    if (options_.durability == Durability::sync)
        co_return co_await options_.checkpointer->save(options_.thread, std::move(batch));
    if (options_.durability == Durability::exit) {
        move_to_end(batch.drops, held_.drops);
        move_to_end(batch.pending, held_.pending);
        move_to_end(batch.checkpoints, held_.checkpoints);
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
