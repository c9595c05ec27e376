// Group commit and the loop of a reader; see writer.hpp.
#include "sql/sqlite/writer.hpp"

namespace dure::sql {

namespace {

// 16 MiB of log. Pages that many units touch are moved once in it: with a quarter of it, durable supersteps of a hundred
// runs at once take three times as long.
constexpr int pages_between_checkpoints = 4000;
// That the mover may fall behind: then the writer waits for it.
constexpr int most_pages_meanwhile = 4000;
// That come while the log is synchronised: a switch to the writer for each of them costs as much as its work.
constexpr std::size_t units_worth_waking = 8;
// After a batch had to be begun again.
constexpr int batches_with_savepoints = 16;

}  // namespace

SqliteWriter::SqliteWriter(std::unique_ptr<SqliteConnection> connection, std::unique_ptr<SqliteConnection> mover,
                           UnitQueue& queue, const SqliteOptions& options)
    : connection_(std::move(connection)), queue_(queue), options_(options), next_checkpoint_(pages_between_checkpoints),
      mover_(std::move(mover), [this](std::string detail) { die(std::move(detail)); }),
      log_sync_([this] { return connection_->sync_log(); }, [this] { queue_.look_again(); },
                [this](std::string detail) { die(std::move(detail)); }, options.statement_timeout)
{}

void SqliteWriter::work()
{
    for (;;) {
        log_sync_.wait_for_room();
        auto units = queue_.pop(options_.batch_limit);
        if (units.empty())
            return;
        refuse_hopeless(units);
        commit_together(std::move(units));
        move_log();
    }
}

void SqliteWriter::commit_together(std::vector<Unit*> units)
{
    while (!units.empty()) {
        std::optional<std::size_t> culprit;
        try {
            culprit = attempt(units);
        } catch (const std::exception& broken) {
            connection_->command("ROLLBACK");
            fail_all(units, Error(Errc::internal, "The storage failed.").detail(broken.what()));
        }
        if (!culprit)
            break;
        finish(*units[*culprit]);
        units.erase(units.begin() + static_cast<std::ptrdiff_t>(*culprit));
    }
    const bool at_once = units.size() == 1 && queue_.size() == 0;
    log_sync_.tell(std::move(units), at_once);
}

std::optional<std::size_t> SqliteWriter::attempt(std::vector<Unit*>& units)
{
    const bool savepoints = careful_batches_ > 0;
    if (savepoints)
        --careful_batches_;
    return attempt_with(units, savepoints);
}

std::optional<std::size_t> SqliteWriter::attempt_with(std::vector<Unit*>& units, bool savepoints)
{
    if (dead()) {
        fail_all(units, busy_error("storage failed before"));
        return std::nullopt;
    }
    if (const int code = connection_->command("BEGIN IMMEDIATE"); code != SQLITE_OK) {
        fail_all(units, connection_->error_of(code, "BEGIN IMMEDIATE"));
        return std::nullopt;
    }
    const auto undo = units.size() == 1 && !log_sync_.busy() ? Undo::all
                      : savepoints                           ? Undo::savepoint
                                                             : Undo::nothing_to;
    bool anything_to_commit = false;
    for (std::size_t i = 0; i < units.size() || (undo != Undo::all && take_more(units)); ++i) {
        anything_to_commit |= run_one(*units[i], undo);
        if (connection_->in_transaction()) {
            if (!std::exchange(must_undo_, false))
                continue;
            demand("ROLLBACK");
            careful_batches_ = batches_with_savepoints;
            return attempt_with(units, true);
        }
        // An interrupted statement costs SQLite the whole transaction; so do a full disk and a failing one.
        if (units.size() > 1 && last_failure_ && last_failure_->code() == Errc::timeout)
            return i;
        fail_all(units, last_failure_.value_or(Error(Errc::internal, "The storage failed.").detail("no transaction")));
        return std::nullopt;
    }
    if (anything_to_commit)
        commit(units);
    else
        demand("ROLLBACK");
    return std::nullopt;
}

bool SqliteWriter::take_more(std::vector<Unit*>& units)
{
    while (units.size() < options_.batch_limit && log_sync_.busy()) {
        const auto room = options_.batch_limit - units.size();
        auto more = queue_.pop_while(room, std::min(room, units_worth_waking), [this] { return log_sync_.busy(); });
        if (more.empty() && queue_.closed())
            return false;
        refuse_hopeless(more);
        if (more.empty())
            continue;
        units.insert(units.end(), more.begin(), more.end());
        return true;
    }
    return false;
}

void SqliteWriter::refuse_hopeless(std::vector<Unit*>& units)
{
    refuse_stale(units, options_.queue_wait);
    if (units.empty() || !log_sync_.hangs())
        return;
    for (auto* unit : units) {
        unit->error = busy_error("the log is not on the disk yet");
        finish(*unit);
    }
    units.clear();
}

bool SqliteWriter::run_one(Unit& unit, Undo undo)
{
    if (undo == Undo::savepoint)
        demand("SAVEPOINT unit");
    const auto before = connection_->changes();
    bool good = run_caught(unit, *connection_);
    last_failure_ = connection_->take_failure();
    if (good && last_failure_) {
        unit.error = last_failure_;
        good = false;
    }
    must_undo_ = undo == Undo::nothing_to && !good && connection_->in_transaction() && connection_->changes() != before;
    if (undo != Undo::savepoint || !connection_->in_transaction())
        return good;
    if (!good)
        if (const int code = connection_->undo_to("unit"); code != SQLITE_OK)
            throw InvariantBroken(connection_->error_of(code, "ROLLBACK TO unit").detail());
    demand("RELEASE unit");
    return good;
}

void SqliteWriter::commit(const std::vector<Unit*>& units)
{
    log_sync_.begun();
    const int code = connection_->commit_without_sync();
    if (code == SQLITE_OK)
        return;
    auto error = connection_->error_of(code, "COMMIT");
    if (connection_->in_transaction())
        connection_->command("ROLLBACK");
    // After a failed fsync nobody knows what the disk holds, and asking again would lie.
    if ((code & 0xff) == SQLITE_IOERR) {
        die(error.detail());
        error = Error(Errc::internal, "The storage failed.").detail(error.detail());
    }
    fail_all(units, error);
}

void SqliteWriter::fail_all(const std::vector<Unit*>& units, const Error& error)
{
    for (auto* unit : units)
        unit->error = error;
}

void SqliteWriter::move_log()
{
    const int pages = connection_->logged_pages();
    if (pages < pages_before_) {  // the log began anew
        next_checkpoint_ = pages_between_checkpoints;
        mover_began_ = mover_.moving();
    }
    pages_before_ = pages;
    if (dead() || pages < next_checkpoint_)
        return;
    if (!std::exchange(mover_began_, true))  // most of it by the mover, then what has come meanwhile
        return mover_.begin();
    if (pages >= next_checkpoint_ + most_pages_meanwhile)
        mover_.wait();
    if (mover_.moving())
        return;
    mover_began_ = false;
    const int code = connection_->checkpoint();
    if ((code & 0xff) == SQLITE_IOERR)
        die("sqlite " + std::to_string(code) + " at a checkpoint");
    next_checkpoint_ = pages + pages_between_checkpoints;  // readers may keep the log from beginning anew
}

void SqliteWriter::die(std::string detail)
{
    if (!dead_.exchange(true) && options_.on_fatal)
        options_.on_fatal(detail);
}

void SqliteWriter::demand(std::string_view command)
{
    if (const int code = connection_->command(command); code != SQLITE_OK)
        throw InvariantBroken(connection_->error_of(code, command).detail());
}

namespace {

// Gives when the next one may have waited too long.
Steady::time_point refuse_waiting(UnitQueue& writes, Steady::duration limit)
{
    const auto now = Steady::now();
    for (auto* unit : writes.take_older(now - limit)) {
        unit->error = busy_error("unit waited too long for the writer");
        finish(*unit);
    }
    return writes.oldest().value_or(now) + limit;
}

}  // namespace

void run_reader(SqliteConnection& connection, UnitQueue& queue, LogSync& log_sync, UnitQueue& writes,
                Steady::duration queue_wait)
{
    for (;;) {
        const auto next_write = refuse_waiting(writes, queue_wait);
        auto units = queue.pop(1, std::min(next_write, log_sync.refuse_late().value_or(next_write)));
        if (units.empty() && queue.drained())
            return;
        refuse_stale(units, queue_wait);
        for (auto* unit : units) {
            const int begun = connection.command("BEGIN");
            if (begun != SQLITE_OK) {
                unit->error = connection.error_of(begun, "BEGIN");
            } else {
                const bool good = run_caught(*unit, connection);
                auto failure = connection.take_failure();
                if (good && failure)
                    unit->error = std::move(failure);
                connection.command("ROLLBACK");  // there is nothing to keep
            }
            log_sync.tell_reader(*unit);
        }
    }
}

}  // namespace dure::sql
