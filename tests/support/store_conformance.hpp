// What every Store must do (X2), whatever it stores in: include it in one file of a test program, with
//     INSTANTIATE_TEST_SUITE_P(Memory, StoreConformance, testing::Values(StoreCase{…}), store_case_name);
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include "dure/graph/store.hpp"
#include "support/run_task.hpp"

namespace dure::graph {

class StoreClock final : public Clock {
public:
    UnixMillis now() const override { return time; }
    Steady::time_point steady_now() const override { return Steady::now(); }
    UnixMillis time = 1000;
};

struct StoreUnderTest {
    std::shared_ptr<void> storage;
    std::unique_ptr<Store> store;
};

struct StoreCase {
    std::string name;
    std::function<StoreUnderTest(const Clock&)> open;
};

inline std::ostream& operator<<(std::ostream& out, const StoreCase& one)
{
    return out << one.name;
}

inline std::string store_case_name(const testing::TestParamInfo<StoreCase>& info)
{
    return info.param.name;
}

class StoreConformance : public testing::TestWithParam<StoreCase> {
protected:
    void SetUp() override { under_test_ = GetParam().open(clock_); }

    template <class T>
    Result<T> outcome(Task<Result<T>> task)
    {
        std::optional<Result<T>> given;
        dure::test::run([&]() -> Task<void> { given.emplace(co_await std::move(task)); });
        return std::move(*given);
    }
    void put(const StoreNamespace& ns, const std::string& key, Json value,
             std::optional<std::chrono::milliseconds> time_to_live = {})
    {
        const auto stored = outcome(store().put(ns, key, std::move(value), time_to_live));
        ASSERT_TRUE(stored) << stored.error().message() << stored.error().detail();
    }
    std::optional<StoreItem> get(const StoreNamespace& ns, const std::string& key)
    {
        auto found = outcome(store().get(ns, key));
        if (!found)
            throw std::runtime_error(found.error().message());
        return *found;
    }
    static std::string text(const StoreNamespace& ns)
    {
        std::string joined;
        for (const auto& part : ns)
            joined += (joined.empty() ? "" : "/") + part;
        return joined;
    }
    // "a/b:key" of each.
    std::vector<std::string> search(const StoreSearch& wanted)
    {
        const auto found = outcome(store().search(wanted));
        if (!found)
            throw std::runtime_error(found.error().message() + found.error().detail());
        std::vector<std::string> texts;
        for (const auto& item : *found)
            texts.push_back(text(item.ns) + ":" + item.key);
        return texts;
    }
    std::vector<std::string> names(const StoreNamespaces& wanted)
    {
        const auto found = outcome(store().list_namespaces(wanted));
        if (!found)
            throw std::runtime_error(found.error().message() + found.error().detail());
        std::vector<std::string> texts;
        for (const auto& ns : *found)
            texts.push_back(text(ns));
        return texts;
    }
    Store& store() { return *under_test_.store; }

