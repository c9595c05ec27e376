// Thread -> sweep a table -> batches until one is not full; see retention.hpp.
#include "dure/store/retention.hpp"

#include <pthread.h>

#include "dure/store/attempts.hpp"
#include "dure/store/usage.hpp"

namespace dure::store {

namespace {

Result<std::int64_t> forget_usage(sql::Connection& connection, UnixMillis before)
{
    return Usage(connection).forget(before, Retention::batch);
}

Result<std::int64_t> forget_attempts(sql::Connection& connection, UnixMillis before)
{
    return Attempts(connection).forget(before, Retention::batch);
}

}  // namespace

Retention::Retention(sql::Database& database, const Clock& clock, Logger& logger, RetentionOptions options)
    : database_(database), clock_(clock), logger_(logger), options_(options), thread_([this] {
          pthread_setname_np(pthread_self(), "retention");
          work();
      })
{}

Retention::~Retention()
{
    stop();
}

void Retention::stop()
{
    {
        const std::lock_guard lock(guard_);
        stopping_ = true;
    }
    changed_.notify_one();
    if (thread_.joinable())
        thread_.join();
}

void Retention::work()
{
    do {
        sweep("usage", options_.usage, forget_usage);
        sweep("attempts", options_.attempts, forget_attempts);
    } while (!stopped_within(options_.interval));
}

void Retention::sweep(const char* table, std::chrono::milliseconds age,
                      Result<std::int64_t> (*forget)(sql::Connection&, UnixMillis))
{
    if (age.count() <= 0)
        return;
    const auto before = clock_.now() - age.count();
    const auto complain = [&](std::string_view cause) {
        logger_.warn("old rows could not be removed", {{"table", table}, {"cause", cause}});
    };
    for (;;) {
        try {
            const auto gone = database_.run_now([&](sql::Connection& c) { return forget(c, before); });
            if (!gone)
                return complain(gone.error().message() + " " + gone.error().detail());
            if (*gone < batch)
                return;
        } catch (const std::exception& thrown) {
            return complain(thrown.what());
        }
        if (stopped_within(options_.pause))
            return;
    }
}

bool Retention::stopped_within(std::chrono::milliseconds pause)
{
    std::unique_lock lock(guard_);
    return changed_.wait_for(lock, pause, [this] { return stopping_; });
}

}  // namespace dure::store
