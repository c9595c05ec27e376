// The registry while it changes: groups are replaced as a whole, running calls keep their tools, what cannot be taken is
// listed; permissions, approval, the cache of pure results, what observers are told.
#include <gtest/gtest.h>

#include "dure/base/timeout.hpp"
#include "dure/tools/registry.hpp"
#include "support/run_task.hpp"
#include "tools/result_cache.hpp"

namespace dure::tools {
namespace {

using namespace std::chrono_literals;

struct Traits {
    std::string permission = {};
    std::string version = {};
    bool acts = false;
    bool pure = false;
    bool per_caller = false;
    std::chrono::milliseconds cache_life = 1h;
    std::chrono::milliseconds longest = 0ms;
    Json schema = {{"type", "object"}};
};

class OtherTool final : public Tool {
public:
    using Body = std::function<Task<Result<Json>>(const Json&)>;
    OtherTool(std::string name, Body body, Traits traits) : body_(std::move(body)), traits_(std::move(traits))
    {
        definition_.name = std::move(name);
        definition_.parameters = traits_.schema;
    }
    const model::ToolDefinition& definition() const override { return definition_; }
    std::string source() const override { return "test"; }
    std::string permission() const override { return traits_.permission; }
    bool acts() const override { return traits_.acts; }
    bool pure() const override { return traits_.pure; }
    bool per_caller() const override { return traits_.per_caller; }
    std::string version() const override { return traits_.version; }
    std::chrono::milliseconds cache_life() const override { return traits_.cache_life; }
    std::chrono::milliseconds longest() const override { return traits_.longest; }
    Task<Result<Json>> execute(const Json& arguments, const Caller&, Deadline) override { return body_(arguments); }

private:
    model::ToolDefinition definition_;
    Body body_;
    Traits traits_;
};

std::shared_ptr<Tool> tool(std::string name, OtherTool::Body body, Traits traits = {})
{
    return std::make_shared<OtherTool>(std::move(name), std::move(body), std::move(traits));
}

OtherTool::Body says(std::string word)
{
    return [word](const Json&) -> Task<Result<Json>> { co_return Json(word); };
}

class ReloadTest : public ::testing::Test {
protected:
    ReloadTest() { caller_.may_execute = true; }
    Outcome call(std::string_view name, std::string_view arguments = "{}")
    {
        Outcome outcome;
        dure::test::run([&]() -> Task<void> { outcome = co_await registry_.execute(name, arguments, caller_); });
        return outcome;
    }
    // A tool that counts its runs.
    std::shared_ptr<Tool> counting(Traits traits)
    {
        return tool(
            "counted", [this](const Json&) -> Task<Result<Json>> { co_return Json(++runs_); }, std::move(traits));
    }

