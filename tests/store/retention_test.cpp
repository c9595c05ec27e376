// Old rows of usage and attempts: they go oldest first in bounded batches, young ones stay.
#include "dure/store/retention.hpp"

#include "dure/store/attempts.hpp"
#include "dure/store/usage.hpp"
#include "store/store_fixture.hpp"

namespace dure::store {
namespace retention_rows {

using namespace std::chrono_literals;

class StandingClock final : public Clock {
public:
    explicit StandingClock(UnixMillis now) : now_(now) {}
    UnixMillis now() const override { return now_; }
    Steady::time_point steady_now() const override { return Steady::now(); }

private:
    UnixMillis now_;
};

class RetentionTest : public StoreTest {
protected:
    // One row for each time, in this order.
    void add_attempts(const std::vector<UnixMillis>& times)
    {
        std::vector<model::AttemptRow> rows;
        for (const auto time : times)
            rows.emplace_back().started_at = time;
        ASSERT_TRUE(in<Attempts>([&](Attempts attempts) { return attempts.insert(rows); }));
    }
    void add_usage(const std::vector<UnixMillis>& times)
    {
        std::vector<model::UsageRow> rows;
        for (const auto time : times)
            rows.emplace_back().created_at = time;
        ASSERT_TRUE(in<Usage>([&](Usage usage) { return usage.insert(rows); }));
    }
    std::vector<std::int64_t> times_of(const std::string& table, const std::string& column)
    {
        const auto rows = database_->run_now(
            [&](sql::Connection& c) { return c.query("SELECT " + column + " FROM " + table + " ORDER BY id"); });
        std::vector<std::int64_t> times;
        for (const auto row : rows.value())
            times.push_back(row.integer(column));
        return times;
    }
    void await_times(const std::string& table, const std::string& column, const std::vector<std::int64_t>& wanted)
    {
        const auto until = Steady::now() + 10s;
        while (times_of(table, column) != wanted && Steady::now() < until)
            std::this_thread::yield();
        EXPECT_EQ(times_of(table, column), wanted) << table;
    }

    test::TemporaryFolder folder_;
    Logger logger_{{.file = folder_.file("log")}};
};

TEST_P(RetentionTest, OneStepLooksAtTheOldestRowsOnly)
{
    add_attempts({1, 2, 30, 4, 5});
    const auto forget = [&](UnixMillis before, std::int64_t most) {
        return in<Attempts>([&](Attempts attempts) { return attempts.forget(before, most); }).value();
    };
    EXPECT_EQ(forget(10, 4), 3);
    EXPECT_EQ(times_of("attempts", "started_at"), (std::vector<std::int64_t>{30, 5}));
    EXPECT_EQ(forget(10, 4), 1);
    EXPECT_EQ(forget(10, 4), 0);
    EXPECT_EQ(times_of("attempts", "started_at"), (std::vector<std::int64_t>{30}));
}

TEST_P(RetentionTest, EachTableHasItsOwnAge)
{
    add_usage({100, 899, 900, 1000});
    add_attempts({100, 489, 490, 1000});
    const StandingClock clock(1000);
    Retention retention(*database_, clock, logger_, {.usage = 100ms, .attempts = 510ms, .interval = 1ms});
    await_times("usage", "created_at", {900, 1000});
    await_times("attempts", "started_at", {490, 1000});
}

TEST_P(RetentionTest, MoreThanOneBatchGoesAndWhatComesLaterToo)
{
    std::vector<UnixMillis> old(static_cast<std::size_t>(Retention::batch) + 10, 5);
    old.push_back(995);
    add_attempts(old);
    const StandingClock clock(1000);
    Retention retention(*database_, clock, logger_, {.attempts = 100ms, .interval = 1ms, .pause = 1ms});
    await_times("attempts", "started_at", {995});
    add_attempts({6});
    await_times("attempts", "started_at", {995});
}

TEST_P(RetentionTest, WithoutAnAgeEverythingStays)
{
    add_usage({1});
    add_attempts({1});
    const StandingClock clock(1000);
    Retention retention(*database_, clock, logger_, {.attempts = 1ms, .interval = 1ms});
    await_times("attempts", "started_at", {});   // attempts come behind usage: that has been looked at too
    EXPECT_EQ(times_of("usage", "created_at"), (std::vector<std::int64_t>{1}));
}

INSTANTIATE_TEST_SUITE_P(Drivers, RetentionTest, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace retention_rows
}  // namespace dure::store
