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

// Short whole values lie in one row; long ones and deltas in rows of their own, which go when nobody needs them.
TEST_P(SqlCheckpointerTest, K8_ShortValuesOfACheckpointShareARow)
{
    SqlCheckpointer keeper(*database_);
    const std::string long_text(2000, 'x');
    test::run([&]() -> Task<void> {
        const graph::Checkpoint first = graph::CheckpointMaker("c1")
                                            .whole("a", 1.5)
                                            .whole("b \"quoted\"", Json{{"n", nullptr}})
                                            .whole("kept", "k")
                                            .whole("log", Json::array({long_text}));
        const graph::Checkpoint second = graph::CheckpointMaker("c2", "c1")
                                             .with(first)
                                             .whole("a", 2)
                                             .whole("b \"quoted\"", 3)
                                             .delta("log", {"y"}, "c1");
        EXPECT_TRUE(co_await keeper.save("t", batch_of(first)));
        EXPECT_TRUE(co_await keeper.save("t", batch_of(second)));
        const auto older = co_await keeper.load("t", "", "c1", false);
        EXPECT_EQ(*(*older)->channels.at("a").whole, 1.5);
        EXPECT_EQ(*(*older)->channels.at("b \"quoted\"").whole, (Json{{"n", nullptr}}));
        const auto head = co_await keeper.load("t", "", "", false);
        EXPECT_EQ((*head)->checkpoint.versions, second.versions);
        EXPECT_EQ(*(*head)->channels.at("a").whole, 2);
        EXPECT_EQ(*(*head)->channels.at("kept").whole, "k");
        EXPECT_EQ(*(*head)->channels.at("log").whole, Json::array({long_text}));
        EXPECT_EQ((*head)->channels.at("log").deltas.size(), 1U);
    });
    EXPECT_EQ(count("SELECT COUNT(*) FROM graph_channel_writes"), 4);
    test::run([&]() -> Task<void> {
        const graph::Checkpoint third = graph::CheckpointMaker("c3", "c2").whole("a", 5).whole("log", "z");
        EXPECT_TRUE(co_await keeper.save("t", batch_of(third)));
        EXPECT_EQ(*co_await keeper.prune("t", 2, {}), 1);
        const auto middle = co_await keeper.load("t", "", "c2", false);
        EXPECT_EQ(*(*middle)->channels.at("kept").whole, "k");
        EXPECT_EQ(*(*middle)->channels.at("log").whole, Json::array({long_text}));
        EXPECT_EQ(*co_await keeper.prune("t", 1, {}), 1);
        EXPECT_EQ(*(*co_await keeper.load("t", "", "", false))->channels.at("log").whole, "z");
    });
    EXPECT_EQ(count("SELECT COUNT(*) FROM graph_channel_writes"), 1);
}

// As checkpoints were stored before short values shared a row and a checkpoint's own id was left out of its versions.
TEST_P(SqlCheckpointerTest, OlderRowsAreReadAndPruned)
{
    const auto put = [&](std::string_view sql) {
        const auto done = database_->run_now([&](sql::Connection& c) { return c.execute(sql); });
        ASSERT_TRUE(done) << done.error().detail();
    };
    put("INSERT INTO graph_checkpoints (thread_id, ns, id, parent, run_id, step, source, created_at, graph_version, "
        "frontier, "
        "metadata, versions) VALUES ('t', '', 'c1', '', 'r', 0, 'loop', 1, 'v', '{}', '{}', "
        "'{\"a\":\"c1\",\"b\":\"c1\"}'), "
        "('t', '', 'c2', 'c1', 'r', 1, 'loop', 2, 'v', '{}', '{}', '{\"a\":\"c1\",\"b\":\"c2\"}')");
    put("INSERT INTO graph_channel_writes (thread_id, ns, checkpoint_id, channel, base, deltas, data) VALUES "
        "('t', '', 'c1', 'a', '', 0, '1'), ('t', '', 'c1', 'b', '', 0, '2'), ('t', '', 'c2', 'b', '', 0, '3')");
    SqlCheckpointer keeper(*database_);
    test::run([&]() -> Task<void> {
        const auto head = co_await keeper.load("t", "", "", false);
        EXPECT_EQ(*(*head)->channels.at("a").whole, 1);
        EXPECT_EQ(*(*head)->channels.at("b").whole, 3);
        EXPECT_EQ(*co_await keeper.prune("t", 1, {}), 1);
    });
    EXPECT_EQ(count("SELECT COUNT(*) FROM graph_channel_writes"), 2);
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