    Logger logger_{[] {
        Logger::Options options;
        options.level = LogLevel::error;
        options.file = "/dev/null";
        return options;
    }()};
    config::Tools settings_;
    Registry registry_{logger_, settings_};
    Caller caller_;
    int runs_ = 0;
};

TEST_F(ReloadTest, AGroupIsReplacedAndTheOthersStay)
{
    registry_.add(make_calculator());
    EXPECT_TRUE(registry_.replace("files", {tool("a", says("1")), tool("b", says("1"))}).empty());
    EXPECT_TRUE(registry_.replace("mcp:x", {tool("c", says("1"))}).empty());
    const auto before = registry_.version();
    EXPECT_TRUE(registry_.replace("files", {tool("b", says("2"))}).empty());
    EXPECT_GT(registry_.version(), before);
    EXPECT_EQ(registry_.find("a"), nullptr);
    EXPECT_EQ(call("b").text(), "2");
    EXPECT_EQ(registry_.group_of("c"), "mcp:x");
    EXPECT_EQ(registry_.group_of("calculator"), "built-in");
    EXPECT_EQ(registry_.all().size(), 3u);
}

TEST_F(ReloadTest, WhatCannotBeTakenIsListedAndTheRestWorks)
{
    registry_.add(make_calculator());
    Traits broken;
    broken.schema = {{"type", 5}};
    const auto problems =
        registry_.replace("files", {tool("calculator", says("x")), tool("same", says("1")), tool("same", says("2")),
                                    tool("bad name", says("x")), tool(std::string(65, 'n'), says("x")),
                                    tool("broken", says("x"), broken), tool("fine", says("ok"))});
    ASSERT_EQ(problems.size(), 5u);
    EXPECT_EQ(call("fine").text(), "ok");
    EXPECT_EQ(call("same").text(), "1");
    EXPECT_NE(registry_.group_of("calculator"), "files");
}

TEST_F(ReloadTest, ARunningCallKeepsItsTool)
{
    settings_.timeout = config::Milliseconds(5000);
    registry_.replace("files", {tool("slow", [this](const Json&) -> Task<Result<Json>> {
                          registry_.replace("files", {});
                          co_await sleep_for(5ms);
                          co_return Json("from the old one");
                      })});
    EXPECT_EQ(call("slow").text(), "from the old one");
    EXPECT_EQ(registry_.find("slow"), nullptr);
}

TEST_F(ReloadTest, ToolsMayAskForMoreThanToolsExecute)
{
    Traits guarded;
    guarded.permission = "tools:manage";
    registry_.replace("files", {tool("guarded", says("in"), guarded)});
    EXPECT_NE(call("guarded").error.find("tools:manage"), std::string::npos);
    caller_.permissions = {"tools:manage"};
    EXPECT_EQ(call("guarded").text(), "in");
    caller_.may_execute = false;
    EXPECT_FALSE(call("guarded").success);
}

TEST_F(ReloadTest, ActingToolsNeedAPerson)
{
    Traits acting;
    acting.acts = true;
    registry_.replace("files", {tool("acting", says("sent"), acting), tool("reading", says("read"))});
    EXPECT_NE(call("acting").error.find("person"), std::string::npos);
    EXPECT_EQ(call("reading").text(), "read");
    caller_.approves = true;
    EXPECT_EQ(call("acting").text(), "sent");
}

TEST_F(ReloadTest, PureResultsAreRememberedByCanonicalArguments)
{
    Traits pure;
    pure.pure = true;
    registry_.replace("files", {counting(pure)});
    EXPECT_FALSE(call("counted", R"({"a":1,"b":[2,3]})").cached);
    const auto again = call("counted", R"({ "b":[2,3], "a":1 })");
    EXPECT_TRUE(again.cached);
    EXPECT_EQ(again.result, 1);
    EXPECT_FALSE(call("counted", R"({"a":1,"b":[3,2]})").cached);
    caller_.user_id = "somebody else";
    EXPECT_TRUE(call("counted", R"({"a":1,"b":[2,3]})").cached);
    EXPECT_EQ(runs_, 2);
}

TEST_F(ReloadTest, OthersResultsNewVersionsAndImpureToolsAreNotServedFromTheCache)
{
    Traits traits;
    registry_.replace("files", {counting(traits)});
    call("counted");
    EXPECT_FALSE(call("counted").cached);  // not pure

    traits.pure = traits.per_caller = true;
    registry_.replace("files", {counting(traits)});
    call("counted");
    caller_.user_id = "somebody else";
    EXPECT_FALSE(call("counted").cached);
    EXPECT_TRUE(call("counted").cached);

    traits.version = "2";
    registry_.replace("files", {counting(traits)});
    EXPECT_FALSE(call("counted").cached);
}

TEST_F(ReloadTest, FailuresAreNotRemembered)
{
    Traits pure;
    pure.pure = true;
    int tries = 0;
    registry_.replace("files", {tool(
                                   "flaky",
                                   [&tries](const Json&) -> Task<Result<Json>> {
                                       if (++tries == 1)
                                           co_return Error(Errc::unavailable, "not now");
                                       co_return Json("now");
                                   },
                                   pure)});
    EXPECT_FALSE(call("flaky").success);
    EXPECT_EQ(call("flaky").text(), "now");
}

TEST_F(ReloadTest, AToolsOwnTimeLimitCounts)
{
    Traits hasty;
    hasty.longest = 10ms;
    registry_.replace("files", {tool(
                                   "slow",
                                   [](const Json&) -> Task<Result<Json>> {
                                       co_await sleep_for(60s);
                                       co_return Json();
                                   },
                                   hasty)});
    EXPECT_NE(call("slow").error.find("in time"), std::string::npos);  // tools.timeout alone would be 10 s
}

TEST_F(ReloadTest, ObserversAreToldOfEveryCallWithoutItsContents)
{
    std::vector<CallRecord> seen;
    registry_.observe([&](const CallRecord& record) { seen.push_back(record); });
    registry_.replace("files", {tool("word", says("w"))});
    caller_.user_id = "u";
    caller_.request_id = "r";
    call("word", R"({"secret":1})");
    caller_.may_execute = false;
    call("word");
    call("unknown");
    ASSERT_EQ(seen.size(), 2u);
    EXPECT_EQ(seen[0].name, "word");
    // echo -n '{"secret":1}' | sha256sum
    EXPECT_EQ(seen[0].arguments_sha256, "303c81734ca9f66015accf5ba61d1d8f434c4bd5c4f31d3226b44cca229e765b");
    EXPECT_EQ(seen[0].user_id, "u");
    EXPECT_EQ(seen[0].request_id, "r");
    EXPECT_TRUE(seen[0].success);
    EXPECT_FALSE(seen[1].success);
}

TEST(ResultCache, ForgetsTheLeastRecentlyUsedAndTheExpired)
{
    const auto now = Steady::now();
    ResultCache cache(2, 1000);
    cache.put("a", "A", 1, now + 1min);
    cache.put("b", "B", 1, now + 1min);
    ASSERT_NE(cache.get("a", now), nullptr);
    cache.put("c", "C", 1, now + 1min);
    EXPECT_EQ(cache.get("b", now), nullptr);
    EXPECT_NE(cache.get("a", now), nullptr);
    EXPECT_EQ(cache.get("c", now + 1min), nullptr);
    EXPECT_EQ(cache.get("c", now), nullptr);  // gone for good
}

TEST(ResultCache, IsBoundedInBytesToo)
{
    const auto now = Steady::now();
    ResultCache cache(100, 1000);
    cache.put("a", "A", 600, now + 1min);
    cache.put("b", "B", 600, now + 1min);
    EXPECT_EQ(cache.get("a", now), nullptr);
    EXPECT_NE(cache.get("b", now), nullptr);
    cache.put("huge", "H", 1001, now + 1min);
    EXPECT_EQ(cache.get("huge", now), nullptr);
    EXPECT_NE(cache.get("b", now), nullptr);
    ResultCache off(0, 1000);
    off.put("a", "A", 1, now + 1min);
    EXPECT_EQ(off.get("a", now), nullptr);
}

}  // namespace
}  // namespace dure::tools
