// Which compiled flows are kept.
#include "executions/flow_cache.hpp"

#include "executions/executions_fixture.hpp"

namespace dure::executions {
namespace {

std::shared_ptr<const flows::CompiledFlow> with_steps(std::int64_t most)
{
    auto flow = HandMade().node("a", [](graph::NodeContext&) -> Task<Result<Json>> { co_return Json(); }).compile();
    flow.max_steps = most;
    return std::make_shared<const flows::CompiledFlow>(std::move(flow));
}

TEST(FlowCache, KeepsTheOnesThatWereUsedLast)
{
    FlowCache cache(2);
    const auto first = with_steps(1);
    cache.put("flow 1", first);
    cache.put("flow 2", with_steps(2));
    EXPECT_EQ(cache.find("flow 1"), first);
    cache.put("flow 3", with_steps(3));
    EXPECT_EQ(cache.find("flow 2"), nullptr) << "the one that was not asked for longest";
    EXPECT_EQ(cache.find("flow 1"), first);
    ASSERT_NE(cache.find("flow 3"), nullptr);
    EXPECT_EQ(cache.find("flow 3")->max_steps, 3);
}

TEST(FlowCache, OfTwoThatCompiledTheSameTheFirstStays)
{
    FlowCache cache(2);
    const auto first = with_steps(1);
    cache.put("flow 1", first);
    cache.put("flow 1", with_steps(1));
    EXPECT_EQ(cache.find("flow 1"), first);
    cache.put("flow 2", with_steps(2));
    EXPECT_EQ(cache.find("flow 1"), first) << "and takes one place";
}

}  // namespace
}  // namespace dure::executions
