// UsageWriter: add() -> queue -> thread -> one transaction per batch; see usage_writer.hpp.
#include "dure/store/usage_writer.hpp"

#include <pthread.h>

#include "dure/base/timeout.hpp"
#include "dure/store/usage.hpp"

namespace dure::store {

namespace {

constexpr std::size_t rows_in_one_transaction = 2000;
constexpr std::chrono::milliseconds longest_retry{5000};
constexpr std::chrono::milliseconds look_again{10};

}  // namespace

UsageWriter::UsageWriter(sql::Database& database, Logger& logger, UsageWriterOptions options)
    : database_(database), logger_(logger), options_(options), thread_([this] {
          pthread_setname_np(pthread_self(), "usage-writer");
          work();
      })
{}

UsageWriter::~UsageWriter()
{
    stop();
}

bool UsageWriter::try_add(model::UsageRow& row)
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

Task<bool> UsageWriter::add(model::UsageRow row)
{
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

bool UsageWriter::stopped() const
{
    const std::lock_guard lock(guard_);
    return stopping_;
}

void UsageWriter::stop()
{
    {
        const std::lock_guard lock(guard_);
        if (!stopping_)
            give_up_at_ = Steady::now() + options_.stop_limit;
        stopping_ = true;
    }
    changed_.notify_one();
    if (thread_.joinable())
        thread_.join();
}

std::size_t UsageWriter::waiting() const
{
    const std::lock_guard lock(guard_);
    return queue_.size() + writing_;
}

std::uint64_t UsageWriter::written() const
{
    const std::lock_guard lock(guard_);
    return written_;
}

std::uint64_t UsageWriter::dropped() const
{
    const std::lock_guard lock(guard_);
    return dropped_;
}

void UsageWriter::work()
{
    for (;;) {
        const auto batch = next_batch();
        if (batch.empty())
            return;
        if (!write_stubbornly(batch))
            for (const auto& row : batch)   // one of them can never be stored: find it
                if (!write_stubbornly({&row, 1}))
                    count_drops(1, "refused by the storage");
        const std::lock_guard lock(guard_);
        writing_ = 0;
    }
}

// Until the rows are stored, or the stop cannot wait any more (then they are counted as dropped). False: the rows
// themselves are refused, another try is useless.
bool UsageWriter::write_stubbornly(std::span<const model::UsageRow> rows)
{
    auto pause = options_.first_retry;
    auto code = write(rows);
    while (code && *code != Errc::invalid_argument) {
        if (!pause_before_retry(pause)) {
            count_drops(rows.size(), "the storage did not take them before the stop");
            return true;
        }
        pause = std::min(pause * 2, longest_retry);
        code = write(rows);
    }
    return !code;
}

// Empty: stopped, and nothing is left.
std::vector<model::UsageRow> UsageWriter::next_batch()
{
    std::unique_lock lock(guard_);
    do {
        changed_.wait_for(lock, options_.pause, [this] { return stopping_ || queue_.size() >= options_.flush_at; });
    } while (queue_.empty() && !stopping_);
    std::vector<model::UsageRow> batch;
    if (queue_.size() <= rows_in_one_transaction) {
        batch.swap(queue_);
    } else {
        const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(rows_in_one_transaction);
        batch.assign(std::make_move_iterator(queue_.begin()), std::make_move_iterator(end));
        queue_.erase(queue_.begin(), end);
    }
    writing_ = batch.size();
    return batch;
}

std::optional<Errc> UsageWriter::write(std::span<const model::UsageRow> rows)
{
    auto code = Errc::internal;
    std::string problem;
    try {
        const auto stored = database_.run_now([rows](sql::Connection& c) { return Usage(c).insert(rows); });
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
    logger_.warn("usage rows not written", {{"rows", rows.size()}, {"code", name_of(code)}, {"problem", problem}});
    return code;
}

// False: the stop has waited long enough.
bool UsageWriter::pause_before_retry(std::chrono::milliseconds pause)
{
    std::unique_lock lock(guard_);
    const auto retry_at = Steady::now() + pause;
    while (Steady::now() < retry_at && Steady::now() < give_up_at_)
        changed_.wait_until(lock, std::min(retry_at, give_up_at_));
    return Steady::now() < give_up_at_;
}

void UsageWriter::count_drops(std::size_t rows, std::string_view why)
{
    std::uint64_t total = 0;
    {
        const std::lock_guard lock(guard_);
        dropped_ += rows;
        total = dropped_;
    }
    logger_.error("usage rows dropped", {{"rows", rows}, {"total", total}, {"why", why}});
}

}  // namespace dure::store
