// The table of what follows a failure, and the steps through it; see retry_plan.hpp.
#include "llm/retry_plan.hpp"

#include <algorithm>
#include <array>

namespace dure::llm {

namespace {

constexpr std::int64_t most_attempts_per_target = 2;
constexpr std::chrono::milliseconds longest_wait_for_header{2000};
constexpr std::chrono::milliseconds longest_wait_for_target{2000};
constexpr std::chrono::milliseconds first_backoff{250};
constexpr std::chrono::milliseconds longest_backoff{4000};

enum class Same { never, at_once, backoff, header_or_backoff, header_only, when_repaired };
enum class Key { same, other };
enum class Then { next, other_provider, larger_window, stop, content_filter_rule };

}  // namespace

struct RetryPlan::Policy {
    FailureClass kind;
    Same same;
    Then then;
    int usefulness;
    Key key = Key::same;
};

const RetryPlan::Policy& RetryPlan::policy_of(FailureClass kind)
{
    static constexpr std::array<Policy, 18> policies = {{
        {FailureClass::connect, Same::at_once, Then::next, 0},
        {FailureClass::timeout, Same::never, Then::next, 0},
        {FailureClass::server, Same::backoff, Then::next, 0},
        {FailureClass::overloaded, Same::header_or_backoff, Then::next, 0},
        {FailureClass::rate_limit, Same::header_only, Then::next, 1, Key::other},
        {FailureClass::quota, Same::never, Then::other_provider, 0, Key::other},
        {FailureClass::auth, Same::never, Then::other_provider, 0, Key::other},
        {FailureClass::context_length, Same::never, Then::larger_window, 2},
        {FailureClass::unsupported_param, Same::when_repaired, Then::stop, 2},
        {FailureClass::model_missing, Same::never, Then::next, 0},
        {FailureClass::content_filter, Same::never, Then::content_filter_rule, 2},
        {FailureClass::bad_request, Same::never, Then::stop, 2},
        {FailureClass::protocol, Same::at_once, Then::next, 0},
        {FailureClass::interrupted, Same::at_once, Then::next, 0},
        {FailureClass::busy, Same::never, Then::next, -1},
        {FailureClass::no_descriptors, Same::never, Then::next, -1},   // another may have a connection at hand
        {FailureClass::no_target, Same::never, Then::stop, -1},
        {FailureClass::cancelled, Same::never, Then::stop, 3},
    }};
    return *std::find_if(policies.begin(), policies.end(), [&](const auto& policy) { return policy.kind == kind; });
}

RetryPlan::RetryPlan(std::vector<Candidate> targets, Rules rules, std::function<double()> random, Admissions* admissions)
    : targets_(std::move(targets)), rules_(rules), random_(std::move(random)), admissions_(admissions)
{
}

Admission RetryPlan::admit(std::size_t target)
{
    return admissions_ == nullptr ? Admission{0, {}, {}} : admissions_->admit(target, keys_tried_);
}

bool RetryPlan::usable(std::size_t target) const
{
    const auto& candidate = targets_[target];
    return candidate.capable &&
           std::find(providers_out_.begin(), providers_out_.end(), candidate.provider) == providers_out_.end();
}

RetryPlan::Step RetryPlan::use(std::size_t target, std::size_t key, Steady::duration pause)
{
    attempts_here_ = target == current_ && key == key_ ? attempts_here_ + 1 : 1;
    current_ = target;
    key_ = key;
    ++attempts_;
    return Step{false, false, target, key, pause};
}

RetryPlan::Step RetryPlan::first(Steady::duration left)
{
    std::optional<Admission> soonest;
    for (std::size_t index = 0; index < targets_.size(); ++index) {
        if (!usable(index))
            continue;
        keys_tried_.clear();
        const auto admission = admit(index);
        if (admission.key)
            return use(index, *admission.key);
        if (!soonest || admission.free_in < soonest->free_in)
            soonest = admission;
    }
    if (!soonest)
        return refused(Steady::duration::max(), FailureClass::no_target, left);
    return refused(soonest->free_in, soonest->why, left);
}

// Every target is closed off: a short while is waited for, a long one is told.
RetryPlan::Step RetryPlan::refused(Steady::duration soonest, FailureClass why, Steady::duration left)
{
    if (soonest <= longest_wait_for_target - waited_ && soonest < left) {
        waited_ += soonest;
        return Step{false, true, 0, 0, soonest};
    }
    Failure failure(why, "");
    if (why == FailureClass::no_target && soonest != Steady::duration::max())
        failure.retry_after = std::chrono::ceil<std::chrono::milliseconds>(soonest);
    remember(failure);
    return Step{true, false, current_, key_, {}};
}

RetryPlan::Step RetryPlan::after(const Failure& failure, bool repaired, Steady::duration left)
{
    remember(failure);
    const Step stop{true, false, current_, key_, {}};
    if (failure.after_output || attempts_ >= rules_.most_attempts || left <= Steady::duration::zero())
        return stop;
    const auto& policy = policy_of(failure.kind);
    if (policy.key == Key::other)
        if (const auto step = other_key())
            return *step;
    if (policy.then == Then::other_provider)
        providers_out_.push_back(targets_[current_].provider);
    const auto pause = pause_on_same(failure, policy, repaired);
    if (pause && *pause < left && (admissions_ == nullptr || admissions_->may_retry(current_)))
        return use(current_, key_, *pause);
    const auto next = next_target(policy);
    return next ? *next : stop;
}

std::optional<RetryPlan::Step> RetryPlan::other_key()
{
    keys_tried_.push_back(key_);
    if (admissions_ == nullptr)
        return std::nullopt;
    const auto admission = admit(current_);
    return admission.key ? std::optional(use(current_, *admission.key)) : std::nullopt;
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

std::optional<RetryPlan::Step> RetryPlan::next_target(const Policy& policy)
{
    if (policy.then == Then::stop || (policy.then == Then::content_filter_rule && !rules_.next_after_content_filter))
        return std::nullopt;
    if (policy.then == Then::larger_window)
        too_small_ = std::max(too_small_, targets_[current_].context_window);
    for (auto index = current_ + 1; index < targets_.size(); ++index) {
        if (!usable(index) || targets_[index].context_window <= too_small_)
            continue;
        keys_tried_.clear();
        if (const auto admission = admit(index); admission.key)
            return use(index, *admission.key);
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
