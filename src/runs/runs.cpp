// See runs.hpp.
#include "dure/runs/runs.hpp"

#include <boost/asio/this_coro.hpp>

#include "dure/runs/worker.hpp"
#include "runs/batch_writer.hpp"
#include "runs/run_rows.hpp"
#include "runs/storage_retry.hpp"
#include "runs/thread_care.hpp"

namespace dure::runs {

Task<Result<Run>> Runs::start(Run fresh, Multitask multitask)
{
    fresh.id = new_id();
    fresh.created_at = clock_.now();
    auto started = co_await database_.write([&](sql::Connection& c) { return RunRows(c).start(fresh, multitask); });
    if (started)
        wake_workers(multitask == Multitask::interrupt || multitask == Multitask::rollback);
    co_return started;
}

Task<Result<Run>> Runs::resume(std::string id, std::string owner, Json input)
{
    auto back = co_await database_.write([&](sql::Connection& c) { return RunRows(c).resume(id, owner, input); });
    if (back)
        wake_workers(false);
    co_return back;
}

Task<Result<Run>> Runs::stop(std::string id, std::string owner, Stop how)
{
    const auto now = clock_.now();
    auto stopped = co_await database_.write([&](sql::Connection& c) { return RunRows(c).stop(id, owner, how, now); });
    if (stopped) {
        wake_workers(true);
        streams_.nudge(id);
    }
    co_return stopped;
}

Result<Run> Runs::start_in(sql::Connection& connection, const Run& fresh, Multitask multitask)
{
    return RunRows(connection).start(fresh, multitask);
}

Result<Run> Runs::resume_in(sql::Connection& connection, const std::string& id, const std::string& owner,
                            const Json& input)
{
    return RunRows(connection).resume(id, owner, input);
}

Result<Run> Runs::stop_in(sql::Connection& connection, const std::string& id, const std::string& owner, Stop how,
                          UnixMillis now)
{
    return RunRows(connection).stop(id, owner, how, now);
}

Result<void> Runs::remove_in(sql::Connection& connection, const std::string& thread)
{
    if (auto removed = delete_thread(connection, thread); !removed)
        return removed;
    for (const auto* sql : {"DELETE FROM graph_run_events WHERE run_id IN (SELECT id FROM graph_runs WHERE thread_id = $1)",
                            "DELETE FROM graph_rollbacks WHERE thread_id = $1", "DELETE FROM graph_runs WHERE thread_id = $1",
                            "DELETE FROM graph_threads WHERE id = $1"})
        if (auto removed = connection.execute(sql, thread); !removed)
            return removed.error();
    return {};
}

void Runs::announce(const std::string& run, bool stops, const std::string& owner)
{
    wake_workers(stops, owner);
    streams_.nudge(run);
}

Result<void> Runs::start_held_in(sql::Connection& connection, const Run& fresh)
{
    return RunRows(connection).start_held(fresh);
}

Result<void> Runs::end_in(sql::Connection& connection, const Run& run, const graph::Batch& rest, const Ending& ending)
{
    // The end checks the epoch and holds the row, so that the rest needs no check of its own.
    if (auto ended = RunRows(connection).finish({run.id, run.epoch}, ending); !ended || rest.empty())
        return ended;
    const Fence checked;
    return write_batch(connection, {run.thread, rest, checked, {}});
}

Task<Result<void>> Runs::hold(std::string worker, std::vector<std::string> ids, UnixMillis until)
{
    co_return co_await database_.write([&](sql::Connection& c) { return RunRows(c).hold(worker, ids, until); });
}

Task<Result<void>> Runs::end_leases(std::string graphs)
{
    const auto now = lease_clock_.now();
    co_return co_await database_.write([&](sql::Connection& c) { return RunRows(c).expire_all(now, graphs); });
}

Result<void> Runs::end_leases_now(const std::string& graphs)
{
    const auto now = lease_clock_.now();
    return database_.run_now([&](sql::Connection& c) { return RunRows(c).expire_all(now, graphs); });
}

Task<Result<std::int64_t>> Runs::forget(std::string graphs, UnixMillis before, std::int64_t limit)
{
    const auto threads = co_await database_.read(
        [&](sql::Connection& c) { return RunRows(c).ended_threads(graphs, before, limit); });
    if (!threads)
        co_return threads.error();
    if (threads->empty())
        co_return std::int64_t{0};
    co_return co_await database_.write([&](sql::Connection& c) -> Result<std::int64_t> {
        for (const auto& thread : *threads)
            if (auto removed = remove_in(c, thread); !removed)
                return removed.error();
        return static_cast<std::int64_t>(threads->size());
    });
}

Task<Result<Run>> Runs::find(std::string id, std::string owner)
{
    co_return co_await database_.read_statement([&](sql::Connection& c) { return RunRows(c).find(id, owner); });
}

Task<Result<std::vector<Run>>> Runs::of_thread(std::string thread, std::string owner, std::int64_t limit)
{
    co_return co_await database_.read_statement(
        [&](sql::Connection& c) { return RunRows(c).of_thread(thread, owner, limit); });
}

Task<Result<Run>> Runs::wait(std::string id, std::string owner, Deadline deadline)
{
    // Not at each event: the row is read at every wake.
    RunWaiter waiter(streams_, co_await boost::asio::this_coro::executor, id, RunStreams::Wakes::by_changes);
    for (;;) {
        auto run = co_await find(id, owner);
        if (!run || !is_open(run->status))
            co_return run;
        if (deadline.passed())
            co_return Error(Errc::timeout, "The run has not ended in time.");
        co_await waiter.wait(deadline.sooner(RunReader::look_interval).at());
    }
}

Task<Result<std::unique_ptr<RunReader>>> Runs::read(std::string id, std::string owner, std::int64_t after,
                                                    EventFilter filter)
{
    const auto run = co_await find(id, owner);
    if (!run)
        co_return run.error();
    co_return std::make_unique<RunReader>(database_, streams_, co_await boost::asio::this_coro::executor, id, after,
                                          std::move(filter));
}

Task<Result<void>> Runs::left(std::string id)
{
    if (streams_.readers(id) > 0)
        co_return Result<void>();
    const auto run = co_await find(id, "");
    if (!run)
        co_return run.error();
    if (!is_open(run->status) || run->options.value("on_disconnect", "continue") != "cancel")
        co_return Result<void>();
    const auto stopped = co_await stop(id, "", Stop::cancel);
    if (!stopped)
        co_return stopped.error();
    co_return Result<void>();
}

Task<Result<std::int64_t>> Runs::forget_events(UnixMillis before)
{
    co_return co_await database_.write([&](sql::Connection& c) { return RunRows(c).forget_events(before); });
}

void Runs::add_worker(Worker& worker)
{
    const std::lock_guard lock(guard_);
    workers_.push_back(&worker);
}

void Runs::remove_worker(Worker& worker)
{
    const std::lock_guard lock(guard_);
    std::erase(workers_, &worker);
}

void Runs::wake_workers(bool stops, const std::string& owner)
{
    const std::lock_guard lock(guard_);
    for (auto* worker : workers_)
        worker->wake(stops, owner);
}

}  // namespace dure::runs
