// Usage rows: sums, and the writer behind the answers.
#include "dure/store/usage.hpp"

#include "dure/base/timeout.hpp"
#include "dure/store/usage_writer.hpp"
#include "store/store_fixture.hpp"
#include "support/eventually.hpp"
#include "support/query_plan.hpp"

namespace dure::store {
namespace {

using namespace std::chrono_literals;

constexpr UnixMillis day = 86'400'000;

model::UsageRow usage_of(const std::string& user, const std::string& model, UnixMillis at)
{
    model::UsageRow row;
    row.user_id = user;
    row.model = model;
    row.status = "ok";
    row.prompt_tokens = 10;
    row.completion_tokens = 5;
    row.cached_tokens = 2;
    row.reasoning_tokens = 1;
    row.cost_nano = 100;
    row.created_at = at;
    row.request_id = "r";
    row.endpoint = "/v1/chat/completions";
    return row;
}

class UsageTest : public StoreTest {
protected:
    std::vector<model::UsageTotal> totals(const UsageQuery& query)
    {
        return from<Usage>([&](Usage usage) { return usage.totals(query); }).value();
    }
    std::int64_t stored()
    {
        UsageQuery everything;
        everything.to = 1000 * day;
        return totals(everything).front().requests;
    }
    void await_stored(std::int64_t count)
    {
        const auto until = Steady::now() + 10s;
        while (stored() < count && Steady::now() < until)
            std::this_thread::yield();
        EXPECT_EQ(stored(), count);
    }

    test::TemporaryFolder folder_;
    Logger logger_{{.file = folder_.file("log")}};
};

TEST_P(UsageTest, SumsAreGroupedAsAsked)
{
    std::vector<model::UsageRow> rows{usage_of("kim", "a", 0), usage_of("kim", "a", day - 1), usage_of("kim", "b", day),
                                      usage_of("lee", "a", day), usage_of("lee", "a", 2 * day)};
    rows[3].key_id = "k1";
    rows[3].session_id = "s1";
    ASSERT_TRUE(in<Usage>([&](Usage usage) { return usage.insert(rows); }));

    UsageQuery query;
    query.to = 2 * day;   // exclusive
    const auto all = totals(query);
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].requests, 4);
    EXPECT_EQ(all[0].prompt_tokens, 40);
    EXPECT_EQ(all[0].completion_tokens, 20);
    EXPECT_EQ(all[0].cached_tokens, 8);
    EXPECT_EQ(all[0].reasoning_tokens, 4);
    EXPECT_EQ(all[0].cost_nano, 400);

    query.by_day = query.by_model = query.by_user = query.by_key = true;
    const auto grouped = totals(query);
    ASSERT_EQ(grouped.size(), 3u);
    EXPECT_EQ(grouped[0].day, "1970-01-01");
    EXPECT_EQ(grouped[0].requests, 2);
    EXPECT_EQ(grouped[1].day, "1970-01-02");
    EXPECT_EQ(grouped[1].model, "a");
    EXPECT_EQ(grouped[1].user_id, "lee");
    EXPECT_EQ(grouped[1].key_id, "k1");
    EXPECT_EQ(grouped[2].model, "b");
}

TEST_P(UsageTest, SumsCanBeNarrowedToAUserAndAKey)
{
    std::vector<model::UsageRow> rows{usage_of("kim", "a", 1), usage_of("kim", "a", 2), usage_of("lee", "a", 3)};
    rows[1].key_id = rows[2].key_id = "k1";
    ASSERT_TRUE(in<Usage>([&](Usage usage) { return usage.insert(rows); }));
    UsageQuery query;
    query.to = day;
    query.user_id = "kim";
    EXPECT_EQ(totals(query)[0].requests, 2);
    query.key_id = "k1";
    EXPECT_EQ(totals(query)[0].requests, 1);
    query.user_id.reset();
    EXPECT_EQ(totals(query)[0].requests, 2);
    query.user_id = "nobody";
    EXPECT_EQ(totals(query)[0].requests, 0);
    EXPECT_EQ(totals(query)[0].cost_nano, 0);
    query.by_user = true;
    EXPECT_TRUE(totals(query).empty());
}

