// Which of a model's targets is asked first (llm-upstreams §6 PICK): by rank, and among targets of equal rank each gets its
// share of the requests by weight, the least busy one where shares are even. Without sockets and without a clock.
#pragma once

#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

namespace dure::llm {

// Thread-safe.
class TargetShares {
public:
    // Ranks and weights of the targets, in their configured order; weights are at least 1. As many of one as of the other.
    TargetShares(std::span<const std::int64_t> ranks, std::span<const std::int64_t> weights);

    // What is known of a target at this moment.
    struct Moment {
        bool open = true;  // it takes requests: capable, neither cooled down nor closed off
        std::int64_t running = 0;
    };
    // All targets in the order in which one request should try them; the first open one is charged for it. Those that are not
    // open stand behind the others of their rank: they cost no share, and have none to catch up on when they are back.
    std::vector<std::size_t> order(std::span<const Moment> targets);

private:
    struct Member {
        std::size_t target = 0;
        std::int64_t stride = 0;  // of virtual time that one request takes; the heavier the shorter
        std::int64_t passed = 0;
    };
    struct Rank {
        std::vector<Member> members;
        std::int64_t clock = 0;  // virtual time of the latest request
    };

    std::mutex guard_;
    std::vector<Rank> ranks_;
};

}  // namespace dure::llm
