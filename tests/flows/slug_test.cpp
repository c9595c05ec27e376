// Slugs and the files that bear them, and what differs between two versions.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "flows/service/diff.hpp"
#include "flows/service/slug.hpp"
#include "flows/service_fixture.hpp"

namespace dure::flows {
namespace {

TEST(Slugs, NamesBecomeSafeWords)
{
    struct Case {
        std::string name, slug;
    };
    const std::vector<Case> cases{
        {"Triage", "triage"},
        {"고객 상담 2", "고객-상담-2"},
        {"  A  b__C!  ", "a-b-c"},
        {"../../etc/passwd", "etc-passwd"},
        {"..", "flow"},
        {"日本", "flow"},
        {"", "flow"},
        {"a\\b:c*d?\"<>|", "a-b-c-d"},
        {std::string("a\0b", 3), "a-b"},
        {"save", "save-flow"},
        {"CON", "con-flow"},
        {"\u1112\u1161\u11ab\u1100\u1173\u11af", "한글"},   // letters that make up syllables
        {"\uAC00\u0301", "가"},
    };
    for (const auto& [name, slug] : cases) {
        EXPECT_EQ(slug_of(name), slug) << name;
        EXPECT_TRUE(is_slug(slug_of(name))) << name;
    }
}

TEST(Slugs, TheyHave64CharactersAtMostWithTheEndOfTheIdToo)
{
    std::string korean;
    for (int i = 0; i < 100; ++i)
        korean += "가";
    EXPECT_EQ(slug_of(korean).size(), 64u * 3);
    EXPECT_TRUE(is_slug(slug_with_id(slug_of(korean), "0190a000-0000-7000-8000-00000000abcd")));
    EXPECT_EQ(slug_with_id("ab", "0190a000-0000-7000-8000-00000000abcd"), "ab-0000abcd");
    for (const auto* wrong : {"", "A", "a/b", "a.b", "ㄱ", "a b", "\xff"})
        EXPECT_FALSE(is_slug(wrong)) << wrong;
}

class FlowCopies : public FlowServiceTest {
protected:
    std::string text_of(const std::string& slug) const
    {
        std::ifstream in(folder_.file("flows/" + slug + ".json"));
        return {std::istreambuf_iterator<char>(in), {}};
    }
    std::set<std::string> files() const
    {
        std::set<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(folder_.file("flows")))
            names.insert(entry.path().filename().string());
        return names;
    }
    static std::string body(const std::string& name, const std::string& text)
    {
        return R"({"name":")" + name + R"(","flow_data":{)" + drawing(text) + "}}";
    }
};

TEST_P(FlowCopies, ASaveWritesTheCanonicalDocumentAndNothingElse)
{
    ASSERT_TRUE(save(body("../여행", "one"))->file_written);
    EXPECT_EQ(files(), std::set<std::string>{"여행.json"});
    const auto text = text_of("여행");
    const auto again = read_document(text);
    EXPECT_FALSE(again.problems.has_errors());
    EXPECT_EQ(canonical_text(again.document), text);
    EXPECT_EQ(OrderedJson::parse(text).at("nodes").at(0).at("id"), "out") << "nodes by id";
}

TEST_P(FlowCopies, LaterVersionsRefreshTheCopyAndADeletedFlowHasNone)
{
    const auto id = save(body("a", "one"))->change.flow->record.id;
    ASSERT_TRUE(update(id, "{" + drawing("two") + "}")->flow);
    EXPECT_NE(text_of("a").find("two"), std::string::npos);
    ASSERT_TRUE(call([&](FlowService& s) { return s.restore(caller(), id, 1, {}); })->flow);
    EXPECT_NE(text_of("a").find("one"), std::string::npos);
    ASSERT_TRUE(remove(id)->flow);
    EXPECT_EQ(files(), std::set<std::string>{});
}

TEST_P(FlowCopies, AFlowThatWasNotSavedByNameHasNoFile)
{
    const auto id = made(flow_text("a")).id;
    ASSERT_TRUE(update(id, R"({"name":"b"})")->flow);
    EXPECT_FALSE(std::filesystem::exists(folder_.file("flows")));
}

TEST_P(FlowCopies, ALinkInTheFolderIsReplacedAndNotFollowed)
{
    std::filesystem::create_directories(folder_.file("flows"));
    std::ofstream(folder_.file("outside")) << "untouched";
    std::filesystem::create_symlink(folder_.file("outside"), folder_.file("flows/a.json"));
    ASSERT_TRUE(save(body("a", "one"))->file_written);
    std::ifstream in(folder_.file("outside"));
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), "untouched");
    EXPECT_FALSE(std::filesystem::is_symlink(folder_.file("flows/a.json")));
}