TEST_P(UsageTest, ASpanOfTimeIsReadByItsIndexNotFromTheWholeTable)
{
    const auto plan =
        test::query_plan(*database_, "SELECT COUNT(*) FROM usage WHERE created_at >= 5 AND created_at < 9");
    EXPECT_NE(plan.find("usage_by_time"), std::string::npos) << plan;
}

TEST_P(UsageTest, EveryNumberOfRowsIsStoredWhole)
{
    std::int64_t total = 0;
    for (const std::size_t count : {0u, 1u, 3u, 4u, 85u, 200u}) {
        const std::vector<model::UsageRow> rows(count, usage_of("kim", "a", 1));
        ASSERT_TRUE(in<Usage>([&](Usage usage) { return usage.insert(rows); })) << count;
        total += static_cast<std::int64_t>(count);
        EXPECT_EQ(stored(), total);
    }
}

TEST_P(UsageTest, TheWriterStoresRowsSoonAfterTheyWereAdded)
{
    UsageWriter writer(*database_, logger_, {.pause = 5ms});
    test::run([&]() -> Task<void> { EXPECT_TRUE(co_await writer.add(usage_of("kim", "a", 1))); });
    await_stored(1);
}

TEST_P(UsageTest, TheWriterDoesNotWaitForThePauseWhenManyRowsAreThere)
{
    UsageWriter writer(*database_, logger_, {.flush_at = 3, .pause = std::chrono::minutes(10)});
    for (int i = 0; i < 3; ++i) {
        auto row = usage_of("kim", "a", i);
        EXPECT_TRUE(writer.try_add(row));
    }
    await_stored(3);
}

TEST_P(UsageTest, StoppingStoresWhatIsLeft)
{
    UsageWriter writer(*database_, logger_, {.pause = std::chrono::minutes(10)});
    for (int i = 0; i < 5000; ++i) {
        auto row = usage_of("kim", "a", i);
        ASSERT_TRUE(writer.try_add(row));
        if (i == 900)   // below flush_at: nothing was written yet
            EXPECT_EQ(writer.written(), 0u);
    }
    writer.stop();
    EXPECT_EQ(stored(), 5000);
    EXPECT_EQ(writer.written(), 5000u);
    EXPECT_EQ(writer.waiting(), 0u);
    auto late = usage_of("kim", "a", 1);
    EXPECT_FALSE(writer.try_add(late));
}

TEST_P(UsageTest, AFullQueueMakesCallersWaitAndThenDropsAndCounts)
{
    test::HeldWriter held(*database_, GetParam().writers);
    UsageWriter writer(*database_, logger_, {.capacity = 2, .flush_at = 1, .longest_wait = 40ms});
    test::run([&]() -> Task<void> {
        EXPECT_TRUE(co_await writer.add(usage_of("kim", "a", 1)));
        EXPECT_TRUE(co_await writer.add(usage_of("kim", "a", 2)));
        const auto begin = Steady::now();
        EXPECT_FALSE(co_await writer.add(usage_of("kim", "a", 3)));
        EXPECT_GE(Steady::now() - begin, 40ms);
    });
    EXPECT_EQ(writer.dropped(), 1u);
    EXPECT_EQ(writer.waiting(), 2u);
    held.release();
    writer.stop();
    EXPECT_EQ(stored(), 2);
}

