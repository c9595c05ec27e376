// See turn_runs.hpp.
#include "chat/turn_runs.hpp"

#include "dure/base/task_group.hpp"
#include "dure/base/timeout.hpp"

namespace dure::chat {

namespace {

constexpr std::int64_t forgotten_at_once = 500;
constexpr auto forget_interval = std::chrono::minutes(5);

Error no_part_of_a_turn()
{
    return Error(Errc::invalid_argument, "A turn cannot do this to its thread.");
}

void add_all(graph::Batch&& more, graph::Batch& to)
{
    const auto move = [](auto& from, auto& into) {
        into.insert(into.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
    };
    move(more.drops, to.drops);
    move(more.pending, to.pending);
    move(more.checkpoints, to.checkpoints);
}

}  // namespace

TurnRun::TurnRun(TurnRuns& all, boost::asio::any_io_executor executor, runs::Run fresh, graph::Durability mode)
    : all_(all), own_(std::in_place, all.runs().database(), all.runs().streams(), std::move(executor), fresh, 0),
      writer_(*own_), mode_(mode), recovers_(false), begun_(false)
{}

TurnRun::TurnRun(TurnRuns& all, runs::RunWriter& writer, graph::Durability mode)
    : all_(all), writer_(writer), mode_(mode), recovers_(true), begun_(true)
{}

TurnRun::~TurnRun()
{
    if (own_)
        all_.remove(writer_.run().id);
}

Task<Result<void>> TurnRun::begin()
{
    all_.add(writer_.run().id);
    auto stored = co_await all_.runs().database().write(
        [this](sql::Connection& connection) { return runs::Runs::start_held_in(connection, writer_.run()); });
    begun_ = stored.has_value();
    co_return stored;
}

agents::DurableRun TurnRun::for_agent()
{
    const auto& run = writer_.run();
    return {*this, run.thread, run.id, mode_, recovers_};
}

Result<void> TurnRun::end_in(sql::Connection& connection, runs::Status status) const
{
    runs::Ending ending;
    ending.status = status;
    ending.now = all_.runs().clock().now();
    return runs::Runs::end_in(connection, writer_.run(), rest_, ending);
}

Task<Result<void>> TurnRun::end(runs::Status status)
{
    auto stored = co_await all_.runs().database().write(
        [&](sql::Connection& connection) { return end_in(connection, status); });
    ended_ = stored.has_value();
    co_return stored;
}

Task<Result<void>> TurnRun::save(const std::string& thread, graph::Batch batch)
{
    if (mode_ != graph::Durability::exit)
        co_return co_await writer_.save(thread, std::move(batch));
    add_all(std::move(batch), rest_);
    co_return Result<void>();
}

Task<Result<std::optional<graph::StoredCheckpoint>>> TurnRun::load(const std::string& thread, const std::string& ns,
                                                                   const std::string& id, bool with_pending)
{
    if (!recovers_)   // the thread is as new as the run
        co_return std::optional<graph::StoredCheckpoint>();
    co_return co_await writer_.load(thread, ns, id, with_pending);
}

Task<Result<std::vector<graph::StoredCheckpoint>>> TurnRun::history(const std::string& thread,
                                                                    const graph::HistoryQuery& query)
{
    return writer_.history(thread, query);
}

Task<Result<std::vector<std::string>>> TurnRun::namespaces(const std::string& thread)
{
    return writer_.namespaces(thread);
}

Task<Result<void>> TurnRun::delete_thread(const std::string&)
{
    co_return no_part_of_a_turn();
}

Task<Result<void>> TurnRun::copy_thread(const std::string&, const std::string&)
{
    co_return no_part_of_a_turn();
}

Task<Result<void>> TurnRun::delete_run(const std::string&, const std::string&)
{
    co_return no_part_of_a_turn();
}

Task<Result<std::int64_t>> TurnRun::prune(const std::string&, std::int64_t, std::optional<UnixMillis>)
{
    co_return no_part_of_a_turn();
}

TurnRuns::TurnRuns(runs::Runs& runs, Logger& logger, const config::Settings& settings)
    : runs_(runs), logger_(logger),
      mode_(graph::durability_named(settings.agent.durability).value_or(graph::Durability::exit)),
      lease_(settings.executions.lease), worker_(new_id())
{}

Task<Result<runs::Run>> TurnRuns::fresh(std::string owner, Json input) const
{
    if (!co_await runs_.lease_clock().known())   // else another replica could take it for a dead process' at once
        co_return Error(Errc::unavailable, "The storage cannot be reached, try again shortly.")
            .retry_after(std::chrono::seconds(1));
    runs::Run run;
    run.id = new_id();
    run.thread =
        "turn:" + run.id;   // in the order of time, as the run's id: all turns of a moment write to the same pages
    run.owner = std::move(owner);
    run.graph = graph_name;
    run.input = std::move(input);
    run.status = runs::Status::running;
    run.worker = worker_;
    run.epoch = run.attempts = 1;
    run.created_at = runs_.clock().now();
    run.lease_until = runs_.lease_clock().now() + lease_.count();
    co_return run;
}

runs::WorkerOptions TurnRuns::worker_options() const
{
    runs::WorkerOptions options;
    options.graphs = graphs;
    options.lease = lease_;
    options.look_interval = lease_ / 5;
    options.crash_limit = most_crashes + 2;   // a turn that is given up is recorded, not only ended
    options.only_looks = true;
    return options;
}

void TurnRuns::add(const std::string& run)
{
    const std::lock_guard lock(guard_);
    active_.insert(run);
}

void TurnRuns::remove(const std::string& run)
{
    const std::lock_guard lock(guard_);
    active_.erase(run);
}

Task<void> TurnRuns::look_after()
{
    TaskGroup keepers(co_await boost::asio::this_coro::executor);
    keepers.spawn(keep_leases());
    keepers.spawn(keep_forgetting());   // beside it: a unit that hangs must not cost the leases
    co_await keepers.wait();
}

Task<void> TurnRuns::keep_leases()
{
    bool failing = false;
    for (auto renewal = Steady::now() + lease_ / 3;;) {
        co_await sleep_for(std::max(Steady::duration::zero(), renewal - Steady::now()));
        const auto begun = Steady::now();
        const auto renewed = co_await renew_leases();
        if (!renewed && !failing)
            logger_.warn("leases of turns could not be renewed",
                         {{"cause", renewed.error().message() + " " + renewed.error().detail()}});
        failing = !renewed;
        renewal = runs::next_renewal(begun, renewed.has_value(), lease_);
    }
}

Task<Result<void>> TurnRuns::renew_leases()
{
    std::vector<std::string> held;
    {
        const std::lock_guard lock(guard_);
        held.assign(active_.begin(), active_.end());
    }
    if (held.empty())
        co_return Result<void>();
    co_return co_await runs_.hold(worker_, std::move(held), runs_.lease_clock().now() + lease_.count());
}

Task<void> TurnRuns::keep_forgetting()
{
    for (;;) {
        co_await sleep_for(lease_ / 3);
        co_await forget_old_ones();
        co_await sleep_for(forget_interval);
    }
}

Task<void> TurnRuns::forget_old_ones()
{
    const auto before = runs_.clock().now() - std::chrono::milliseconds(kept).count();
    for (std::int64_t gone = forgotten_at_once; gone == forgotten_at_once;) {
        const auto forgotten = co_await runs_.forget(std::string(graphs), before, forgotten_at_once);
        if (!forgotten) {
            logger_.warn("runs of old turns could not be removed", {{"cause", forgotten.error().message()}});
            co_return;
        }
        gone = *forgotten;
    }
}

}  // namespace dure::chat
