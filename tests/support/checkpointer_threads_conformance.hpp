// The part of the conformance of checkpointers that looks at whole threads: copies, what a run left, pruning. Comes with
// checkpointer_conformance.hpp.
#pragma once

#include "support/checkpointer_fixture.hpp"

namespace dure::graph {

TEST_P(CheckpointerConformance, K7_CopiedThreadsLiveOnTheirOwn)
{
    const auto first = add(CheckpointMaker("c1").whole("log", Json::array({1})));
    add(CheckpointMaker("c2", "c1").with(first).delta("log", {2}, "c1"));
    add(CheckpointMaker("c1").in("s:1").whole("n", 1));
    add_pending(pending("c2", "p", 1));
    await(keeper().copy_thread("t", "u"));
    await(keeper().delete_thread("t"));
    EXPECT_EQ(history(), Ids());
    EXPECT_EQ(history({}, "u"), (Ids{"c2", "c1"}));
    const auto copy = load("", "", "u");
    EXPECT_EQ(chain(copy, "log"), "[1]+[2]");
    EXPECT_EQ(copy->pending.size(), 1U);
    EXPECT_EQ(await(keeper().namespaces("u")), (Ids{"", "s:1"}));
}

TEST_P(CheckpointerConformance, K7_ACopyGoesOnlyToAFreshThread)
{
    add(CheckpointMaker("c1").whole("n", 1), "t");
    add(CheckpointMaker("c1").whole("n", 2), "u");
    EXPECT_EQ(refused(keeper().copy_thread("t", "u")).code(), Errc::conflict);
    EXPECT_EQ(chain(load("", "", "u"), "n"), "2");
    EXPECT_EQ(refused(keeper().copy_thread("none", "v")).code(), Errc::not_found);
    EXPECT_FALSE(load("", "", "v"));
}

TEST_P(CheckpointerConformance, F7_ARunsCheckpointsAreRemovedWithTheirPendingWrites)
{
    const auto first = add(CheckpointMaker("c1").by("r1").whole("log", Json::array({1})));
    const auto second = add(CheckpointMaker("c2", "c1").by("r2").with(first).delta("log", {2}, "c1"));
    add(CheckpointMaker("c3", "c2").by("r2").with(second).delta("log", {3}, "c2", 2));
    add(CheckpointMaker("c1").in("s:1").by("r2"));
    add_pending(pending("c1", "kept", 1));
    add_pending(pending("c3", "gone", 1));
    await(keeper().delete_run("t", "r2"));
    EXPECT_EQ(history(), Ids{"c1"});
    EXPECT_EQ(chain(load(), "log"), "[1]");
    EXPECT_EQ(pending_of(), Ids{"kept:result:=1"});
    EXPECT_EQ(await(keeper().namespaces("t")), Ids{""});
    add(CheckpointMaker("c3", "c1").by("r3").with(first).delta("log", {"again"}, "c1"));
    EXPECT_EQ(chain(load(), "log"), "[1]+[\"again\"]");
    EXPECT_EQ(pending_of(), Ids());
}

TEST_P(CheckpointerConformance, F7_DataThatALaterRunBuildsOnStays)
{
    const auto first = add(CheckpointMaker("c1").by("r1").whole("log", Json::array({1})).whole("n", 1));
    add(CheckpointMaker("c2", "c1").by("r2").with(first).delta("log", {2}, "c1"));
    await(keeper().delete_run("t", "r1"));
    EXPECT_EQ(history(), Ids{"c2"});
    EXPECT_EQ(chain(load(), "log"), "[1]+[2]");
    EXPECT_EQ(chain(load(), "n"), "1");
}

TEST_P(CheckpointerConformance, K7_PruningKeepsTheNewestAndWhatTheirDeltasNeed)
{
    auto before = add(CheckpointMaker("c1").whole("log", Json::array({1})).whole("n", 1));
    for (int i = 2; i <= 6; ++i)
        before =
            add(CheckpointMaker("c" + std::to_string(i), before.id).with(before).delta("log", {i}, before.id, i - 1));
    add(CheckpointMaker("c1").in("s:1").whole("n", 9));
    EXPECT_EQ(await(keeper().prune("t", 2, {})), 4);
    EXPECT_EQ(history(), (Ids{"c6", "c5"}));
    EXPECT_EQ(chain(load(), "log"), "[1]+[2]+[3]+[4]+[5]+[6]");
    EXPECT_EQ(chain(load("c5"), "log"), "[1]+[2]+[3]+[4]+[5]");
    EXPECT_EQ(chain(load(), "n"), "1");
    EXPECT_EQ(chain(load("", "s:1"), "n"), "9");
    EXPECT_EQ(await(keeper().prune("t", 2, {})), 0);
}

TEST_P(CheckpointerConformance, K7_PruningKeepsCheckpointsWithOpenWork)
{
    add(CheckpointMaker("c1"));
    add(CheckpointMaker("c2", "c1"));
    add(CheckpointMaker("c3", "c2"));
    add(CheckpointMaker("c4", "c3"));
    add_pending(pending("c2", "q", {{"value", "a?"}}, PendingWrite::Kind::interrupt, "0"));
    EXPECT_EQ(await(keeper().prune("t", 1, {})), 2);
    EXPECT_EQ(history(), (Ids{"c4", "c2"}));
    EXPECT_EQ(pending_of("c2").size(), 1U);
}

TEST_P(CheckpointerConformance, K7_PruningByAgeLeavesTheYoungerOnesAndTheHead)
{
    add(CheckpointMaker("c1").at(100));
    add(CheckpointMaker("c2", "c1").at(200));
    add(CheckpointMaker("c3", "c2").at(300));
    EXPECT_EQ(await(keeper().prune("t", 0, 200)), 1);
    EXPECT_EQ(history(), (Ids{"c3", "c2"}));
    EXPECT_EQ(await(keeper().prune("t", 0, 1000)), 1);
    EXPECT_EQ(history(), Ids{"c3"});
    EXPECT_EQ(await(keeper().prune("t", 0, {})), 0);
    EXPECT_EQ(refused(keeper().prune("t", -1, {})).code(), Errc::invalid_argument);
}

TEST_P(CheckpointerConformance, LongThreadsAreReadWhole)
{
    auto before = add(CheckpointMaker("c1000").whole("log", Json::array()));
    std::string expected = "[]";
    for (int i = 1; i <= 150; ++i) {
        before = add(CheckpointMaker("c" + std::to_string(1000 + i), before.id)
                         .with(before)
                         .delta("log", {std::string(1000, 'x')}, before.id, i));
        expected += "+[\"" + std::string(1000, 'x') + "\"]";
    }
    EXPECT_EQ(chain(load(), "log"), expected);
    HistoryQuery query;
    query.limit = 1000;
    EXPECT_EQ(history(query).size(), 151U);
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(CheckpointerConformance);

}  // namespace dure::graph
