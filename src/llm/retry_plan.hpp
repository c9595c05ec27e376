// Which target comes next, with which key and after which pause (llm-upstreams §6): a state object without sockets and
// without a clock of its own. One plan per request; first() then after() for each failure until a step says stop.
//
//   PICK -> ADMIT (a capable target that is neither cooled nor broken, and a key of its) -> attempt -> after(failure) -> …
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "dure/base/clock.hpp"
#include "llm/failure.hpp"
#include "llm/health.hpp"

namespace dure::llm {

// What the plan asks of the targets' state.
class Admissions {
public:
    virtual ~Admissions() = default;
    virtual Admission admit(std::size_t target, std::span<const std::size_t> tried_keys) = 0;
    virtual bool may_retry(std::size_t target) = 0;
};

class RetryPlan {
public:
    struct Candidate {
        std::string provider;
        std::int64_t context_window = 0;
        bool capable = true;
    };
    struct Step {
        bool stop = false;
        bool again = false;                       // nothing to try now: first() once more after the pause
        std::size_t target = 0;
        std::size_t key = 0;
        Steady::duration pause{};
    };
    struct Rules {
        std::int64_t most_attempts = 6;
        bool next_after_content_filter = false;
    };

    // random() gives values in [0, 1) for the jitter. `admissions` outlives the plan; null: every target is free.
    RetryPlan(std::vector<Candidate> targets, Rules rules, std::function<double()> random, Admissions* admissions = nullptr);

    // `left`: what remains of the request's deadline.
    Step first(Steady::duration left = Steady::duration::max());
    // `repaired`: the request was changed after `unsupported_param`.
    Step after(const Failure& failure, bool repaired, Steady::duration left);
    // Of all attempts: the failure that helps the client most; that no target could be tried, when there was none.
    const Failure& most_useful() const { return *most_useful_; }
    std::int64_t attempts() const { return attempts_; }

private:
    struct Policy;
    static const Policy& policy_of(FailureClass kind);
    Admission admit(std::size_t target);
    bool usable(std::size_t target) const;
    std::optional<Steady::duration> pause_on_same(const Failure& failure, const Policy& policy, bool repaired);
    std::optional<Step> other_key();
    std::optional<Step> next_target(const Policy& policy);
    Step use(std::size_t target, std::size_t key, Steady::duration pause = {});
    Step refused(Steady::duration soonest, FailureClass why, Steady::duration left);
    Steady::duration backoff();
    void remember(const Failure& failure);

    std::vector<Candidate> targets_;
    Rules rules_;
    std::function<double()> random_;
    Admissions* admissions_;
    MaybeFailure most_useful_;
    std::vector<std::string> providers_out_;        // none of their keys is taken
    std::vector<std::size_t> keys_tried_;           // of the current target
    std::size_t current_ = 0;
    std::size_t key_ = 0;
    std::int64_t attempts_ = 0;
    std::int64_t attempts_here_ = 0;                // with this target and key
    std::int64_t too_small_ = -1;                   // windows up to this one do not hold the prompt
    Steady::duration waited_{};
    int backoffs_ = 0;
};

}  // namespace dure::llm
