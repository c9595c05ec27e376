// Several events appended at once: their order, an outcome for each, and no gap whatever becomes of some of them.
#include <future>
#include <map>
#include <semaphore>
#include <thread>

#include "dure/store/events.hpp"
#include "store/store_fixture.hpp"

namespace dure::store {
namespace {

class AppendAllTest : public StoreTest {
protected:
    static EventToAppend event_of(const std::string& aggregate, std::int64_t n, const std::string& id = "")
    {
        EventToAppend one;
        one.event.event_id = id;
        one.event.aggregate_id = aggregate;
        one.event.aggregate_type = "Session";
        one.event.event_type = "TurnRecorded";
        one.event.data = {{"n", n}};
        one.event.owner_id = "kim";
        one.event.created_at = 100;
        return one;
    }
    Result<std::vector<Result<model::Event>>> append(const std::vector<EventToAppend>& events)
    {
        return in<Events>([&](Events all) { return all.append_all(events); });
    }
    std::vector<model::Event> stored()
    {
        return from<Events>([](Events events) { return events.after(0, {}, 1000); }).value();
    }
};

TEST_P(AppendAllTest, ManyAreStoredInTheirOrder)
{
    std::vector<EventToAppend> fresh;
    for (int n = 0; n < 50; ++n)   // more than one statement takes
        fresh.push_back(event_of(n % 3 == 0 ? "b" : "a", n));
    const auto outcomes = append(fresh);
    ASSERT_TRUE(outcomes) << outcomes.error().detail();
    ASSERT_EQ(outcomes->size(), fresh.size());
    const auto found = stored();
    ASSERT_EQ(found.size(), fresh.size());
    std::map<std::string, std::int64_t> versions;
    for (std::size_t i = 0; i < found.size(); ++i)
        for (const auto& event : {found[i], (*outcomes)[i].value()}) {
            EXPECT_EQ(event.position, static_cast<std::int64_t>(i) + 1);
            EXPECT_EQ(event.data.at("n"), i);
            EXPECT_EQ(event.aggregate_id, fresh[i].event.aggregate_id);
        }
    for (std::size_t i = 0; i < found.size(); ++i) {
        EXPECT_EQ(found[i].version, ++versions[found[i].aggregate_id]);
        EXPECT_EQ((*outcomes)[i]->version, found[i].version);
    }
}

TEST_P(AppendAllTest, WhatIsRefusedHasItsOwnOutcomeAndLeavesNoGap)
{
    ASSERT_TRUE(append({event_of("a", 0, "known")}));
    auto wrong = event_of("a", 2);
    wrong.expected_version = 7;
    auto right = event_of("a", 3);
    right.expected_version = 2;
    auto taken = event_of("b", 4, "known");
    const auto outcomes =
        append({event_of("a", 1), wrong, right, taken, event_of("a", 5, "known"), event_of("a", 6, "new"),
                event_of("a", 7, "new"), event_of("b", 8)})
            .value();
    const auto position = [&](std::size_t i) { return outcomes[i].value().position; };
    EXPECT_EQ(position(0), 2);
    EXPECT_EQ(outcomes[1].error().reason(), "version_conflict");
    EXPECT_NE(outcomes[1].error().message().find("at version 2, not 7"), std::string::npos);
    EXPECT_EQ(position(2), 3);
    EXPECT_EQ(outcomes[3].error().reason(), "event_id_taken");
    EXPECT_EQ(position(4), 1);   // of the first
    EXPECT_EQ(outcomes[4]->data.at("n"), 0);
    EXPECT_EQ(position(5), 4);
    EXPECT_EQ(position(6), 4);
    EXPECT_EQ(position(7), 5);
    EXPECT_EQ(stored().size(), 5u);
    for (std::size_t i = 0; i < 8; ++i)
        EXPECT_EQ(outcomes[i] || is_refusal(outcomes[i].error()), true) << i;
}

TEST_P(AppendAllTest, AUnitThatNeedsAllFailsWithTheFirstRefusalAndLeavesNothing)
{
    auto wrong = event_of("a", 1);
    wrong.expected_version = 9;
    const auto failed = database_->run_now(
        [&](sql::Connection& c) { return append_every(c, {event_of("a", 0), wrong, event_of("a", 2)}); });
    EXPECT_EQ(failed.error().reason(), "version_conflict");
    EXPECT_TRUE(stored().empty());
    const auto none = database_->run_now([](sql::Connection& c) { return append_every(c, {}); });
    EXPECT_TRUE(none.value().empty());
    EXPECT_EQ(append({event_of("a", 3)}).value().front()->position, 1);
}

TEST_P(AppendAllTest, AppendsToOneAggregateAtTheSameTimeCountItsVersionsOnce)
{
    constexpr int writers = 6, units = 20, at_once = 3;
    std::vector<std::thread> threads;
    for (int writer = 0; writer < writers; ++writer)
        threads.emplace_back([&] {
            for (int unit = 0; unit < units; ++unit) {
                const auto outcomes = append(std::vector<EventToAppend>(at_once, event_of("shared", unit)));
                ASSERT_TRUE(outcomes) << outcomes.error().detail();
                // What is appended together lies together.
                EXPECT_EQ(outcomes->back()->position, outcomes->front()->position + at_once - 1);
                EXPECT_EQ(outcomes->back()->version, outcomes->front()->version + at_once - 1);
            }
        });
    for (auto& thread : threads)
        thread.join();
    const auto found = stored();
    ASSERT_EQ(found.size(), static_cast<std::size_t>(writers * units * at_once));
    for (std::size_t i = 0; i < found.size(); ++i) {
        EXPECT_EQ(found[i].position, static_cast<std::int64_t>(i) + 1);
        EXPECT_EQ(found[i].version, static_cast<std::int64_t>(i) + 1);
    }
}

// Units that share a transaction wait for rows a moment only: the order of events is what they are there to wait for.
TEST_P(AppendAllTest, AnAppendWaitsForItsTurnInTheOrderHoweverShortItsUnitWaitsForRows)
{
    if (database_->dialect() == sql::Dialect::sqlite)
        GTEST_SKIP() << "one writer";
    std::binary_semaphore appended(0), go_on(0);
    std::thread slow([&] {
        EXPECT_TRUE(database_->run_now([&](sql::Connection& c) -> Result<int> {
            EXPECT_TRUE(append_every(c, {event_of("slow", 1)}));
            appended.release();
            go_on.acquire();
            return 1;
        }));
    });
    appended.acquire();
    auto waiting = std::async(std::launch::async, [&] {
        return database_->run_now([&](sql::Connection& c) -> Result<std::int64_t> {
            EXPECT_TRUE(c.execute("SET LOCAL lock_timeout = '1ms'"));
            const auto stored = append_every(c, {event_of("hasty", 1)});
            return stored ? Result<std::int64_t>(stored->front().position) : stored.error();
        });
    });
    EXPECT_EQ(waiting.wait_for(std::chrono::milliseconds(100)), std::future_status::timeout);
    go_on.release();
    slow.join();
    const auto position = waiting.get();
    ASSERT_TRUE(position) << position.error().detail();
    EXPECT_EQ(*position, 2);
}

INSTANTIATE_TEST_SUITE_P(Drivers, AppendAllTest, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace
}  // namespace dure::store