    StoreClock clock_;
    StoreUnderTest under_test_;
};

using Texts = std::vector<std::string>;

TEST_P(StoreConformance, X2_ItemsArePutReplacedAndRemoved)
{
    EXPECT_FALSE(get({"a"}, "k"));
    put({"a"}, "k", Json{{"n", 1}});
    clock_.time = 2000;
    put({"a"}, "k", Json{{"n", 2}});
    const auto item = get({"a"}, "k");
    ASSERT_TRUE(item);
    EXPECT_EQ(item->ns, StoreNamespace{"a"});
    EXPECT_EQ(item->key, "k");
    EXPECT_EQ(item->value, (Json{{"n", 2}}));
    EXPECT_EQ(item->created_at, 1000);
    EXPECT_EQ(item->updated_at, 2000);
    EXPECT_FALSE(get({"a", "b"}, "k"));
    EXPECT_FALSE(get({"a"}, "K"));
    ASSERT_TRUE(outcome(store().remove({"a"}, "k")));
    ASSERT_TRUE(outcome(store().remove({"a"}, "k")));
    EXPECT_FALSE(get({"a"}, "k"));
}

TEST_P(StoreConformance, N3_EveryJsonValueComesBackAsItWas)
{
    const Json values[] = {nullptr,
                           false,
                           0,
                           "",
                           1.0,
                           (1LL << 53) + 1,
                           -0.0,
                           1e300,
                           Json::array(),
                           Json::object(),
                           std::string("nul\0", 4),
                           "한국어 \"'\\"};
    for (const auto& value : values) {
        put({"a"}, "k", value);
        EXPECT_EQ(get({"a"}, "k")->value.dump(), value.dump());
    }
}

TEST_P(StoreConformance, X2_ATimeToLiveEndsAnItem)
{
    put({"a"}, "short", 1, std::chrono::milliseconds(500));
    put({"a"}, "long", 1);
    clock_.time = 1499;
    EXPECT_TRUE(get({"a"}, "short"));
    clock_.time = 1500;
    EXPECT_FALSE(get({"a"}, "short"));
    EXPECT_EQ(search({}), Texts{"a:long"});
    put({"a"}, "short", 2);
    EXPECT_EQ(get({"a"}, "short")->created_at, 1500) << "a new item";
    clock_.time = 1'000'000;
    EXPECT_TRUE(get({"a"}, "short")) << "the new one has no end";
}

TEST_P(StoreConformance, X2_SearchFiltersAndPages)
{
    put({"u", "1"}, "a", Json{{"n", 1}, {"s", "apple"}});
    put({"u", "1"}, "b", Json{{"n", 2.5}, {"s", "banana"}, {"list", {"deep", {{"text", "needle here"}}}}});
    put({"u", "1", "x"}, "c", Json{{"n", 3}});
    put({"u", "10"}, "d", Json{{"n", "3"}});
    put({"v"}, "e", "just text");
    const auto wanted = [](StoreNamespace prefix, Json filter, std::string query = "", std::int64_t limit = 10,
                           std::int64_t offset = 0) {
        StoreSearch made;
        made.prefix = std::move(prefix);
        made.filter = std::move(filter);
        made.query = std::move(query);
        made.limit = limit;
        made.offset = offset;
        return made;
    };
    const auto all = Json::object();
    const struct {
        StoreSearch search;
        Texts expected;
    } cases[] = {
        {wanted({}, all), {"u/1:a", "u/1:b", "u/1/x:c", "u/10:d", "v:e"}},
        {wanted({"u"}, all), {"u/1:a", "u/1:b", "u/1/x:c", "u/10:d"}},
        {wanted({"u", "1"}, all), {"u/1:a", "u/1:b", "u/1/x:c"}},
        {wanted({"w"}, all), {}},
        {wanted({}, all, "", 2), {"u/1:a", "u/1:b"}},
        {wanted({}, all, "", 2, 2), {"u/1/x:c", "u/10:d"}},
        {wanted({}, all, "", 2, 9), {}},
        {wanted({}, {{"n", 1}}), {"u/1:a"}},
        {wanted({}, {{"n", {{"$eq", 3}}}}), {"u/1/x:c"}},
        {wanted({}, {{"n", {{"$ne", 3}}}}), {"u/1:a", "u/1:b", "u/10:d", "v:e"}},
        {wanted({}, {{"n", {{"$gt", 1}}}}), {"u/1:b", "u/1/x:c"}},
        {wanted({}, {{"n", {{"$gte", 1}, {"$lt", 3}}}}), {"u/1:a", "u/1:b"}},
        {wanted({}, {{"n", {{"$lte", "3"}}}}), {"u/10:d"}},
        {wanted({}, {{"s", {{"$gt", "apple"}}}}), {"u/1:b"}},
        {wanted({}, {{"n", 1}, {"s", "banana"}}), {}},
        {wanted({}, {{"n' OR 1=1 --", 1}}), {}},
        {wanted({}, all, "needle"), {"u/1:b"}},
        {wanted({}, all, "text"), {"v:e"}},
        {wanted({}, {{"n", {{"$gt", 1}}}}, "", 1, 1), {"u/1/x:c"}},
    };
    for (const auto& one : cases)
        EXPECT_EQ(search(one.search), one.expected)
            << text(one.search.prefix) << " " << one.search.filter.dump() << " " << one.search.query;
}

TEST_P(StoreConformance, X2_SearchGoesOverManyItems)
{
    for (int i = 0; i < 450; ++i)
        put({"a"}, "k" + std::to_string(1000 + i), i);
    StoreSearch wanted;
    wanted.limit = 1000;
    EXPECT_EQ(search(wanted).size(), 450U);
    wanted.offset = 449;
    EXPECT_EQ(search(wanted), Texts{"a:k1449"});
}

TEST_P(StoreConformance, X2_NamespacesAreListed)
{
    put({"b"}, "k", 1);
    put({"a", "x", "1"}, "k", 1);
    put({"a", "x", "2"}, "k", 1);
    put({"a", "x", "2"}, "l", 1);
    put({"a", "gone"}, "k", 1, std::chrono::milliseconds(1));
    clock_.time = 5000;
    StoreNamespaces wanted;
    EXPECT_EQ(names(wanted), (Texts{"a/x/1", "a/x/2", "b"}));
    wanted.max_depth = 2;
    EXPECT_EQ(names(wanted), (Texts{"a/x", "b"}));
    wanted.prefix = {"a"};
    EXPECT_EQ(names(wanted), Texts{"a/x"});
    wanted = StoreNamespaces();
    wanted.limit = 1;
    wanted.offset = 1;
    EXPECT_EQ(names(wanted), Texts{"a/x/2"});
}

TEST_P(StoreConformance, WrongRequestsAreRefusedByName)
{
    const std::string long_text(257, 'x');
    const struct {
        StoreNamespace ns;
        std::string key, field;
    } places[] = {
        {{}, "k", "namespace"},
        {{""}, "k", "namespace"},
        {{"a", ""}, "k", "namespace"},
        {{long_text}, "k", "namespace"},
        {{"a\x1f"}, "k", "namespace"},
        {{std::string("\0", 1)}, "k", "namespace"},
        {{"\xff"}, "k", "namespace"},
        {StoreNamespace(17, "a"), "k", "namespace"},
        {{"a"}, "", "key"},
        {{"a"}, long_text, "key"},
    };
    for (const auto& one : places) {
        const auto put = outcome(store().put(one.ns, one.key, 1, {}));
        ASSERT_FALSE(put) << one.field;
        EXPECT_EQ(put.error().code(), Errc::invalid_argument);
        EXPECT_EQ(put.error().param(), one.field);
        EXPECT_EQ(outcome(store().get(one.ns, one.key)).error().param(), one.field);
        EXPECT_EQ(outcome(store().remove(one.ns, one.key)).error().param(), one.field);
    }
    const auto refused = [&](auto change) {
        StoreSearch wanted;
        change(wanted);
        return outcome(store().search(wanted)).error().param();
    };
    EXPECT_EQ(refused([](StoreSearch& s) { s.prefix = {""}; }), "prefix");
    EXPECT_EQ(refused([](StoreSearch& s) { s.filter = Json::array(); }), "filter");
    EXPECT_EQ(refused([](StoreSearch& s) { s.filter = {{"a", {{"$like", 1}}}}; }), "filter");
    EXPECT_EQ(refused([](StoreSearch& s) { s.limit = 0; }), "limit");
    EXPECT_EQ(refused([](StoreSearch& s) { s.limit = 1001; }), "limit");
    EXPECT_EQ(refused([](StoreSearch& s) { s.offset = -1; }), "offset");
    StoreNamespaces listing;
    listing.max_depth = -1;
    EXPECT_EQ(outcome(store().list_namespaces(listing)).error().param(), "max_depth");
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StoreConformance);

}  // namespace dure::graph
