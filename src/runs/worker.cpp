// See worker.hpp. All state belongs to the worker's core; only wake() is called from elsewhere.
#include "dure/runs/worker.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include "dure/base/timeout.hpp"
#include "runs/run_rows.hpp"
#include "runs/storage_retry.hpp"

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
    Wakes(asio::any_io_executor executor, std::size_t ahead) : work(executor), leases(executor), claim_ahead(ahead) {}
    Signal work;
    Signal leases;
    bool there_is_work = true;
    bool there_are_stops = false;
    std::uint64_t stops = 0;   // wakes for stops so far

    // With a bounded claim-ahead:
    const std::size_t claim_ahead;
    std::size_t taken = 0;                          // not begun, not waiting
    std::map<std::string, std::size_t> waiting;     // by owner
    bool left_some = false;                         // the last claim took all it might

    bool has_enough_of(const std::string& owner) const
    {
        const auto found = waiting.find(owner);
        return claim_ahead > 0 && found != waiting.end() && found->second >= claim_ahead;
    }
    void look_for_work()
    {
        there_is_work = true;
        work.notify();
    }
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
            return ended_by(Stop::cancel);
        }
        log.error("a run failed", {{"run", run.id}, {"cause", error.what()}});
    } catch (const std::exception& broken) {
        log.error("a run failed", {{"run", run.id}, {"cause", broken.what()}});
    }
    ending.error = Json{{"code", "INTERNAL"}, {"message", "The run failed."}};
    return ending;
}

