// Start-time fair queueing: each request moves its target's virtual time on by a stride, and the target that is furthest behind
// is next. See shares.hpp.
#include "llm/shares.hpp"

#include <algorithm>
#include <map>
#include <tuple>

namespace dure::llm {

TargetShares::TargetShares(std::span<const std::int64_t> ranks, std::span<const std::int64_t> weights)
{
    constexpr std::int64_t stride_of_weight_one = 1'000'000;   // weights go to 1,000; 9e12 requests until it is too large
    std::map<std::int64_t, Rank> by_rank;
    for (std::size_t i = 0; i < ranks.size(); ++i)
        by_rank[ranks[i]].members.push_back({i, stride_of_weight_one / std::max<std::int64_t>(1, weights[i]), 0});
    for (auto& [number, rank] : by_rank)
        ranks_.push_back(std::move(rank));
}

std::vector<std::size_t> TargetShares::order(std::span<const Moment> targets)
{
    std::vector<std::size_t> all;
    all.reserve(targets.size());
    bool charged = false;
    const std::lock_guard lock(guard_);
    for (auto& rank : ranks_) {
        const auto place = [&](const Member& one) {
            const auto& now = targets[one.target];
            return std::tuple(!now.open, std::max(one.passed, rank.clock), now.running, one.target);
        };
        std::sort(rank.members.begin(), rank.members.end(),
                  [&](const Member& a, const Member& b) { return place(a) < place(b); });
        auto& first = rank.members.front();
        if (!charged && targets[first.target].open) {
            rank.clock = std::max(first.passed, rank.clock);
            first.passed = rank.clock + first.stride;
            charged = true;
        }
        for (const auto& member : rank.members)
            all.push_back(member.target);
    }
    return all;
}

}  // namespace dure::llm
