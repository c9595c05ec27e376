// Retention: rows that come in masses (usage, attempts) go when they are old, so that their tables stay bounded. A thread looks
// once a minute and removes them in small transactions with pauses between, oldest first, so that nobody waits for it. Any
// number of replicas may do so at the same time. Needs the database as long as it lives; stop() or the destructor ends it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "dure/base/clock.hpp"
#include "dure/base/log.hpp"
#include "dure/sql/database.hpp"

namespace dure::store {

struct RetentionOptions {
    std::chrono::milliseconds usage{0};  // 0: kept for ever
    std::chrono::milliseconds attempts{0};
    std::chrono::milliseconds interval{60'000};
    std::chrono::milliseconds pause{50};  // between two transactions
};

class Retention {
public:
    // Rows looked at, and so removed at most, in one transaction.
    static constexpr std::int64_t batch = 1000;

    Retention(sql::Database& database, const Clock& clock, Logger& logger, RetentionOptions options);
    ~Retention();
    Retention(const Retention&) = delete;
    Retention& operator=(const Retention&) = delete;

    // Waits for a transaction under way. Not for a core.
    void stop();

private:
    void work();
    void sweep(const char* table, std::chrono::milliseconds age,
               Result<std::int64_t> (*forget)(sql::Connection&, UnixMillis));
    bool stopped_within(std::chrono::milliseconds pause);

    sql::Database& database_;
    const Clock& clock_;
    Logger& logger_;
    const RetentionOptions options_;
    std::mutex guard_;
    std::condition_variable changed_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace dure::store
