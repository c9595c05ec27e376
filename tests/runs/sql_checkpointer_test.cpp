// SqlCheckpointer: the conformance suite on both drivers, and what lies in the tables.
#include "dure/runs/sql_checkpointer.hpp"

#include "runs/runs_fixture.hpp"
#include "support/checkpointer_conformance.hpp"

namespace dure::graph {

namespace {

std::vector<CheckpointerCase> sql_cases()
{
    std::vector<CheckpointerCase> cases;
    for (const auto& driver : test::all_drivers())
        cases.push_back({driver.name, [driver] {
                             auto database = runs::migrated(driver.open_empty({}));
                             CheckpointerUnderTest made;
                             made.checkpointer = std::make_unique<runs::SqlCheckpointer>(*database);
                             made.storage = database;
                             return made;
                         }});
    return cases;
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(Sql, CheckpointerConformance, testing::ValuesIn(sql_cases()), case_name);

}  // namespace dure::graph

namespace dure::runs {

namespace {

using SqlCheckpointerTest = RunsTest;

graph::Batch batch_of(graph::Checkpoint checkpoint)
{
    graph::Batch batch;
    batch.checkpoints.push_back(std::move(checkpoint));
    return batch;
}

}  // namespace

TEST_P(SqlCheckpointerTest, D2_ABatchThatFailsHasChangedNothing)
{
    SqlCheckpointer keeper(*database_);
    test::run([&]() -> Task<void> {
        auto batch = batch_of(graph::CheckpointMaker("c1").whole("n", 1));
        batch.pending.push_back(graph::pending("c1", std::string("nul\0", 4), 1));
        const auto saved = co_await keeper.save("t", std::move(batch));
        EXPECT_FALSE(saved);
        if (!saved)
            EXPECT_EQ(saved.error().code(), Errc::invalid_argument);
        const auto found = co_await keeper.load("t", "", "", true);
        EXPECT_TRUE(found && !*found);
    });
    EXPECT_EQ(count("SELECT COUNT(*) FROM graph_channel_writes"), 0);
}

TEST_P(SqlCheckpointerTest, K7_PrunedAndDeletedDataLeavesTheTables)
{
    SqlCheckpointer keeper(*database_);
    test::run([&]() -> Task<void> {
        graph::Checkpoint before;
        for (const auto* id : {"c1", "c2", "c3"}) {
            graph::Checkpoint next = graph::CheckpointMaker(id, before.id).with(before).whole("n", id);
            before = next;
            EXPECT_TRUE(co_await keeper.save("t", batch_of(std::move(next))));
        }
        EXPECT_EQ(*co_await keeper.prune("t", 1, {}), 2);
    });
    EXPECT_EQ(count("SELECT COUNT(*) FROM graph_channel_writes"), 1);
    test::run([&]() -> Task<void> { EXPECT_TRUE(co_await keeper.delete_thread("t")); });
    EXPECT_EQ(count("SELECT COUNT(*) FROM graph_channel_writes"), 0);
    EXPECT_EQ(count("SELECT COUNT(*) FROM graph_checkpoints"), 0);
}

TEST_P(SqlCheckpointerTest, ManyThreadsAreSavedAtOnce)
{
    SqlCheckpointer keeper(*database_);
    boost::asio::io_context loop(1);
    int saved = 0;
    for (int i = 0; i < 200; ++i)
        boost::asio::co_spawn(
            loop,
            [&keeper, &saved, i]() -> Task<void> {
                const auto thread = "t" + std::to_string(i);
                const auto done = co_await keeper.save(thread, batch_of(graph::CheckpointMaker("c1").whole("n", i)));
                const auto found = co_await keeper.load(thread, "", "", false);
                saved += done && found && *found && *(*found)->channels.at("n").whole == i;
            },
            [](std::exception_ptr error) {
                if (error)
                    std::rethrow_exception(error);
            });
    loop.run();
    EXPECT_EQ(saved, 200);
}

INSTANTIATE_TEST_SUITE_P(Drivers, SqlCheckpointerTest, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace dure::runs