// By a drain: cancelled, or what was to be saved had no more time than that. No fault of the run.
bool was_cut_off(const Ending& ending, Deadline drained)
{
    return ending.status == Status::cancelled || (ending.status == Status::error && drained.passed() && ending.error &&
                                                  ending.error->value("code", "") == storage_error);
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

void RunControl::stands_at(Place place)
{
    const auto before = std::exchange(place_, place);
    if (before != place && changed_)
        changed_(before, place);
}

void RunControl::forget()
{
    cancel_ = nullptr;
    drain_ = nullptr;
}

Worker::Worker(Runs& runs, asio::any_io_executor executor, Logger& log, RunBody body, WorkerOptions options)
    : runs_(runs), executor_(executor), log_(log), body_(std::move(body)), options_(std::move(options)), id_(new_id()),
      wakes_(std::make_shared<Wakes>(executor, options_.claim_ahead)), keepers_(executor), executions_(executor)
{
    runs_.add_worker(*this);
}

Worker::~Worker()
{
    runs_.remove_worker(*this);
}

void Worker::wake(bool stops, const std::string& owner)
{
    if (options_.only_looks && !stops)
        return;
    asio::post(executor_, [alive = std::weak_ptr(wakes_), stops, owner] {
        const auto wakes = alive.lock();
        if (!wakes)
            return;
        if (stops || !wakes->has_enough_of(owner))
            wakes->look_for_work();
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
    keepers_.spawn(keep_looking());
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
        const auto now = runs_.lease_clock().now();
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

std::size_t Worker::room() const
{
    const auto room = options_.most_runs - std::min(options_.most_runs, active_.size());
    if (options_.claim_ahead == 0)
        return room;
    // Several at once or none: each claim is a write.
    const auto ahead = options_.claim_ahead - std::min(options_.claim_ahead, wakes_->taken);
    return ahead * 2 < options_.claim_ahead ? 0 : std::min(room, ahead);
}

Task<void> Worker::claim_and_spawn()
{
    const auto most = room();
    wakes_->left_some = most == 0;
    if (most == 0 || !co_await runs_.lease_clock().known(options_.lease / 3))   // after a suspended VM it is old
        co_return;
    Claim claim;
    claim.worker = id_;
    claim.now = runs_.clock().now();
    claim.lease_now = runs_.lease_clock().now();
    claim.lease_until = claim.lease_now + options_.lease.count();
    claim.limit = static_cast<std::int64_t>(most);
    claim.crash_limit = options_.crash_limit;
    claim.graphs = options_.graphs;
    for (const auto& [owner, waiting] : wakes_->waiting)
        if (wakes_->has_enough_of(owner))
            claim.not_of.push_back(owner);
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
        if (!runs_.database().is_away())   // that was told once
            log_.warn("no runs could be claimed", {{"cause", taken.error().message() + " " + taken.error().detail()}});
        co_return;
    }
    wakes_->left_some = taken->size() >= most;
    for (auto& [run, last_seq] : *taken)
        adopt(std::move(run), last_seq);
    if (wakes_->left_some && room() > 0)
        wakes_->there_is_work = true;
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
    if (options_.claim_ahead > 0) {
        ++wakes_->taken;
        active->control.on_place([this, owner = active->run.owner](auto from, auto to) { moved(owner, from, to); });
    }
    if (draining_)   // it was claimed while the drain began
        active->control.drain();
    executions_.spawn(execute(std::move(active)));
}

// There may be room for others now.
void Worker::moved(const std::string& owner, RunControl::Place from, RunControl::Place to)
{
    using Place = RunControl::Place;
    auto& wakes = *wakes_;
    bool looks = false;
    if (from == Place::taken) {
        --wakes.taken;
        looks = wakes.left_some && room() > 0;
    } else if (from == Place::waits) {
        looks = wakes.has_enough_of(owner);
        if (const auto waiting = wakes.waiting.find(owner); --waiting->second == 0)
            wakes.waiting.erase(waiting);
        looks = looks && !wakes.has_enough_of(owner);
    }
    if (to == Place::waits)
        ++wakes.waiting[owner];
    if (looks)
        wakes.look_for_work();
}

Task<void> Worker::execute(std::shared_ptr<Active> active)
{
    // What is cancelled is the body; its end is written in any case.
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    auto limits = options_.writer;
    limits.latest = &drain_deadline_;
    RunWriter writer(runs_.database(), runs_.streams(), executor_, active->run, active->last_seq, options_.extra_writes,
                     limits, options_.write_moments);
    TaskGroup flushing(executor_);
    flushing.spawn(writer.keep_flushing());
    auto ending = co_await run_body(*active, writer);
    flushing.cancel();
    co_await flushing.wait();
    const bool goes_on = ending.status == Status::pending;
    if (!active->lost)
        co_await finish(*active, writer, std::move(ending));
    active->control.stands_at(RunControl::Place::gone);
    if (const auto here = active_.find(active->run.id); here != active_.end() && here->second == active)
        active_.erase(here);
    // Who takes only a part ahead knows whether it left some; what others leave is found by the next look.
    if (options_.claim_ahead == 0 || wakes_->left_some || goes_on)
        wakes_->look_for_work();
    else if (draining_)
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
        ending = ended_by(Stop::rollback);
    } else if (draining_ && active.asked == Stop::no && was_cut_off(ending, drain_deadline_)) {
        ending.status = Status::pending;   // it outlived the drain's deadline: the next process goes on
        ending.error.reset();
    }
    ending.now = runs_.clock().now();
    const auto written = co_await writer.finish(ending, rolled_back);
    if (!written)
        log_.warn("the end of a run was not stored",
                  {{"run", active.run.id}, {"reason", written.error().reason()}, {"cause", written.error().detail()}});
}

// Waits for nothing but time, stops and the renewal itself: a read that hangs must not cost the leases.
Task<void> Worker::keep_leases()
{
    bool failing = false;
    for (auto renewal = Steady::now() + options_.lease / 3;;) {
        while (!wakes_->there_are_stops && Steady::now() < renewal)
            co_await wakes_->leases.wait(renewal);
        wakes_->there_are_stops = false;
        const auto begun = Steady::now();
        auto renewed = Result<void>();
        if (!active_.empty())
            renewed = co_await renew_leases();
        if (!renewed && !failing)
            log_.warn("leases could not be renewed",
                      {{"cause", renewed.error().message() + " " + renewed.error().detail()}});
        failing = !renewed;
        renewal = next_renewal(begun, renewed.has_value(), options_.lease);
    }
}

// At the database's clock, and at the rows for stops.
Task<void> Worker::keep_looking()
{
    const auto pause = std::min(options_.look_interval, options_.lease / 6);
    for (;;) {
        co_await sleep_for(pause);
        co_await runs_.lease_clock().known(options_.lease / 8);   // all workers of a process have one clock
        if (options_.only_process || active_.empty() || wakes_->there_are_stops || !co_await is_asked_to_stop())
            continue;
        wakes_->there_are_stops = true;
        wakes_->leases.notify();
    }
}

// By another process, whose wake-up calls do not reach this one. What cannot be read now is read by the renewal.
Task<bool> Worker::is_asked_to_stop()
{
    const auto asked = co_await runs_.database().read_statement([&](sql::Connection& c) { return RunRows(c).has_stops(id_); });
    co_return asked && *asked;
}

Task<Result<void>> Worker::renew_leases()
{
    const auto asked_for = active_;   // runs claimed meanwhile are not judged by this answer
    const auto until = runs_.lease_clock().now() + options_.lease.count();
    const auto held = co_await runs_.database().write([&](sql::Connection& c) { return RunRows(c).renew(id_, until); });
    if (!held)
        co_return held.error();
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
    co_return Result<void>();
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
