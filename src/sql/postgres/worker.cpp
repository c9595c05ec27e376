// PostgresWorker: connect -> pop -> serve (begin, run, ends, commit) -> finish, for one unit or a group; see worker.hpp.
#include "sql/postgres/worker.hpp"

#include <algorithm>
#include <random>
#include <thread>

namespace dure::sql {

namespace {

constexpr int most_attempts = 12;        // at a unit that cannot be serialised
constexpr int most_interruptions = 4;    // of a unit that perhaps is what ends its connections
constexpr std::chrono::milliseconds least_look_up{300};   // for a unit that has used up its time before its commit
constexpr std::chrono::milliseconds least_begin{500};     // for one that has used it up in the queue

constexpr std::size_t largest_group = 16;
constexpr std::string_view lock_not_available = "55P03";

void finish_stale(WorkQueue& queue, std::chrono::milliseconds queue_wait)
{
    for (auto* unit : queue.take_older(Steady::now() - queue_wait)) {
        unit->error = busy_error("unit waited too long for a database connection");
        finish(*unit);
    }
}

// The caller of a unit is told within the same time whether it never began or its commit cannot be looked up.
Deadline look_up_deadline(const PostgresOptions& options, const Unit& unit)
{
    const auto now = Steady::now();
    const auto in_time = std::max(unit.queued_at + options.queue_wait, now + least_look_up);
    return Deadline(std::min(now + options.outcome_wait, in_time));
}

// A server that is alive begins a transaction at once: there is nothing to wait for but the server. So one that is frozen
// is found here, within the time of the unit, and not by the limit of a statement.
Steady::duration patience_at_begin(const PostgresOptions& options, const Unit& unit, Steady::duration longest)
{
    const auto left = unit.queued_at + options.queue_wait - Steady::now();
    return std::min<Steady::duration>(longest, std::max<Steady::duration>(left, least_begin));
}

// A read of one statement has no beginning at which a frozen server is found; when it is cut off, nothing is lost.
Steady::duration answer_limit(const PostgresOptions& options, const Unit& unit, Steady::duration longest)
{
    return unit.reads_only && unit.one_statement ? patience_at_begin(options, unit, longest) : longest;
}

// False: what the unit put off to the end gave an Error or threw, which is the unit's now.
bool do_ends(Unit& unit, PostgresConnection& connection)
{
    try {
        if (auto done = connection.do_ends(); !done)
            unit.error = done.error();
    } catch (...) {
        unit.thrown = std::current_exception();
    }
    return !unit.error && !unit.thrown;
}

void pause_before_attempt(int attempt)
{
    static thread_local std::minstd_rand random(std::random_device{}());
    std::this_thread::sleep_for(std::chrono::microseconds(random() % (1000u << std::min(attempt, 6))));
}

}  // namespace

PostgresPool::PostgresPool(PostgresOptions given, PostgresAddress place)
    : options(std::move(given)), address(std::move(place)),
      queue(options.queue_limit, std::max<std::size_t>(1, options.connections / 2)),
      reachability(options.on_reachability),
      watchdog([this] { finish_stale(queue, options.queue_wait); }, [this] { queue.nudge(); }),
      outcomes(address, options.statement_timeout, watchdog)
{}

PostgresWorker::PostgresWorker(PostgresPool& pool) : pool_(pool), group_limit_(largest_group) {}

void PostgresWorker::work()
{
    while (connection_ || connect()) {
        auto taken = pool_.queue.pop(group_limit_, nudges_);
        if (taken.nudged) {
            if (connection_->is_hung_up())
                connection_.reset();
            continue;
        }
        if (taken.units.empty())
            return;
        refuse_stale(taken.units, pool_.options.queue_wait);
        if (taken.units.size() > 1) {
            serve_group(taken.units);
        } else if (!taken.units.empty()) {
            serve(*taken.units.front());
            group_limit_ = std::max<std::size_t>(2, group_limit_);
        }
        if (taken.shares)
            pool_.queue.done_sharing();
    }
}

void PostgresWorker::serve_group(const std::vector<Unit*>& units)
{
    if (run_group(units)) {
        group_limit_ = std::min(largest_group, group_limit_ + 1);
        for (auto* unit : units)
            finish(*unit);
        return;
    }
    group_limit_ = std::max<std::size_t>(1, group_limit_ / 4);   // what fails often is better off alone
    for (auto* unit : units) {  // one that waits holds nobody up: others are taken by who is free, or refused in time
        unit->shares_transaction = false;
        give_back(*unit);
    }
}

void PostgresWorker::give_back(Unit& unit)
{
    unit.error.reset();
    unit.thrown = nullptr;
    pool_.queue.put_back(unit);
}

bool PostgresWorker::run_group(const std::vector<Unit*>& units)
{
    connection_->drop_ends();
    connection_->limit_answers(connection_->longest_answer());
    if (!begin(*units.front())) {
        connection_.reset();
        return false;
    }
    if (run_units(units))
        return commit_group(units);
    connection_->take_failure();
    if (!roll_back())
        connection_.reset();
    return false;
}

bool PostgresWorker::run_units(const std::vector<Unit*>& units)
{
    for (auto* unit : units)
        if (!run_caught(*unit, *connection_) || connection_->has_failed())
            return false;
    try {
        return connection_->do_ends().has_value() && !connection_->has_failed();
    } catch (...) {   // thrown again when each is run alone
        return false;
    }
}

bool PostgresWorker::commit_group(const std::vector<Unit*>& units)
{
    auto& first = *units.front();
    switch (commit(first)) {
    case Verdict::settled: break;
    case Verdict::lost: connection_.reset(); return false;
    case Verdict::again:
    case Verdict::apart:
    case Verdict::unstarted: return false;
    }
    if (first.error)   // not known, or refused by the server: so it is for all of them
        for (auto* unit : units)
            unit->error = first.error;
    return true;
}

bool PostgresWorker::connect()
{
    if (std::exchange(was_connected_, false))
        pool_.reachability.lost();
    for (int failures = 0; failures == 0 || pool_.reachability.pause(failures); ++failures) {
        auto opened = PostgresConnection::open(pool_.address, pool_.options.statement_timeout, pool_.watchdog);
        if (opened) {
            connection_ = std::move(*opened);
            was_connected_ = true;
            pool_.outcomes.refresh();
            pool_.reachability.reached();
            return true;
        }
        pool_.reachability.missed(opened.error().detail());
    }
    return false;
}

void PostgresWorker::serve(Unit& unit)
{
    for (int attempt = 1; attempt <= most_attempts; ++attempt) {
        switch (run_once(unit)) {
        case Verdict::settled: finish(unit); return;
        case Verdict::again: pause_before_attempt(attempt); break;
        case Verdict::apart:
            unit.shares_transaction = false;
            give_back(unit);
            return;
        case Verdict::unstarted:
            connection_.reset();
            give_back(unit);
            return;
        case Verdict::lost:
            connection_.reset();
            if (++unit.interruptions < most_interruptions) {
                give_back(unit);
                return;
            }
            unit.error = busy_error("the unit's transaction was lost again and again");
            finish(unit);
            return;
        }
    }
    unit.error = busy_error("the unit met others at every attempt");
    finish(unit);
}

PostgresWorker::Verdict PostgresWorker::run_once(Unit& unit)
{
    unit.error.reset();
    unit.thrown = nullptr;
    connection_->drop_ends();
    connection_->limit_answers(answer_limit(pool_.options, unit, connection_->longest_answer()));
    if (!unit.one_statement && !begin(unit)) {
        const auto verdict = failed(unit, *connection_->take_failure(), true);
        return verdict == Verdict::lost ? Verdict::unstarted : verdict;
    }
    const bool good = run_caught(unit, *connection_) && do_ends(unit, *connection_);
    if (const auto failure = connection_->take_failure())
        return failed(unit, *failure, good);
    if (unit.one_statement)
        return Verdict::settled;
    if (good)
        return commit(unit);
    if (!roll_back())
        connection_.reset();   // the unit gave its Error before that; the outcome stands
    return Verdict::settled;
}

// A write takes its transaction's id at once, in the same exchange: a lost commit is looked up by it.
bool PostgresWorker::begin(const Unit& unit)
{
    constexpr std::string_view read = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    constexpr std::string_view write = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT pg_current_xact_id()";
    constexpr std::string_view shared = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL lock_timeout = "
                                        "'50ms'; SELECT pg_current_xact_id()";
    transaction_.begun_at = Steady::now();
    const auto begun = connection_->command(unit.shares_transaction ? shared
                                            : unit.reads_only       ? read
                                                                    : write,
                                            patience_at_begin(pool_.options, unit, connection_->longest_answer()));
    if (!begun)
        return false;
    transaction_.id = *begun;
    transaction_.server_process = connection_->server_process();
    return true;
}

PostgresWorker::Verdict PostgresWorker::commit(Unit& unit)
{
    if (connection_->command("COMMIT"))
        return Verdict::settled;
    const auto failure = *connection_->take_failure();
    const bool answered =
        failure.kind == PostgresFailure::Kind::statement || failure.kind == PostgresFailure::Kind::again;
    if (answered)
        return failed(unit, failure, true);
    connection_.reset();
    return unit.reads_only ? Verdict::settled : look_up(unit);
}

PostgresWorker::Verdict PostgresWorker::look_up(Unit& unit)
{
    switch (pool_.outcomes.find(transaction_, look_up_deadline(pool_.options, unit))) {
    case OutcomeLookup::Outcome::committed: return Verdict::settled;
    case OutcomeLookup::Outcome::rolled_back: return Verdict::lost;
    case OutcomeLookup::Outcome::unknown: break;
    }
    unit.error = Error(Errc::unavailable, "The storage was interrupted; it is not known whether the change was stored.")
                     .reason("outcome_unknown")
                     .detail("the outcome of transaction " + transaction_.id + " could not be found")
                     .retry_after(std::chrono::seconds(1));
    return Verdict::settled;
}

// gave_value: the unit does not know of the failure, so it becomes the unit's error.
PostgresWorker::Verdict PostgresWorker::failed(Unit& unit, const PostgresFailure& failure, bool gave_value)
{
    using Kind = PostgresFailure::Kind;
    if (failure.kind == Kind::lost || !roll_back())
        return Verdict::lost;
    if (failure.kind == Kind::again)
        return Verdict::again;
    if (unit.shares_transaction && failure.state == lock_not_available)
        return Verdict::apart;
    if (failure.kind == Kind::unclear)   // the connection is good after all: the statement was not
        unit.error = Error(Errc::internal, "The storage failed.").detail(failure.error.detail());
    else if (gave_value)
        unit.error = failure.error;
    return Verdict::settled;
}

// Also outside a transaction, where it does nothing. False: the connection cannot be used any more.
bool PostgresWorker::roll_back()
{
    const bool done = connection_->command("ROLLBACK").has_value();
    connection_->take_failure();
    return done;
}

}  // namespace dure::sql
