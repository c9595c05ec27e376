// The table of what follows a failure, and the steps through it; see retry_plan.hpp.
#include "llm/retry_plan.hpp"

#include <algorithm>
#include <array>

namespace dure::llm {

namespace {

constexpr std::int64_t most_attempts_per_target = 2;
constexpr std::chrono::milliseconds longest_wait_for_header{2000};
constexpr std::chrono::milliseconds first_backoff{250};
constexpr std::chrono::milliseconds longest_backoff{4000};

enum class Same { never, at_once, backoff, header_or_backoff, header_only, when_repaired };
enum class Then { next, other_provider, larger_window, stop, content_filter_rule };

}  // namespace

struct RetryPlan::Policy {
    FailureClass kind;
    Same same;
    Then then;
    int usefulness;
};

const RetryPlan::Policy& RetryPlan::policy_of(FailureClass kind)
{
    static constexpr std::array<Policy, 16> policies = {{
        {FailureClass::connect, Same::at_once, Then::next, 0},
        {FailureClass::timeout, Same::never, Then::next, 0},
        {FailureClass::server, Same::backoff, Then::next, 0},
        {FailureClass::overloaded, Same::header_or_backoff, Then::next, 0},
        {FailureClass::rate_limit, Same::header_only, Then::next, 1},
        {FailureClass::quota, Same::never, Then::other_provider, 0},
        {FailureClass::auth, Same::never, Then::other_provider, 0},
        {FailureClass::context_length, Same::never, Then::larger_window, 2},
        {FailureClass::unsupported_param, Same::when_repaired, Then::stop, 2},
        {FailureClass::model_missing, Same::never, Then::next, 0},
        {FailureClass::content_filter, Same::never, Then::content_filter_rule, 2},
        {FailureClass::bad_request, Same::never, Then::stop, 2},
        {FailureClass::protocol, Same::at_once, Then::next, 0},
        {FailureClass::interrupted, Same::at_once, Then::next, 0},
        {FailureClass::busy, Same::never, Then::next, 0},
        {FailureClass::cancelled, Same::never, Then::stop, 3},
    }};
    return *std::find_if(policies.begin(), policies.end(), [&](const auto& policy) { return policy.kind == kind; });
}

RetryPlan::RetryPlan(std::vector<Candidate> targets, Rules rules, std::function<double()> random)
    : targets_(std::move(targets)), rules_(rules), random_(std::move(random))
{
}

RetryPlan::Step RetryPlan::first()
{
    attempts_ = attempts_here_ = 1;
    return Step{};
}

RetryPlan::Step RetryPlan::after(const Failure& failure, bool repaired, Steady::duration left)
{
    remember(failure);
    const Step stop{true, current_, {}};
    if (failure.after_output || attempts_ >= rules_.most_attempts || left <= Steady::duration::zero())
        return stop;
    const auto& policy = policy_of(failure.kind);
    if (policy.then == Then::other_provider)
        providers_out_.push_back(targets_[current_].provider);
    if (const auto pause = pause_on_same(failure, policy, repaired); pause && *pause < left) {
        ++attempts_;
        ++attempts_here_;
        return Step{false, current_, *pause};
    }
    const auto next = next_target(policy);
    if (!next)
        return stop;
    current_ = *next;
    ++attempts_;
    attempts_here_ = 1;
    return Step{false, current_, {}};
}

std::optional<Steady::duration> RetryPlan::pause_on_same(const Failure& failure, const Policy& policy, bool repaired)
{
    if (failure.same_target_forbidden || attempts_here_ >= most_attempts_per_target)
        return std::nullopt;
    const bool header_is_short = failure.retry_after && *failure.retry_after <= longest_wait_for_header;
    switch (policy.same) {
    case Same::never: return std::nullopt;
    case Same::at_once: return Steady::duration::zero();
    case Same::backoff: return backoff();
    case Same::when_repaired: return repaired ? std::optional(Steady::duration::zero()) : std::nullopt;
    case Same::header_only:
        return header_is_short ? std::optional<Steady::duration>(*failure.retry_after) : std::nullopt;
    case Same::header_or_backoff:
        if (header_is_short)
            return Steady::duration(*failure.retry_after);
        return failure.retry_after ? std::nullopt : std::optional(backoff());
    }
    return std::nullopt;
}

std::optional<std::size_t> RetryPlan::next_target(const Policy& policy) const
{
    if (policy.then == Then::stop || (policy.then == Then::content_filter_rule && !rules_.next_after_content_filter))
        return std::nullopt;
    for (auto index = current_ + 1; index < targets_.size(); ++index) {
        const auto& target = targets_[index];
        if (std::find(providers_out_.begin(), providers_out_.end(), target.provider) != providers_out_.end())
            continue;
        if (policy.then == Then::larger_window && target.context_window <= targets_[current_].context_window)
            continue;
        return index;
    }
    return std::nullopt;
}

Steady::duration RetryPlan::backoff()
{
    const auto base = std::min<std::int64_t>(longest_backoff.count(), first_backoff.count() << std::min(backoffs_++, 8));
    const auto jittered = static_cast<double>(base) * (0.75 + 0.5 * random_());
    return std::chrono::milliseconds(static_cast<std::int64_t>(jittered));
}

void RetryPlan::remember(const Failure& failure)
{
    if (!most_useful_ || policy_of(failure.kind).usefulness >= policy_of(most_useful_->kind).usefulness)
        most_useful_ = failure;
}

}  // namespace dure::llm
