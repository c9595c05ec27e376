// The clock of leases; see lease_clock.hpp.
#include "dure/runs/lease_clock.hpp"

namespace dure::runs {

namespace {

constexpr UnixMillis late_answer = 1'000;   // it says too little of now

}  // namespace

LeaseClock::LeaseClock(sql::Database& database, const Clock& clock)
    : database_(database), clock_(clock), ahead_(clock.now() - monotonic()),
      known_(database.dialect() == sql::Dialect::sqlite)
{}

UnixMillis LeaseClock::monotonic() const
{
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
    known_ = true;
}

Task<bool> LeaseClock::known()
{
    if (!known_)
        co_await look();
    co_return known_.load();
}

}  // namespace dure::runs
