// LogSync; see log_sync.hpp.
#include "sql/sqlite/log_sync.hpp"

#include <pthread.h>
#include <sqlite3.h>

#include <algorithm>

namespace dure::sql {

namespace {

// Reads; the writer's groups are bounded by the requests that wait for them.
constexpr std::size_t most_waiting = 4096;

}  // namespace

LogSync::LogSync(std::function<int()> sync, std::function<void()> on_idle, std::function<void(std::string)> on_failure,
                 Steady::duration patience)
    : sync_(std::move(sync)), on_idle_(std::move(on_idle)), on_failure_(std::move(on_failure)), patience_(patience),
      thread_([this] {
          pthread_setname_np(pthread_self(), "sql-sync");
          work();
      })
{}

LogSync::~LogSync()
{
    {
        const std::lock_guard lock(guard_);
        closed_ = true;
    }
    changed_.notify_one();
    thread_.join();
}

void LogSync::wait_for_room()
{
    std::unique_lock lock(guard_);
    room_.wait(lock, [this] { return written_ == asked_; });
}

bool LogSync::hangs()
{
    const std::lock_guard lock(guard_);
    return hangs_now();
}

bool LogSync::hangs_now() const
{
    return !failed_ && asked_ > synced_.load() && Steady::now() - asked_at_ > patience_;
}

void LogSync::tell(std::vector<Unit*> units, bool at_once)
{
    std::unique_lock lock(guard_);
    written_ = begun_.load();
    wait_or_finish({std::move(units), written_}, lock);
    if (asked_ == written_)
        return;
    if (at_once && !busy_)
        return synchronise(lock);
    busy_ = true;
    lock.unlock();
    changed_.notify_one();
}

void LogSync::tell_reader(Unit& unit)
{
    const auto seen = begun_.load();
    if (synced_.load() >= seen)
        return finish(unit);
    std::unique_lock lock(guard_);
    const bool hangs = hangs_now();
    if (hangs || waiting_.size() >= most_waiting) {
        lock.unlock();
        unit.error = busy_error(hangs ? "the log is not on the disk yet" : "too many reads wait for the log");
        return finish(unit);
    }
    wait_or_finish({{&unit}, seen, Steady::now() + patience_}, lock);   // its commits are synchronised for those who wrote them
}

std::optional<Steady::time_point> LogSync::refuse_late()
{
    const auto first = first_late_.load();
    if (first == Steady::time_point::max())
        return std::nullopt;
    const auto now = Steady::now();
    if (now < first)
        return first;
    std::vector<Unit*> late;
    {
        const std::lock_guard lock(guard_);
        std::erase_if(waiting_, [&](const Waiting& one) {
            if (one.until > now)
                return false;
            late.insert(late.end(), one.units.begin(), one.units.end());
            return true;
        });
        note_first_late();
    }
    for (auto* unit : late) {
        unit->error = busy_error("the log is not on the disk yet");
        finish(*unit);
    }
    return refuse_late();
}

// Reads stand in the order of their times.
void LogSync::note_first_late()
{
    const auto read = std::find_if(waiting_.begin(), waiting_.end(),
                                   [](const Waiting& one) { return one.until != Steady::time_point::max(); });
    first_late_ = read == waiting_.end() ? Steady::time_point::max() : read->until;
}

void LogSync::wait_or_finish(Waiting fresh, std::unique_lock<std::mutex>& lock)
{
    waiting_.push_back(std::move(fresh));
    first_late_ = std::min(first_late_.load(), waiting_.back().until);
    if (failed_ || waiting_.back().commits <= synced_.load())
        finish_decided(lock);
}

void LogSync::finish_decided(std::unique_lock<std::mutex>& lock)
{
    std::vector<Unit*> decided;
    std::erase_if(waiting_, [&](const Waiting& one) {
        const bool safe = one.commits <= synced_.load();
        if (!safe && !failed_)
            return false;
        for (auto* unit : one.units) {
            if (!safe)
                unit->error = Error(Errc::internal, "The storage failed.").detail("the log is not on the disk");
            decided.push_back(unit);
        }
        return true;
    });
    note_first_late();
    lock.unlock();
    for (auto* unit : decided)
        finish(*unit);
    lock.lock();
}

void LogSync::synchronise(std::unique_lock<std::mutex>& lock)
{
    const auto covered = asked_ = written_;
    asked_at_ = Steady::now();
    busy_ = true;
    const bool failed = failed_;
    room_.notify_one();
    lock.unlock();
    const int code = failed ? SQLITE_OK : sync_();
    if (code != SQLITE_OK)
        on_failure_("sqlite " + std::to_string(code) + " at a commit");
    lock.lock();
    failed_ = failed_ || code != SQLITE_OK;
    if (!failed_)
        synced_ = covered;
    busy_ = asked_ != written_;
    lock.unlock();
    on_idle_();  // before the callers are told: the next commit has waited for this
    lock.lock();
    finish_decided(lock);
}

void LogSync::work()
{
    std::unique_lock lock(guard_);
    for (;;) {
        changed_.wait(lock, [this] { return closed_ || asked_ < written_; });
        if (asked_ == written_)
            return;
        synchronise(lock);
    }
}

}  // namespace dure::sql
