// Flows: versions, owners, slugs, publishing, deletion, and what lists find in which order.
#include "dure/store/flows.hpp"

#include "store/store_fixture.hpp"

namespace dure::store {
namespace {

using FlowIds = std::vector<std::string>;

FlowRecord flow_of(const std::string& id, const std::string& name, const std::string& owner = "kim",
                   UnixMillis at = 100)
{
    FlowRecord flow;
    flow.id = id;
    flow.owner_id = owner;
    flow.flow_type = "agentflow";
    flow.name = name;
    flow.slug = "slug-" + id;
    flow.created_at = at;
    flow.updated_at = at;
    return flow;
}

class FlowsTest : public StoreTest {
protected:
    Result<void> add(const FlowRecord& flow)
    {
        return in<Flows>([&](Flows flows) { return flows.insert(flow, "first of " + flow.id, flow.owner_id); });
    }
    Result<FlowRecord> save(const FlowRecord& flow, const std::string& document)
    {
        return in<Flows>([&](Flows flows) { return flows.save(flow, document, flow.owner_id); });
    }
    Result<FlowRecord> publish(const std::string& id, const std::string& owner, std::optional<std::int64_t> version)
    {
        return in<Flows>([&](Flows flows) { return flows.publish(id, owner, version, 400); });
    }
    Result<FlowRecord> find(const std::string& id, const std::string& owner = "kim")
    {
        return from<Flows>([&](Flows flows) { return flows.find(id, owner); });
    }
    Result<std::string> document(const std::string& id, std::int64_t version, const std::string& owner = "kim")
    {
        return from<Flows>([&](Flows flows) { return flows.document(id, owner, version); });
    }
    FlowIds found(const FlowFilter& filter, FlowOrder order = FlowOrder::name, bool descending = false,
                  const NumberedPage& page = {})
    {
        FlowIds ids;
        const auto list = from<Flows>([&](Flows flows) {
                              const auto total = flows.count("kim", filter).value();
                              return flows.list("kim", filter, order, descending, page, total);
                          }).value();
        for (const auto& flow : list)
            ids.push_back(flow.id);
        return ids;
    }
};

TEST_P(FlowsTest, AFlowComesBackAsStoredWithItsFirstVersion)
{
    auto flow = flow_of("f1", "분류");
    flow.description = "설명";
    flow.category = "support";
    flow.tags = {"ko", "a\",\"b"};
    flow.is_active = false;
    ASSERT_TRUE(add(flow));
    const auto stored = find("f1");
    ASSERT_TRUE(stored);
    EXPECT_EQ(stored->name, "분류");
    EXPECT_EQ(stored->description, "설명");
    EXPECT_EQ(stored->category, "support");
    EXPECT_EQ(stored->tags, flow.tags);
    EXPECT_EQ(stored->slug, "slug-f1");
    EXPECT_FALSE(stored->is_active);
    EXPECT_EQ(stored->version, 1);
    EXPECT_FALSE(stored->published_version);
    EXPECT_EQ(document("f1", 1).value(), "first of f1");
}

TEST_P(FlowsTest, PagesTogetherAreTheWholeListFromBothEnds)
{
    constexpr int many = 450;   // pages far from both ends are walked to in the index
    FlowIds all;
    const auto added = in<Flows>([&](Flows flows) -> Result<void> {
        for (int i = 0; i < many; ++i) {
            auto flow = flow_of("f" + std::to_string(1000 + i), "same name");
            flow.tags = {i % 3 == 0 ? "third" : "other"};
            flow.updated_at = 100 + i / 2;   // two of each time: the id decides
            all.push_back(flow.id);
            if (auto inserted = flows.insert(flow, "{}", "kim"); !inserted)
                return inserted;
        }
        return {};
    });
    ASSERT_TRUE(added);
    const auto paged = [&](const FlowFilter& filter, FlowOrder order, bool descending, std::int64_t size) {
        FlowIds ids;
        for (std::int64_t page = 1;; ++page) {
            const auto part = found(filter, order, descending, {page, size});
            ids.insert(ids.end(), part.begin(), part.end());
            if (part.empty())
                return ids;
        }
    };
    const FlowIds reversed(all.rbegin(), all.rend());
    EXPECT_EQ(paged({}, FlowOrder::updated_at, false, 20), all);
    EXPECT_EQ(paged({}, FlowOrder::updated_at, true, 20), reversed);
    EXPECT_EQ(paged({}, FlowOrder::name, true, 7), reversed);
    FlowIds thirds;
    for (std::size_t i = 0; i < all.size(); i += 3)
        thirds.push_back(all[i]);
    EXPECT_EQ(paged({.tags = {"third"}}, FlowOrder::updated_at, false, 20), thirds);
    EXPECT_EQ(found({}, FlowOrder::name, false, {24, 20}), FlowIds{});
}

TEST_P(FlowsTest, EverySaveIsAVersionAndTheOldOnesStay)
{
    auto flow = flow_of("f1", "one");
    ASSERT_TRUE(add(flow));
    flow.name = "two";
    flow.tags = {"new"};
    flow.updated_at = 200;
    const auto saved = save(flow, "second");
    ASSERT_TRUE(saved);
    EXPECT_EQ(saved->version, 2);
    EXPECT_EQ(saved->revision, 2);
    EXPECT_EQ(find("f1")->name, "two");
    EXPECT_EQ(document("f1", 1).value(), "first of f1");
    EXPECT_EQ(document("f1", 2).value(), "second");
    EXPECT_EQ(found({.tags = {"new"}}), FlowIds{"f1"});
    const auto versions = from<Flows>([](Flows flows) { return flows.versions("f1", "kim", {}); }).value();
    ASSERT_EQ(versions.size(), 2u);
    EXPECT_EQ(versions[0].version, 2);
    EXPECT_EQ(versions[0].created_at, 200);
    EXPECT_EQ(versions[1].version, 1);
}

TEST_P(FlowsTest, NobodySeesOrChangesTheFlowsOfOthers)
{
    ASSERT_TRUE(add(flow_of("f1", "hers", "lee")));
    EXPECT_EQ(find("f1").error().code(), Errc::not_found);
    EXPECT_EQ(document("f1", 1).error().code(), Errc::not_found);
    EXPECT_EQ(save(flow_of("f1", "mine"), "taken").error().code(), Errc::not_found);
    EXPECT_EQ(publish("f1", "kim", 1).error().code(), Errc::not_found);
    const auto removed = in<Flows>([](Flows flows) { return flows.remove("f1", "kim", 300); });
    EXPECT_EQ(removed.error().code(), Errc::not_found);
    const auto versions = from<Flows>([](Flows flows) { return flows.versions("f1", "kim", {}); });
    EXPECT_EQ(versions.error().code(), Errc::not_found);
    EXPECT_EQ(found({}), FlowIds{});
    EXPECT_EQ(find("f1", "lee")->name, "hers");
}

TEST_P(FlowsTest, ASlugIsTakenUntilItsFlowIsDeleted)
{
    ASSERT_TRUE(add(flow_of("f1", "one")));
    auto other = flow_of("f2", "two", "lee");
    other.slug = "slug-f1";
    EXPECT_EQ(add(other).error().code(), Errc::conflict);
    ASSERT_TRUE(in<Flows>([](Flows flows) { return flows.remove("f1", "kim", 300); }));
    EXPECT_EQ(find("f1").error().code(), Errc::not_found);
    EXPECT_EQ(document("f1", 1).error().code(), Errc::not_found);
    EXPECT_TRUE(add(other));
}

TEST_P(FlowsTest, PublishingPinsAVersionThatExists)
{
    ASSERT_TRUE(add(flow_of("f1", "one")));
    ASSERT_TRUE(save(flow_of("f1", "one"), "second"));
    EXPECT_EQ(publish("f1", "kim", 3).error().code(), Errc::not_found);
    const auto published = publish("f1", "kim", 1);
    ASSERT_TRUE(published);
    EXPECT_EQ(published->published_version, 1);
    EXPECT_EQ(published->version, 2);
    EXPECT_EQ(published->revision, 3);
    EXPECT_FALSE(publish("f1", "kim", {})->published_version);
}

TEST_P(FlowsTest, TheNameFindsTheFlowChangedLast)
{
    ASSERT_TRUE(add(flow_of("f1", "same", "kim", 300)));
    ASSERT_TRUE(add(flow_of("f2", "same", "kim", 200)));
    ASSERT_TRUE(add(flow_of("f3", "same", "lee", 900)));
    EXPECT_EQ(from<Flows>([](Flows flows) { return flows.find_by_name("same", "kim"); })->id, "f1");
    EXPECT_EQ(from<Flows>([](Flows flows) { return flows.find_by_name("Same", "kim"); }).error().code(),
              Errc::not_found);
    EXPECT_EQ(in<Flows>([](Flows flows) { return flows.find_for_update("f2", "kim"); })->revision, 1);
}

TEST_P(FlowsTest, ListsFilterSortAndPage)
{
    auto first = flow_of("f1", "Bravo 상담", "kim", 300);
    first.tags = {"ko", "en"};
    first.category = "support";
    auto second = flow_of("f2", "alpha", "kim", 100);
    second.flow_type = "chatflow";
    second.description = "100% SURE_";
    second.tags = {"ko"};
    auto third = flow_of("f3", "Charlie", "kim", 200);
    third.is_active = false;
    third.tags = {"a\",\"b", "c\\", "\x1f\"ko\"\x1f"};
    for (const auto& flow : {first, second, third, flow_of("f4", "Delta", "lee")})
        ASSERT_TRUE(add(flow));

    EXPECT_EQ(found({}), (FlowIds{"f1", "f3", "f2"})) << "names go by bytes on every driver";
    EXPECT_EQ(found({}, FlowOrder::updated_at, true), (FlowIds{"f1", "f3", "f2"}));
    EXPECT_EQ(found({}, FlowOrder::created_at), (FlowIds{"f2", "f3", "f1"}));
    EXPECT_EQ(found({}, FlowOrder::created_at, false, {2, 2}), FlowIds{"f1"});
    EXPECT_EQ(found({}, FlowOrder::created_at, false, {9, 100}), FlowIds{});

    struct Case {
        FlowFilter filter;
        FlowIds ids;
    };
    const std::vector<Case> cases = {
        {{.flow_type = "chatflow"}, {"f2"}},
        {{.search = "상담"}, {"f1"}},
        {{.search = "BRAVO"}, {"f1"}},
        {{.search = "sure_"}, {"f2"}},
        {{.search = "%"}, {"f2"}},
        {{.search = "_"}, {"f2"}},
        {{.search = "nothing"}, {}},
        {{.category = "support"}, {"f1"}},
        {{.tags = {"ko"}}, {"f1", "f2"}},
        {{.tags = {"ko", "en"}}, {"f1"}},
        {{.tags = {"k"}}, {}},
        {{.tags = {"b"}}, {}},
        {{.tags = {"a\",\"b"}}, {"f3"}},
        {{.tags = {"c\\", "\x1f\"ko\"\x1f"}}, {"f3"}},
        {{.is_active = false}, {"f3"}},
        {{.is_active = true}, {"f1", "f2"}},
        {{.search = "' OR 1=1 --"}, {}},
    };
    for (const auto& [filter, ids] : cases) {
        SCOPED_TRACE(filter.flow_type + "/" + filter.search + "/" + filter.category);
        EXPECT_EQ(found(filter), ids);
        EXPECT_EQ(from<Flows>([&](Flows flows) { return flows.count("kim", filter); }).value(),
                  static_cast<std::int64_t>(ids.size()));
    }
}

INSTANTIATE_TEST_SUITE_P(Drivers, FlowsTest, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace
}  // namespace dure::store
