// The clock of leases; see lease_clock.hpp.
#include "dure/runs/lease_clock.hpp"

#include <time.h>

#include <limits>

namespace dure::runs {

namespace {

constexpr UnixMillis late_answer = 1'000;   // it says too little of now
constexpr UnixMillis never = -1;

}  // namespace

LeaseClock::LeaseClock(sql::Database& database, const Clock& clock)
    : database_(database), clock_(clock), ahead_(clock.now() - monotonic()),
      seen_(database.dialect() == sql::Dialect::sqlite ? std::numeric_limits<UnixMillis>::max() : never)
{}

UnixMillis LeaseClock::monotonic() const
{
    timespec since_boot{};
    if (database_.dialect() != sql::Dialect::sqlite && ::clock_gettime(CLOCK_BOOTTIME, &since_boot) == 0)
        return UnixMillis{since_boot.tv_sec} * 1000 + since_boot.tv_nsec / 1'000'000;
    return std::chrono::duration_cast<std::chrono::milliseconds>(clock_.steady_now().time_since_epoch()).count();
}

Task<void> LeaseClock::look()
{
    if (database_.dialect() == sql::Dialect::sqlite)
        co_return;
    const auto asked = monotonic();
    const auto told = co_await database_.read_statement([](sql::Connection& c) {
        return c.query("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)");
    });
    const auto answered = monotonic();
    if (!told || answered - asked > late_answer)
        co_return;
    ahead_ = told->front().integer(0) - asked - (answered - asked) / 2;
    seen_ = asked;
}

Task<bool> LeaseClock::known(std::chrono::milliseconds oldest)
{
    const auto seen = seen_.load();
    if (seen == never || monotonic() - seen > oldest.count())
        co_await look();
    co_return seen_.load() != never;
}

}  // namespace dure::runs
