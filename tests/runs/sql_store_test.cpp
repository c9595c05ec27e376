// SqlStore: the conformance suite on both drivers.
#include "dure/runs/sql_store.hpp"

#include "runs/runs_fixture.hpp"
#include "support/store_conformance.hpp"

namespace dure::graph {

namespace {

std::vector<StoreCase> sql_stores()
{
    std::vector<StoreCase> cases;
    for (const auto& driver : test::all_drivers())
        cases.push_back({driver.name, [driver](const Clock& clock) {
                             auto database = runs::migrated(driver.open_empty({}));
                             StoreUnderTest made;
                             made.store = std::make_unique<runs::SqlStore>(*database, clock);
                             made.storage = database;
                             return made;
                         }});
    return cases;
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(Sql, StoreConformance, testing::ValuesIn(sql_stores()), store_case_name);

}  // namespace dure::graph

namespace dure::runs {

namespace {

using SqlStoreTest = RunsTest;

}  // namespace

TEST_P(SqlStoreTest, X2_ExpiredItemsLeaveTheTable)
{
    graph::StoreClock clock;
    SqlStore store(*database_, clock);
    test::run([&]() -> Task<void> {
        EXPECT_TRUE(co_await store.put({"a"}, "short", 1, std::chrono::milliseconds(5)));
        EXPECT_TRUE(co_await store.put({"a"}, "long", 1, {}));
        clock.time += 5;
        const auto removed = co_await store.forget_expired();
        EXPECT_TRUE(removed && *removed == 1);
    });
    EXPECT_EQ(count("SELECT COUNT(*) FROM graph_store"), 1);
}

INSTANTIATE_TEST_SUITE_P(Drivers, SqlStoreTest, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace dure::runs
