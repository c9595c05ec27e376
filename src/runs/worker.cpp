// See worker.hpp. All state belongs to the worker's core; only wake() is called from elsewhere.
#include "dure/runs/worker.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include "runs/run_rows.hpp"

namespace dure::runs {

namespace asio = boost::asio;

struct Worker::Active {
    Active(Run taken, std::int64_t seq, asio::any_io_executor executor)
        : run(std::move(taken)), last_seq(seq), ended(executor)
    {}

    Run run;
    std::int64_t last_seq;
    RunControl control;
    asio::cancellation_signal signal;   // of the body
    Stop asked = Stop::no;
    bool lost = false;                  // nothing of it may be written any more
    bool over = false;
    Signal ended;
};

// Notes that outlive the moment nobody waits for them.
struct Worker::Wakes {
    explicit Wakes(asio::any_io_executor executor) : work(executor), leases(executor) {}
    Signal work;
    Signal leases;
    bool there_is_work = true;
    bool there_are_stops = false;
    std::uint64_t stops = 0;   // wakes for stops so far
};

namespace {

Ending failed_with(std::exception_ptr thrown, const Run& run, Logger& log)
{
    Ending ending;
    ending.status = Status::error;
    try {
        std::rethrow_exception(thrown);
    } catch (const boost::system::system_error& error) {
        if (error.code() == asio::error::operation_aborted) {
            ending.status = Status::cancelled;
            ending.error = Json{{"code", "CANCELLED"}, {"message", "The run was cancelled."}};
            return ending;
        }
        log.error("a run failed", {{"run", run.id}, {"cause", error.what()}});
    } catch (const std::exception& broken) {
        log.error("a run failed", {{"run", run.id}, {"cause", broken.what()}});
    }
    ending.error = Json{{"code", "INTERNAL"}, {"message", "The run failed."}};
    return ending;
}

}  // namespace

void RunControl::on_cancel(std::function<void()> stop)
{
    cancel_ = std::move(stop);
}

void RunControl::on_drain(std::function<void()> stop)
{
    drain_ = std::move(stop);
    if (drains_ && drain_)
        drain_();
}

bool RunControl::cancel()
{
    if (!cancel_)
        return false;
    cancel_();
    return true;
}

void RunControl::drain()
{
    drains_ = true;
    if (drain_)
        drain_();
}

void RunControl::forget()
{
    cancel_ = nullptr;
    drain_ = nullptr;
}

Worker::Worker(Runs& runs, asio::any_io_executor executor, Logger& log, RunBody body, WorkerOptions options)
    : runs_(runs), executor_(executor), log_(log), body_(std::move(body)), options_(std::move(options)), id_(new_id()),
      wakes_(std::make_shared<Wakes>(executor)), keepers_(executor), executions_(executor)
{
    runs_.add_worker(*this);
}

Worker::~Worker()
{
    runs_.remove_worker(*this);
}

void Worker::wake(bool stops)
{
    if (options_.only_looks && !stops)
        return;
    asio::post(executor_, [alive = std::weak_ptr(wakes_), stops] {
        const auto wakes = alive.lock();
        if (!wakes)
            return;
        wakes->there_is_work = true;
        wakes->work.notify();
        if (stops) {
            wakes->there_are_stops = true;
            ++wakes->stops;
            wakes->leases.notify();
        }
    });
}

void Worker::drain(Deadline deadline)
{
    draining_ = true;
    drain_deadline_ = deadline;
    for (auto& [id, active] : active_)
        active->control.drain();
    wakes_->work.notify();
}

Task<void> Worker::work()
{
    keepers_.spawn(keep_leases());
    bool cancelled = false;
    try {
        co_await claim_until_drained();
    } catch (const boost::system::system_error&) {
        cancelled = true;
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    for (auto& [id, active] : active_)
        abandon(*active);
    keepers_.cancel();
    co_await executions_.wait();
    co_await keepers_.wait();
    if (cancelled)
        throw boost::system::system_error(asio::error::operation_aborted);
}

Task<void> Worker::claim_until_drained()
{
    if (options_.only_process) {
        const auto now = runs_.clock().now();
        const auto expired = co_await runs_.database().write(
            [now, this](sql::Connection& c) { return RunRows(c).expire_all(now, options_.graphs); });
        if (!expired)
            log_.warn("leases of the last process could not be ended", {{"cause", expired.error().detail()}});
    }
    while (!draining_) {
        wakes_->there_is_work = false;
        co_await claim_and_spawn();
        if (!wakes_->there_is_work && !draining_)
            co_await wakes_->work.wait(Steady::now() + options_.look_interval);
    }
    while (!active_.empty() && !drain_deadline_.passed())
        co_await wakes_->work.wait(drain_deadline_.at());
    for (auto& [id, active] : active_)
        active->signal.emit(asio::cancellation_type::terminal);
    while (!active_.empty())
        co_await wakes_->work.wait();
}

Task<void> Worker::claim_and_spawn()
{
    if (active_.size() >= options_.most_runs)
        co_return;
    Claim claim;
    claim.worker = id_;
    claim.now = runs_.clock().now();
    claim.lease_until = claim.now + options_.lease.count();
    claim.limit = static_cast<std::int64_t>(options_.most_runs - active_.size());
    claim.crash_limit = options_.crash_limit;
    claim.graphs = options_.graphs;
    const auto stops_before = wakes_->stops;
    using Claimed = std::vector<std::pair<Run, std::int64_t>>;
    auto taken = co_await runs_.database().write([&](sql::Connection& c) -> Result<Claimed> {
        RunRows rows(c);
        auto found = rows.claim(claim);
        if (!found)
            return found.error();
        Claimed claimed;
        for (auto& run : *found) {
            const auto last = run.epoch == 1 ? Result<std::int64_t>(0) : rows.last_seq(run.id);
            if (!last)
                return last.error();
            claimed.emplace_back(std::move(run), *last);
        }
        return claimed;
    });
    if (!taken) {
        log_.warn("no runs could be claimed", {{"cause", taken.error().message() + " " + taken.error().detail()}});
        co_return;
    }
    for (auto& [run, last_seq] : *taken)
        adopt(std::move(run), last_seq);
    if (!taken->empty() && wakes_->stops != stops_before) {
        // It may have been for a run that was claimed already and not known here yet.
        wakes_->there_are_stops = true;
        wakes_->leases.notify();
    }
}

void Worker::adopt(Run run, std::int64_t last_seq)
{
    // The same run at an older epoch: this worker was overtaken by itself, after a pause longer than the lease.
    if (const auto before = active_.find(run.id); before != active_.end())
        abandon(*before->second);
    auto active = std::make_shared<Active>(std::move(run), last_seq, executor_);
    active_[active->run.id] = active;
    if (draining_)   // it was claimed while the drain began
        active->control.drain();
    executions_.spawn(execute(std::move(active)));
}

Task<void> Worker::execute(std::shared_ptr<Active> active)
{
    // What is cancelled is the body; its end is written in any case.
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    RunWriter writer(runs_.database(), runs_.streams(), executor_, active->run, active->last_seq, options_.extra_writes,
                     options_.writer, options_.write_moments);
    TaskGroup flushing(executor_);
    flushing.spawn(writer.keep_flushing());
    auto ending = co_await run_body(*active, writer);
    flushing.cancel();
    co_await flushing.wait();
    if (!active->lost)
        co_await finish(*active, writer, std::move(ending));
    if (const auto here = active_.find(active->run.id); here != active_.end() && here->second == active)
        active_.erase(here);
    wakes_->there_is_work = true;
    wakes_->work.notify();
}

Task<Ending> Worker::run_body(Active& active, RunWriter& writer)
{
    Ending ending;
    const auto ended = [&](std::exception_ptr thrown, Ending given) {
        ending = thrown ? failed_with(thrown, active.run, log_) : std::move(given);
        active.over = true;
        active.ended.notify();
    };
    asio::co_spawn(executor_, body_(writer, active.control), asio::bind_cancellation_slot(active.signal.slot(), ended));
    if (active.run.stop != Stop::no)   // it was asked before a crash
        stop(active, active.run.stop);
    else if (active.asked != Stop::no || active.lost)   // between the claim and here, when nobody heard the signal
        active.signal.emit(asio::cancellation_type::terminal);
    while (!active.over)
        co_await active.ended.wait();
    active.control.forget();
    co_return ending;
}

Task<void> Worker::finish(Active& active, RunWriter& writer, Ending ending)
{
    if (ending.stored)
        co_return;
    const bool rolled_back = active.asked == Stop::rollback;
    if (rolled_back) {
        ending = Ending();
        ending.status = Status::cancelled;
        ending.error = Json{{"code", "CANCELLED"}, {"message", "The run was rolled back."}};
    } else if (draining_ && active.asked == Stop::no && ending.status == Status::cancelled) {
        ending.status = Status::pending;   // it outlived the drain's deadline: the next process goes on
    }
    ending.now = runs_.clock().now();
    const auto written = co_await writer.finish(ending, rolled_back);
    if (!written)
        log_.warn("the end of a run was not stored",
                  {{"run", active.run.id}, {"reason", written.error().reason()}, {"cause", written.error().detail()}});
}

Task<void> Worker::keep_leases()
{
    for (;;) {
        const auto renewal = Steady::now() + options_.lease / 3;
        while (!wakes_->there_are_stops && Steady::now() < renewal) {
            co_await wakes_->leases.wait(std::min<Steady::time_point>(renewal, Steady::now() + options_.look_interval));
            if (!wakes_->there_are_stops && !options_.only_process && !active_.empty() && Steady::now() < renewal)
                wakes_->there_are_stops = co_await is_asked_to_stop();
        }
        wakes_->there_are_stops = false;
        if (!active_.empty())
            co_await renew_leases();
    }
}

// By another process, whose wake-up calls do not reach this one. What cannot be read now is read by the renewal.
Task<bool> Worker::is_asked_to_stop()
{
    const auto asked = co_await runs_.database().read([&](sql::Connection& c) { return RunRows(c).has_stops(id_); });
    co_return asked && *asked;
}

Task<void> Worker::renew_leases()
{
    const auto asked_for = active_;   // runs claimed meanwhile are not judged by this answer
    const auto until = runs_.clock().now() + options_.lease.count();
    const auto held = co_await runs_.database().write([&](sql::Connection& c) { return RunRows(c).renew(id_, until); });
    if (!held) {
        log_.warn("leases could not be renewed", {{"cause", held.error().message() + " " + held.error().detail()}});
        co_return;
    }
    std::map<std::string_view, const Held*> by_run;
    for (const auto& one : *held)
        by_run[one.run] = &one;
    for (const auto& [id, active] : asked_for) {
        const auto found = by_run.find(id);
        if (active->over)
            continue;
        if (found == by_run.end() || found->second->epoch != active->run.epoch)
            abandon(*active);
        else if (found->second->stop != Stop::no)
            stop(*active, found->second->stop);
    }
}

void Worker::stop(Active& active, Stop how)
{
    if (active.asked == how)
        return;
    active.asked = how;
    if (!active.control.cancel())
        active.signal.emit(asio::cancellation_type::terminal);
}

void Worker::abandon(Active& active)
{
    active.lost = true;
    active.signal.emit(asio::cancellation_type::terminal);
}

}  // namespace dure::runs
