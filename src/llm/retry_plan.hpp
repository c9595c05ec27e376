// Which target comes next after a failure, and after which pause (llm-upstreams §6): a state object without sockets and
// without a clock of its own. One plan per request; first() then after() for each failure until a step says stop.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "dure/base/clock.hpp"
#include "llm/failure.hpp"

namespace dure::llm {

class RetryPlan {
public:
    struct Candidate {
        std::string provider;
        std::int64_t context_window = 0;
    };
    struct Step {
        bool stop = false;
        std::size_t target = 0;
        Steady::duration pause{};
    };
    struct Rules {
        std::int64_t most_attempts = 6;
        bool next_after_content_filter = false;
    };

    // random() gives values in [0, 1) for the jitter.
    RetryPlan(std::vector<Candidate> targets, Rules rules, std::function<double()> random);

    Step first();
    // `repaired`: the request was changed after `unsupported_param`. `left`: what remains of the request's deadline.
    Step after(const Failure& failure, bool repaired, Steady::duration left);
    // Of all attempts: the failure that helps the client most.
    const Failure& most_useful() const { return *most_useful_; }
    std::int64_t attempts() const { return attempts_; }

private:
    struct Policy;
    static const Policy& policy_of(FailureClass kind);
    std::optional<Steady::duration> pause_on_same(const Failure& failure, const Policy& policy, bool repaired);
    std::optional<std::size_t> next_target(const Policy& policy) const;
    Steady::duration backoff();
    void remember(const Failure& failure);

    std::vector<Candidate> targets_;
    Rules rules_;
    std::function<double()> random_;
    std::optional<Failure> most_useful_;
    std::vector<std::string> providers_out_;   // their keys were refused
    std::size_t current_ = 0;
    std::int64_t attempts_ = 0;
    std::int64_t attempts_here_ = 0;
    int backoffs_ = 0;
};

}  // namespace dure::llm
