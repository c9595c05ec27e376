// WriteBehind: add() -> queue -> thread -> one transaction per batch; see write_behind.hpp.
#include "dure/store/write_behind.hpp"

#include <pthread.h>

#include "dure/base/timeout.hpp"
#include "dure/model/attempt.hpp"
#include "dure/model/records.hpp"
#include "dure/store/attempts.hpp"
#include "dure/store/usage.hpp"

namespace dure::store {

namespace {

struct RowKind {
    const char* thread;
    const char* name;
};

template <class Row>
RowKind kind_of();

template <>
RowKind kind_of<model::UsageRow>()
{
    return {"usage-writer", "usage"};
}

template <>
RowKind kind_of<model::AttemptRow>()
{
    return {"attempt-writer", "attempt"};
}

Result<void> insert_rows(sql::Connection& connection, std::span<const model::UsageRow> rows)
{
    return Usage(connection).insert(rows);
}

Result<void> insert_rows(sql::Connection& connection, std::span<const model::AttemptRow> rows)
{
    return Attempts(connection).insert(rows);
}

constexpr std::size_t rows_in_one_transaction = 2000;
constexpr std::chrono::milliseconds longest_retry{2000};   // calls may wait for what it finds: is_stuck()
constexpr std::chrono::milliseconds look_again{10};

}  // namespace

template <class Row>
WriteBehind<Row>::WriteBehind(sql::Database& database, Logger& logger, WriteBehindOptions options)
    : database_(database), logger_(logger), options_(options), thread_([this] {
          pthread_setname_np(pthread_self(), kind_of<Row>().thread);
          work();
      })
{}

template <class Row>
WriteBehind<Row>::~WriteBehind()
{
    stop();
}

template <class Row>
bool WriteBehind<Row>::try_add(Row& row)
{
    const std::lock_guard lock(guard_);
    if (stopping_ || queue_.size() + writing_ >= options_.capacity)
        return false;
    queue_.push_back(std::move(row));
    // The thread is awake at the latest after the pause; below that the lock alone is the cost of a row.
    if (queue_.size() == options_.flush_at)
        changed_.notify_one();
    return true;
}

template <class Row>
Task<bool> WriteBehind<Row>::add(Row row)
{
    if (try_add(row))
        co_return true;
    const auto until = Deadline::after(options_.longest_wait);
    while (!try_add(row)) {
        if (until.passed() || stopped()) {
            count_drops(1, "the queue stayed full, or the writer is stopped");
            co_return false;
        }
        co_await sleep_for(look_again);
    }
    co_return true;
}

template <class Row>
void WriteBehind<Row>::add_now(Row row)
{
    if (!try_add(row))
        count_drops(1, "the queue was full, or the writer is stopped");
}

template <class Row>
bool WriteBehind<Row>::stopped() const
{
    const std::lock_guard lock(guard_);
    return stopping_;
}

template <class Row>
void WriteBehind<Row>::stop(Deadline deadline)
{
    {
        const std::lock_guard lock(guard_);
        if (!stopping_)
            give_up_at_ = deadline.sooner(options_.stop_limit).at();
        stopping_ = true;
    }
    changed_.notify_one();
    if (thread_.joinable())
        thread_.join();
}

template <class Row>
bool WriteBehind<Row>::is_stuck() const
{
    if (database_.is_away())
        return true;
    const auto since = refused_since_.load(std::memory_order_relaxed);
    return since != Steady::time_point::max() && Steady::now() - since > options_.stuck_after;
}

template <class Row>
std::size_t WriteBehind<Row>::waiting() const
{
    const std::lock_guard lock(guard_);
    return queue_.size() + writing_;
}

template <class Row>
std::uint64_t WriteBehind<Row>::written() const
{
    const std::lock_guard lock(guard_);
    return written_;
}

template <class Row>
std::uint64_t WriteBehind<Row>::dropped() const
{
    const std::lock_guard lock(guard_);
    return dropped_;
}

template <class Row>
void WriteBehind<Row>::work()
{
    for (;;) {
        auto batch = next_batch();
        if (batch.empty())
            return;
        if (!write_stubbornly(batch))
            for (const auto& row : batch)   // one of them can never be stored: find it
                if (!write_stubbornly({&row, 1}))
                    count_drops(1, "refused by the storage");
        const bool fits = batch.size() > batch.capacity() / 4;   // what one burst needed does not stay
        batch.clear();
        const std::lock_guard lock(guard_);
        writing_ = 0;
        if (fits)
            room_.swap(batch);
    }
}

// Until the rows are stored, or the stop cannot wait any more (then they are counted as dropped). False: the rows
// themselves are refused, another try is useless.
template <class Row>
bool WriteBehind<Row>::write_stubbornly(std::span<const Row> rows)
{
    auto pause = options_.first_retry;
    const auto begun = Steady::now();
    auto code = write(rows);
    while (code && *code != Errc::invalid_argument) {
        refused_since_ = begun;
        if (!pause_before_retry(pause)) {
            drop_the_rest(rows.size());
            return true;
        }
        pause = std::min(pause * 2, longest_retry);
        code = write(rows);
    }
    refused_since_ = Steady::time_point::max();
    return !code;
}

// Empty: stopped, and nothing is left.
template <class Row>
std::vector<Row> WriteBehind<Row>::next_batch()
{
    std::unique_lock lock(guard_);
    do {
        changed_.wait_for(lock, options_.pause, [this] { return stopping_ || queue_.size() >= options_.flush_at; });
    } while (queue_.empty() && !stopping_);
    std::vector<Row> batch;
    if (queue_.size() <= rows_in_one_transaction) {
        batch.swap(queue_);
        queue_.swap(room_);
    } else {
        const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(rows_in_one_transaction);
        batch.assign(std::make_move_iterator(queue_.begin()), std::make_move_iterator(end));
        queue_.erase(queue_.begin(), end);
    }
    writing_ = batch.size();
    return batch;
}

template <class Row>
std::optional<Errc> WriteBehind<Row>::write(std::span<const Row> rows)
{
    auto code = Errc::internal;
    std::string problem;
    try {
        const auto stored = database_.run_now([rows](sql::Connection& c) { return insert_rows(c, rows); });
        if (stored) {
            const std::lock_guard lock(guard_);
            written_ += rows.size();
            return std::nullopt;
        }
        code = stored.error().code();
        problem = stored.error().message() + " " + stored.error().detail();
    } catch (const std::exception& thrown) {
        problem = thrown.what();
    }
    logger_.warn(std::string(kind_of<Row>().name) + " rows not written",
                 {{"rows", rows.size()}, {"code", name_of(code)}, {"problem", problem}});
    return code;
}

// False: the stop has waited long enough.
template <class Row>
bool WriteBehind<Row>::pause_before_retry(std::chrono::milliseconds pause)
{
    std::unique_lock lock(guard_);
    const auto retry_at = Steady::now() + pause;
    while (Steady::now() < retry_at && Steady::now() < give_up_at_)
        changed_.wait_until(lock, std::min(retry_at, give_up_at_));
    return Steady::now() < give_up_at_;
}

// Those that were not tried with these would not be taken either, and each try has its time.
template <class Row>
void WriteBehind<Row>::drop_the_rest(std::size_t rows)
{
    {
        const std::lock_guard lock(guard_);
        rows += queue_.size();
        queue_.clear();
    }
    count_drops(rows, "the storage did not take them before the stop");
}

template <class Row>
void WriteBehind<Row>::count_drops(std::size_t rows, std::string_view why)
{
    std::uint64_t total = 0;
    {
        const std::lock_guard lock(guard_);
        dropped_ += rows;
        total = dropped_;
    }
    logger_.error(std::string(kind_of<Row>().name) + " rows dropped", {{"rows", rows}, {"total", total}, {"why", why}});
}

template class WriteBehind<model::UsageRow>;
template class WriteBehind<model::AttemptRow>;

}  // namespace dure::store