TEST_P(FlowCopies, AFolderThatCannotBeWrittenFailsNoSave)
{
    std::ofstream(folder_.file("flows")) << "a file where the folder should be";
    const auto saved = save(body("a", "one"));
    ASSERT_TRUE(saved->change.flow);
    EXPECT_FALSE(saved->file_written);
    EXPECT_TRUE(find(saved->change.flow->record.id));
}

INSTANTIATE_TEST_SUITE_P(Drivers, FlowCopies, testing::ValuesIn(test::all_drivers()), test::driver_name);

OrderedJson stored(const std::string& text)
{
    return to_json(read_document(text, FlowType::agentflow).document);
}

TEST(FlowDiff, NamesWhatWasAddedRemovedAndChanged)
{
    const auto before =
        stored(R"({"name":"a","category":"c","nodes":[{"id":"start","type":"start","position":{"x":0,"y":0}},
        {"id":"old","type":"reply","data":{"config":{"text":"x"}}},{"id":"t","type":"template","data":{"config":{"text":"one","as":"text"}}}],
        "edges":[{"id":"e1","source":"start","target":"t"},{"id":"e2","source":"t","target":"old"}]})");
    const auto after = stored(
        R"({"name":"b","category":"c","limits":{"max_steps":5},"nodes":[{"id":"start","type":"start","position":{"x":9,"y":0}},
        {"id":"t","type":"template","data":{"config":{"text":"two","as":"text"}}},{"id":"new","type":"reply","data":{"config":{"text":"x"}}}],
        "edges":[{"id":"e1","source":"start","target":"t"},{"id":"e3","source":"t","target":"new"}]})");
    const auto diff = difference_of(before, after);
    EXPECT_EQ(
        diff.at("nodes").dump(),
        R"({"added":["new"],"removed":["old"],"changed":[{"id":"start","paths":["/position/x"]},{"id":"t","paths":["/data/config/text"]}]})");
    EXPECT_EQ(diff.at("edges").dump(), R"({"added":["e3"],"removed":["e2"],"changed":[]})");
    EXPECT_EQ(diff.at("settings").dump(),
              R"({"added":["limits"],"removed":[],"changed":[{"id":"name","paths":[""]}]})");
    EXPECT_EQ(diff.at("layout_only"), false);
    EXPECT_EQ(before.patch(diff.at("patch")), after);
}

TEST(FlowDiff, LongListsAreReplacedWholeInThePatch)
{
    OrderedJson before{{"name", "a"}, {"nodes", OrderedJson::array()}, {"edges", OrderedJson::array()}, {"gone~/", 1}};
    auto after = before;
    before["mine"] = std::vector<int>(30'000, 0);
    after["mine"] = std::vector<int>(30'000, 1);
    after["name"] = "b";
    after.erase("gone~/");
    after["fresh"] = 2;
    const auto patch = difference_of(before, after).at("patch");
    EXPECT_EQ(patch.size(), 4u);
    EXPECT_EQ(Json(before.patch(patch)), Json(after));
    after = before;
    EXPECT_EQ(difference_of(before, after).at("patch"), OrderedJson::array());
}

TEST(FlowDiff, PlacesAndSizesAreLayoutOnly)
{
    const std::string drawn = R"("nodes":[{"id":"start","type":"start","position":{"x":0,"y":0}}],"edges":[])";
    const auto moved =
        R"({"name":"a","viewport":{"x":1,"y":1,"zoom":2},"nodes":[{"id":"start","type":"start","width":90,"position":{"x":5,"y":0}}],"edges":[]})";
    const auto before = stored(R"({"name":"a",)" + drawn + "}");
    EXPECT_EQ(difference_of(before, stored(moved)).at("layout_only"), true);
    EXPECT_EQ(difference_of(before, before).at("layout_only"), false) << "nothing differs";
    EXPECT_EQ(difference_of(before, before).at("patch"), OrderedJson::array());
    const auto labelled = stored(
        R"({"name":"a","nodes":[{"id":"start","type":"start","position":{"x":5,"y":0},"data":{"label":"L"}}],"edges":[]})");
    EXPECT_EQ(difference_of(before, labelled).at("layout_only"), false);
}

}  // namespace
}  // namespace dure::flows