TEST_P(UsageTest, AFailedWriteIsTriedAgainUntilItSucceeds)
{
    ASSERT_TRUE(
        database_->run_now([](sql::Connection& c) { return c.run_script("ALTER TABLE usage RENAME TO away"); }));
    UsageWriter writer(*database_, logger_, {.pause = 1ms, .first_retry = 1ms});
    auto row = usage_of("kim", "a", 1);
    ASSERT_TRUE(writer.try_add(row));
    const auto failed_once = [&] {
        logger_.flush();
        std::ifstream log(folder_.file("log"));
        return std::string(std::istreambuf_iterator<char>(log), {}).find("not written") != std::string::npos;
    };
    const auto until = Steady::now() + 10s;
    while (!failed_once() && Steady::now() < until)
        std::this_thread::yield();
    ASSERT_TRUE(failed_once());
    EXPECT_EQ(writer.waiting(), 1u);
    ASSERT_TRUE(
        database_->run_now([](sql::Connection& c) { return c.run_script("ALTER TABLE away RENAME TO usage"); }));
    await_stored(1);
    writer.stop();
    EXPECT_EQ(writer.dropped(), 0u);
}

TEST_P(UsageTest, RowsTheStorageNeverTookAreCountedAtTheStop)
{
    ASSERT_TRUE(database_->run_now([](sql::Connection& c) { return c.run_script("DROP TABLE usage"); }));
    UsageWriter writer(*database_, logger_, {.pause = 1ms, .first_retry = 1ms, .stop_limit = 20ms});
    auto row = usage_of("kim", "a", 1);
    ASSERT_TRUE(writer.try_add(row));
    writer.stop();
    EXPECT_EQ(writer.dropped(), 1u);
    EXPECT_EQ(writer.written(), 0u);
}

TEST_P(UsageTest, ItSaysForHowLongTheStorageTakesNothing)
{
    const auto rename = [&](const std::string& from, const std::string& to) {
        return database_->run_now(
            [&](sql::Connection& c) { return c.run_script("ALTER TABLE " + from + " RENAME TO " + to); });
    };
    UsageWriter writer(*database_, logger_, {.pause = 1ms, .first_retry = 1ms, .stuck_after = 50ms});
    EXPECT_FALSE(writer.is_stuck());
    ASSERT_TRUE(rename("usage", "away"));
    auto row = usage_of("kim", "a", 1);
    ASSERT_TRUE(writer.try_add(row));
    EXPECT_TRUE(test::eventually([&] { return writer.is_stuck(); }));
    ASSERT_TRUE(rename("away", "usage"));
    EXPECT_TRUE(test::eventually([&] { return !writer.is_stuck(); }));
    EXPECT_EQ(writer.written(), 1u);
}

TEST_P(UsageTest, AStopGivesUpAtItsDeadlineAndCountsAllThatWaits)
{
    ASSERT_TRUE(database_->run_now([](sql::Connection& c) { return c.run_script("DROP TABLE usage"); }));
    UsageWriter writer(*database_, logger_, {.flush_at = 1, .pause = 1ms, .first_retry = std::chrono::minutes(1)});
    for (int i = 0; i < 3; ++i) {
        auto row = usage_of("kim", "a", 1);
        ASSERT_TRUE(writer.try_add(row));
    }
    const auto begin = Steady::now();
    writer.stop(Deadline::after(20ms));
    EXPECT_LT(Steady::now() - begin, 2s);
    EXPECT_EQ(writer.dropped(), 3u);
    EXPECT_EQ(writer.waiting(), 0u);
}

TEST_P(UsageTest, ARowThatCanNeverBeStoredDoesNotHoldTheOthersBack)
{
    UsageWriter writer(*database_, logger_, {.flush_at = 3, .pause = std::chrono::minutes(10)});
    for (const auto& model : {std::string("a"), std::string("a\0b", 3), std::string("c")}) {
        auto row = usage_of("kim", model, 1);
        ASSERT_TRUE(writer.try_add(row));
    }
    await_stored(2);
    writer.stop();
    EXPECT_EQ(writer.dropped(), 1u);
}

INSTANTIATE_TEST_SUITE_P(Drivers, UsageTest, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace
}  // namespace dure::store
