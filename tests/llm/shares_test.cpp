// The order of a model's targets by rank and weight, without sockets; and over real ones, what callers see of it.
#include <map>

#include "llm/shares.hpp"
#include "llm/upstream_cases_fixture.hpp"

namespace dure::llm::test {

namespace {

using Numbers = std::vector<std::int64_t>;

// How often each target stands first in so many orders.
std::map<std::size_t, int> first_of(TargetShares& shares, const std::vector<TargetShares::Moment>& now, int requests)
{
    std::map<std::size_t, int> counts;
    for (int i = 0; i < requests; ++i)
        ++counts[shares.order(now).front()];
    return counts;
}

TEST(TargetShares, EachTargetOfARankGetsItsShareByWeight)
{
    TargetShares shares(Numbers{1, 1, 1}, Numbers{5, 3, 2});
    const std::vector<TargetShares::Moment> now(3);
    EXPECT_EQ(first_of(shares, now, 100), (std::map<std::size_t, int>{{0, 50}, {1, 30}, {2, 20}}));
}

TEST(TargetShares, AHeavyTargetIsNotAskedInOneBurst)
{
    TargetShares shares(Numbers{1, 1}, Numbers{3, 1});
    const std::vector<TargetShares::Moment> now(2);
    for (int round = 0; round < 10; ++round)
        EXPECT_EQ(first_of(shares, now, 4), (std::map<std::size_t, int>{{0, 3}, {1, 1}})) << round;
}

TEST(TargetShares, WhereSharesAreEvenTheLeastBusyIsFirst)
{
    TargetShares shares(Numbers{1, 1}, Numbers{1, 1});
    const std::vector<TargetShares::Moment> first_is_busy{{true, 7}, {true, 2}};
    EXPECT_EQ(shares.order(first_is_busy), (std::vector<std::size_t>{1, 0}));
    EXPECT_EQ(shares.order(first_is_busy), (std::vector<std::size_t>{0, 1})) << "its turn, by weight";
    EXPECT_EQ(shares.order(first_is_busy), (std::vector<std::size_t>{1, 0}));
}

TEST(TargetShares, RanksAreTriedInTheirOrderWhateverTheOrderOfTargets)
{
    TargetShares shares(Numbers{2, 1, 3}, Numbers{100, 1, 1});
    const std::vector<TargetShares::Moment> now(3);
    for (int i = 0; i < 5; ++i)
        EXPECT_EQ(shares.order(now), (std::vector<std::size_t>{1, 0, 2}));
}

TEST(TargetShares, AClosedTargetStandsBehindAndHasNothingToCatchUpOn)
{
    TargetShares shares(Numbers{1, 1, 2}, Numbers{1, 1, 1});
    const std::vector<TargetShares::Moment> one_closed{{false, 0}, {true, 0}, {true, 0}};
    for (int i = 0; i < 20; ++i)
        EXPECT_EQ(shares.order(one_closed), (std::vector<std::size_t>{1, 0, 2}));
    const std::vector<TargetShares::Moment> back(3);
    EXPECT_LE(first_of(shares, back, 10)[0], 6) << "its share and the one request it stood behind, no burst";
    const std::vector<TargetShares::Moment> both_closed{{false, 0}, {false, 0}, {true, 0}};
    EXPECT_EQ(shares.order(both_closed).back(), 2u) << "the ranks stay";
    EXPECT_EQ(first_of(shares, back, 10), (std::map<std::size_t, int>{{0, 5}, {1, 5}}))
        << "another rank costs them nothing";
}

class WeightedTargets : public UpstreamCases {
protected:
    WeightedTargets()
    {
        chain();
        add_upstream(last.base(), "last");
        for (auto* one : {&upstream, &other, &last})
            one->handle([](const RecordedRequest&) { return completion_script("ok"); });
        settings.model.at(0).ranks = {1, 1, 2};
        settings.model.at(0).weights = {3, 1, 1};
    }
    void ask(int times)
    {
        for (int i = 0; i < times; ++i)
            ASSERT_TRUE(whole_now());
    }

    ScriptedUpstream last;
};

TEST_F(WeightedTargets, ShareTheRequestsOfTheirRank)
{
    ask(12);
    EXPECT_EQ(upstream.request_count(), 9);
    EXPECT_EQ(other.request_count(), 3);
    EXPECT_EQ(last.request_count(), 0);
}

TEST_F(WeightedTargets, StandInForOneAnotherBeforeTheNextRankIsAsked)
{
    upstream.handle([](const RecordedRequest&) { return limited({{"Retry-After", "120"}}); });
    ask(4);
    EXPECT_EQ(upstream.request_count(), 1) << "it is cooled down";
    EXPECT_EQ(other.request_count(), 4);
    other.handle([](const RecordedRequest&) { return limited({{"Retry-After", "120"}}); });
    ask(3);
    EXPECT_EQ(last.request_count(), 3);
    EXPECT_EQ(record.completion.answered_by, "last/upstream-gpt");
}

TEST_F(WeightedTargets, WeightsAloneMakeAllTargetsEqual)
{
    settings.model.at(0).ranks.clear();
    settings.model.at(0).weights = {1, 1, 2};
    ask(8);
    EXPECT_EQ(upstream.request_count(), 2);
    EXPECT_EQ(other.request_count(), 2);
    EXPECT_EQ(last.request_count(), 4);
}

}  // namespace

}  // namespace dure::llm::test
