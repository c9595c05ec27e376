// What every Checkpointer must do, whatever it stores in: include it in one file of a test program, with
//     INSTANTIATE_TEST_SUITE_P(Memory, CheckpointerConformance, testing::Values(CheckpointerCase{…}), case_name);
#pragma once

#include <cmath>
#include <limits>

#include "support/checkpointer_fixture.hpp"
#include "support/checkpointer_threads_conformance.hpp"

namespace dure::graph {

TEST_P(CheckpointerConformance, AnUnknownThreadHasNothing)
{
    EXPECT_FALSE(load());
    EXPECT_FALSE(load("c1"));
    EXPECT_EQ(history(), Ids());
    EXPECT_EQ(await(keeper().namespaces("t")), Ids());
    await(keeper().delete_thread("t"));
    await(keeper().delete_run("t", "r"));
    EXPECT_EQ(await(keeper().prune("t", 1, {})), 0);
}

TEST_P(CheckpointerConformance, K1_EveryPartOfACheckpointComesBack)
{
    auto made = Checkpoint(CheckpointMaker("c1", "c0")
                               .whole("n", 5)
                               .step(7, Source::update)
                               .by("run-1")
                               .at(1234567890123)
                               .tagged({{"who", "me"}, {"deep", {{"x", {1, 2}}}}}));
    made.graph_version = "abc";
    made.frontier = Json{{"next", {"p", "q"}}, {"sends", Json::array({Json{{"w", 3}}})}};
    const auto expected = add(made);
    const auto found = load();
    ASSERT_TRUE(found);
    const auto& checkpoint = found->checkpoint;
    EXPECT_EQ(checkpoint.id, "c1");
    EXPECT_EQ(checkpoint.ns, "");
    EXPECT_EQ(checkpoint.parent, "c0");
    EXPECT_EQ(checkpoint.run, "run-1");
    EXPECT_EQ(checkpoint.step, 7);
    EXPECT_EQ(checkpoint.source, Source::update);
    EXPECT_EQ(checkpoint.created_at, 1234567890123);
    EXPECT_EQ(checkpoint.graph_version, "abc");
    EXPECT_EQ(checkpoint.frontier, expected.frontier);
    EXPECT_EQ(checkpoint.metadata, expected.metadata);
    EXPECT_EQ(checkpoint.versions, expected.versions);
    EXPECT_TRUE(checkpoint.writes.empty());
    EXPECT_EQ(chain(found, "n"), "5");
}

TEST_P(CheckpointerConformance, K7_TheHeadIsTheCheckpointWithTheGreatestId)
{
    add(CheckpointMaker("c1"));
    add(CheckpointMaker("c3", "c1"));
    add(CheckpointMaker("c2", "c1"));
    EXPECT_EQ(load()->checkpoint.id, "c3");
    EXPECT_EQ(load("c2")->checkpoint.id, "c2");
    EXPECT_FALSE(load("c4"));
}

TEST_P(CheckpointerConformance, OrderIsByBytes)
{
    for (const auto* id : {"a", "B", "_", "0", "a-", "aa"})
        add(CheckpointMaker(id));
    EXPECT_EQ(history(), (Ids{"aa", "a-", "a", "_", "B", "0"}));
}

TEST_P(CheckpointerConformance, K1_ACheckpointSavedAgainChangesNothing)
{
    add(CheckpointMaker("c1").whole("n", 1));
    add(CheckpointMaker("c1").whole("n", 2).step(9));
    EXPECT_EQ(chain(load(), "n"), "1");
    EXPECT_EQ(load()->checkpoint.step, -1);
    EXPECT_EQ(history(), Ids{"c1"});
}

TEST_P(CheckpointerConformance, K8_UnchangedChannelsAreReadFromTheCheckpointThatWroteThem)
{
    const auto first = add(CheckpointMaker("c1").whole("a", 1).whole("b", "x"));
    const auto second = add(CheckpointMaker("c2", "c1").with(first).whole("a", 2));
    add(CheckpointMaker("c3", "c2").with(second));
    const auto head = load();
    EXPECT_EQ(chain(head, "a"), "2");
    EXPECT_EQ(chain(head, "b"), "\"x\"");
    EXPECT_EQ(head->checkpoint.versions.at("a"), "c2");
    EXPECT_EQ(chain(load("c1"), "a"), "1");
}

TEST_P(CheckpointerConformance, K8_DeltasComeOldestFirstOverTheLastWholeValue)
{
    const int every = 5;
    auto before = add(CheckpointMaker("c000").whole("log", Json::array({0})));
    for (int i = 1; i <= 12; ++i) {
        auto id = "c" + std::to_string(100 + i);
        if (i % every == 0)
            before = add(CheckpointMaker(id, before.id).with(before).whole("log", Json{{"all", i}}));
        else
            before = add(CheckpointMaker(id, before.id)
                             .with(before)
                             .delta("log", Json::array({i}), before.versions["log"], i % every));
    }
    EXPECT_EQ(chain(load(), "log"), "{\"all\":10}+[11]+[12]");
    EXPECT_EQ(chain(load("c110"), "log"), "{\"all\":10}");
    EXPECT_EQ(chain(load("c104"), "log"), "[0]+[1]+[2]+[3]+[4]");
}

TEST_P(CheckpointerConformance, K8_AChainMayBeginOverAnAbsentValue)
{
    const auto first = add(CheckpointMaker("c1").delta("log", {1}, ""));
    add(CheckpointMaker("c2", "c1").with(first).delta("log", {2}, "c1", 2));
    EXPECT_EQ(chain(load("c1"), "log"), "-+[1]");
    EXPECT_EQ(chain(load(), "log"), "-+[1]+[2]");
}

TEST_P(CheckpointerConformance, AValueOfNullIsNotAnAbsentChannel)
{
    add(CheckpointMaker("c1").whole("n", nullptr));
    EXPECT_EQ(chain(load(), "n"), "null");
    EXPECT_EQ(chain(load(), "m"), "absent");
}

TEST_P(CheckpointerConformance, BranchesKeepTheirOwnValues)
{
    const auto first = add(CheckpointMaker("c1").whole("log", Json::array({"i"})));
    add(CheckpointMaker("c2", "c1").with(first).delta("log", {"old"}, "c1"));
    const auto fork = add(CheckpointMaker("c3", "c1").with(first).step(1, Source::fork));
    add(CheckpointMaker("c4", "c3").with(fork).delta("log", {"new"}, "c1"));
    EXPECT_EQ(chain(load(), "log"), "[\"i\"]+[\"new\"]");
    EXPECT_EQ(chain(load("c2"), "log"), "[\"i\"]+[\"old\"]");
    EXPECT_EQ(history(), (Ids{"c4", "c3", "c2", "c1"}));
}

TEST_P(CheckpointerConformance, G2_NamespacesHaveHeadsOfTheirOwn)
{
    add(CheckpointMaker("c1").whole("n", 1));
    add(CheckpointMaker("c2").in("sub:1").whole("n", 2));
    add(CheckpointMaker("c3").in("sub:1|deep:2").whole("n", 3));
    EXPECT_EQ(load()->checkpoint.id, "c1");
    EXPECT_EQ(chain(load("", "sub:1"), "n"), "2");
    EXPECT_FALSE(load("c1", "sub:1"));
    EXPECT_EQ(await(keeper().namespaces("t")), (Ids{"", "sub:1", "sub:1|deep:2"}));
    HistoryQuery query;
    query.ns = "sub:1|deep:2";
    EXPECT_EQ(history(query), Ids{"c3"});
}

TEST_P(CheckpointerConformance, ThreadsDoNotSeeEachOther)
{
    add(CheckpointMaker("c1").whole("n", 1), "t");
    add(CheckpointMaker("c1").whole("n", 2), "u");
    add_pending(pending("c1", "task", 1), "u");
    EXPECT_EQ(chain(load(), "n"), "1");
    EXPECT_EQ(pending_of(), Ids());
    await(keeper().delete_thread("t"));
    EXPECT_FALSE(load());
    EXPECT_EQ(chain(load("", "", "u"), "n"), "2");
}

TEST_P(CheckpointerConformance, K4_HistoryFiltersLimitsAndGoesOn)
{
    add(CheckpointMaker("c1").step(-1, Source::input).by("r1").tagged({{"user", "a"}}));
    add(CheckpointMaker("c2", "c1").step(0).by("r1").tagged({{"user", "a"}, {"n", 1}}));
    add(CheckpointMaker("c3", "c2").step(1).by("r2").tagged({{"user", "b"}, {"n", 1.5}}));
    add(CheckpointMaker("c4", "c3").step(1).by("r2").tagged({{"n", nullptr}, {"list", {1, {{"x", 2}}}}}));
    const struct {
        Json metadata;
        std::string before;
        std::int64_t limit;
        Ids expected;
    } cases[] = {
        {Json::object(), "", 100, {"c4", "c3", "c2", "c1"}},
        {Json::object(), "", 2, {"c4", "c3"}},
        {Json::object(), "c3", 100, {"c2", "c1"}},
        {Json::object(), "c3", 1, {"c2"}},
        {{{"user", "a"}}, "", 100, {"c2", "c1"}},
        {{{"user", "a"}}, "", 1, {"c2"}},
        {{{"user", "a"}, {"n", 1}}, "", 100, {"c2"}},
        {{{"n", 1.5}}, "", 100, {"c3"}},
        {{{"n", nullptr}}, "", 100, {"c4"}},
        {{{"n", "1"}}, "", 100, {}},
        {{{"list", {1, {{"x", 2}}}}}, "", 100, {"c4"}},
        {{{"source", "input"}}, "", 100, {"c1"}},
        {{{"step", 1}}, "", 100, {"c4", "c3"}},
        {{{"run", "r1"}}, "", 100, {"c2", "c1"}},
        {{{"run", "r1"}, {"source", "loop"}}, "", 100, {"c2"}},
        {{{"unknown", 1}}, "", 100, {}},
        {{{"user' OR '1'='1", 1}}, "", 100, {}},
    };
    for (const auto& one : cases) {
        HistoryQuery query;
        query.metadata = one.metadata;
        query.before = one.before;
        query.limit = one.limit;
        EXPECT_EQ(history(query), one.expected) << one.metadata.dump() << " before " << one.before;
    }
}

TEST_P(CheckpointerConformance, K4_HistoryGivesValuesAndPendingWritesOfEach)
{
    const auto first = add(CheckpointMaker("c1").whole("log", Json::array({1})).whole("n", 1));
    add(CheckpointMaker("c2", "c1").with(first).delta("log", {2}, "c1"));
    add_pending(pending("c1", "t1", "one"));
    add_pending(pending("c2", "t2", "two"));
    const auto all = await(keeper().history("t", {}));
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(chain(all[0], "log"), "[1]+[2]");
    EXPECT_EQ(chain(all[0], "n"), "1");
    EXPECT_EQ(chain(all[1], "log"), "[1]");
    ASSERT_EQ(all[0].pending.size(), 1U);
    EXPECT_EQ(all[0].pending[0].data, "two");
    ASSERT_EQ(all[1].pending.size(), 1U);
    EXPECT_EQ(all[1].pending[0].task, "t1");
}

TEST_P(CheckpointerConformance, D4_PendingWritesAreKeptByTaskKindAndKey)
{
    using Kind = PendingWrite::Kind;
    add(CheckpointMaker("c1"));
    Batch batch;
    batch.pending.push_back(pending("c1", "p", {{"log", "p"}}));
    batch.pending.push_back(pending("c1", "q", {{"value", "a?"}}, Kind::interrupt, "0"));
    batch.pending.push_back(pending("c1", "q", {{"value", "b?"}}, Kind::interrupt, "1"));
    batch.pending.push_back(pending("c1", "q", false, Kind::answer, "0"));
    batch.pending.push_back(pending("c1", "q", 1, Kind::step, "charge"));
    batch.pending.push_back(pending("c1", "r", "bad", Kind::error));
    batch.pending.push_back(pending("c1", "r", nullptr, Kind::handed));
    save(std::move(batch));
    EXPECT_EQ(pending_of(),
              (Ids{R"(p:result:={"log":"p"})", "q:answer:0=false", R"(q:interrupt:0={"value":"a?"})",
                   R"(q:interrupt:1={"value":"b?"})", "q:step:charge=1", R"(r:error:="bad")", "r:handed:=null"}));
    EXPECT_TRUE(load("", "", "t", false)->pending.empty());
}

TEST_P(CheckpointerConformance, ASecondPendingWriteReplacesTheFirst)
{
    add(CheckpointMaker("c1"));
    add_pending(pending("c1", "p", 1));
    add_pending(pending("c1", "p", 2));
    EXPECT_EQ(pending_of(), Ids{"p:result:=2"});
    Batch batch;
    batch.pending.push_back(pending("c1", "p", 3));
    batch.pending.push_back(pending("c1", "p", 4));
    save(std::move(batch));
    EXPECT_EQ(pending_of(), Ids{"p:result:=4"});
}

TEST_P(CheckpointerConformance, D2_ABatchDropsWritesAndAddsInThisOrder)
{
    add(CheckpointMaker("c1"));
    add_pending(pending("c1", "old", 1));
    add_pending(pending("c1", "p", "before"));
    Batch batch;
    batch.drops.emplace_back();
    batch.drops.back().checkpoint = "c1";
    batch.pending.push_back(pending("c1", "p", "after"));
    batch.pending.push_back(pending("c2", "next", 2));
    batch.checkpoints.push_back(CheckpointMaker("c2", "c1").whole("n", 1));
    batch.checkpoints.push_back(CheckpointMaker("c3", "c2").whole("n", 2));
    save(std::move(batch));
    EXPECT_EQ(pending_of("c1"), Ids{"p:result:=\"after\""});
    EXPECT_EQ(pending_of("c2"), Ids{"next:result:=2"});
    EXPECT_EQ(history(), (Ids{"c3", "c2", "c1"}));
}

TEST_P(CheckpointerConformance, DropsReachOnlyWhatTheyName)
{
    using Kind = PendingWrite::Kind;
    struct Case {
        std::string name;
        PendingDrop drop;
        Ids root, other, sub, deep, beside;
    };
    const auto drop = [](std::string ns, bool below, std::string checkpoint, std::vector<std::string> tasks,
                         std::vector<Kind> kinds) {
        PendingDrop made;
        made.ns = std::move(ns);
        made.below = below;
        made.checkpoint = std::move(checkpoint);
        made.tasks = std::move(tasks);
        made.kinds = std::move(kinds);
        return made;
    };
    const Ids root{"p:error:=2", "p:result:=1", "q:result:=3"};
    const Ids one{"p:result:=1"};
    const Case cases[] = {
        {"namespace", drop("", false, "", {}, {}), {}, {}, one, one, one},
        {"checkpoint", drop("", false, "c1", {}, {}), {}, one, one, one, one},
        {"task", drop("", false, "c1", {"p"}, {}), {"q:result:=3"}, one, one, one, one},
        {"tasks", drop("", false, "c1", {"q", "p", "x"}, {}), {}, one, one, one, one},
        {"kind",
         drop("", false, "c1", {}, {Kind::error, Kind::answer}),
         {"p:result:=1", "q:result:=3"},
         one,
         one,
         one,
         one},
        {"task and kind",
         drop("", false, "c1", {"p"}, {Kind::result}),
         {"p:error:=2", "q:result:=3"},
         one,
         one,
         one,
         one},
        {"below a namespace", drop("s:1", true, "", {}, {}), root, one, {}, {}, one},
        {"below the root", drop("", true, "", {}, {}), {}, {}, {}, {}, {}},
        {"nothing there", drop("none", true, "", {}, {}), root, one, one, one, one},
    };
    for (const auto& one_case : cases) {
        SCOPED_TRACE(one_case.name);
        under_test_ = {};
        under_test_ = GetParam().open();
        add(CheckpointMaker("c1"));
        add(CheckpointMaker("c2", "c1"));
        for (const auto* ns : {"s:1", "s:1|d:2", "s:10"})
            add(CheckpointMaker("c1").in(ns));
        Batch batch;
        batch.pending = {pending("c1", "p", 1), pending("c1", "p", 2, Kind::error), pending("c1", "q", 3),
                         pending("c2", "p", 1)};
        for (const auto* ns : {"s:1", "s:1|d:2", "s:10"}) {
            batch.pending.push_back(pending("c1", "p", 1));
            batch.pending.back().ns = ns;
        }
        save(std::move(batch));
        Batch dropping;
        dropping.drops.push_back(one_case.drop);
        save(std::move(dropping));
        EXPECT_EQ(pending_of("c1"), one_case.root);
        EXPECT_EQ(pending_of("c2"), one_case.other);
        EXPECT_EQ(pending_of("c1", "s:1"), one_case.sub);
        EXPECT_EQ(pending_of("c1", "s:1|d:2"), one_case.deep);
        EXPECT_EQ(pending_of("c1", "s:10"), one_case.beside);
    }
}

TEST_P(CheckpointerConformance, N3_EveryFormOfANumberAndTextSurvivesByteForByte)
{
    using Limits = std::numeric_limits<std::int64_t>;
    Json values = Json::array({0,
                               -1,
                               1,
                               true,
                               false,
                               nullptr,
                               "",
                               Limits::min(),
                               Limits::max(),
                               std::numeric_limits<std::uint64_t>::max(),
                               (1LL << 53) - 1,
                               1LL << 53,
                               (1LL << 53) + 1,
                               -(1LL << 53) - 1,
                               0.0,
                               -0.0,
                               0.1,
                               1.0,
                               1e300,
                               -1e-300,
                               5e-324,
                               1.7976931348623157e308,
                               9007199254740993.0,
                               Json::array(),
                               Json::object()});
    for (const auto* text :
         {"plain", "한국어 🙂", "quote\" back\\slash /", "tab\t line\n return\r", "\x01\x1f\x7f", "$1 ' -- %s {}"})
        values.push_back(text);
    values.push_back(std::string("nul\0in it", 9));
    values.push_back(std::string("\\u0000"));
    values.push_back("\xe2\x80\xa8\xef\xbf\xbf\xf4\x8f\xbf\xbf");
    Json object = Json::object({{"", 1}, {"z", 2}, {"a", 3}, {"é", 4}, {"a b\"c", values}});
    object[std::string("k\0", 2)] = 5;
    const auto text = object.dump();

    auto made = Checkpoint(CheckpointMaker("c1").whole("whole", object).tagged(object));
    made.frontier = object;
    const auto first = add(made);
    add(CheckpointMaker("c2", "c1").with(first).delta("whole", Json::array({object}), "c1"));
    add_pending(pending("c2", "p", object));
    const auto head = load();
    const auto root = load("c1");
    EXPECT_EQ(root->checkpoint.frontier.dump(), text);
    EXPECT_EQ(root->checkpoint.metadata.dump(), text);
    EXPECT_EQ(chain(head, "whole"), text + "+[" + text + "]");
    ASSERT_EQ(head->pending.size(), 1U);
    EXPECT_EQ(head->pending[0].data.dump(), text);
    const auto& back = head->pending[0].data.at("a b\"c");
    EXPECT_TRUE(back[17].is_number_float()) << "1.0 stays a real number";
    EXPECT_TRUE(back[10].is_number_integer()) << "2^53 - 1 stays an integer";
    EXPECT_TRUE(std::signbit(back[15].get<double>()));
}

TEST_P(CheckpointerConformance, NamesOfEveryKindAreKept)
{
    const std::string odd = "a'b\"c\\d 한국어 $1 %_|:\n{}";
    add(CheckpointMaker("c1").in(odd).by(odd).whole(odd, 1), odd);
    auto write = pending("c1", odd, 2, PendingWrite::Kind::step, odd);
    write.ns = odd;
    add_pending(write, odd);
    const auto found = load("", odd, odd);
    ASSERT_TRUE(found);
    EXPECT_EQ(chain(found, odd), "1");
    EXPECT_EQ(found->checkpoint.run, odd);
    ASSERT_EQ(found->pending.size(), 1U);
    EXPECT_EQ(found->pending[0].task, odd);
    EXPECT_EQ(found->pending[0].key, odd);
    EXPECT_EQ(await(keeper().namespaces(odd)), Ids{odd});
}

}  // namespace dure::graph
