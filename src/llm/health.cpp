// The marks a failure leaves on its target, and how long they last; see health.hpp.
#include "llm/health.hpp"

#include <algorithm>

namespace dure::llm {

namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr minutes quota_pause{10};
constexpr minutes refused_key_pause{5};          // then one probe
constexpr minutes missing_model_pause{5};
constexpr minutes longest_cool_down{10};
constexpr seconds first_cool_down = pause_without_header;
constexpr seconds longest_growing_cool_down{60};
constexpr std::uint32_t fewest_for_share = 10;   // requests before the share of failures counts
constexpr std::chrono::milliseconds probe_wait{100};

// Failures that tell of a target in trouble; those of the caller's making never count.
bool counts_for_breaker(const Failure& failure)
{
    if (!failure.of_the_target)
        return false;
    switch (failure.kind) {
    case FailureClass::connect:
    case FailureClass::timeout:
    case FailureClass::server:
    case FailureClass::overloaded:
    case FailureClass::protocol:
    case FailureClass::interrupted: return true;
    default: return false;
    }
}

std::int64_t second_of(Steady::time_point time)
{
    return std::chrono::duration_cast<seconds>(time.time_since_epoch()).count();
}

}  // namespace

Admission KeyRing::admit(std::size_t key, Steady::time_point now)
{
    if (count_off_.load(std::memory_order_acquire) == 0)
        return {key, {}, {}};
    const std::lock_guard lock(guard_);
    auto& state = keys_[key];
    if (!state.off)
        return {key, {}, {}};
    if (state.until > now)
        return {std::nullopt, state.until - now, *state.off};
    state.until = now + refused_key_pause;   // this one is the probe
    return {key, {}, {}};
}

bool KeyRing::on(std::size_t key, Steady::time_point now) const
{
    if (count_off_.load(std::memory_order_acquire) == 0)
        return true;
    const std::lock_guard lock(guard_);
    return !keys_[key].off || keys_[key].until <= now;
}

void KeyRing::off(std::size_t key, Steady::time_point until, FailureClass why)
{
    const std::lock_guard lock(guard_);
    auto& state = keys_[key];
    if (!state.off)
        count_off_.fetch_add(1, std::memory_order_release);
    state.off = why;
    state.until = std::max(state.until, until);
}

void KeyRing::works(std::size_t key)
{
    if (count_off_.load(std::memory_order_acquire) == 0)
        return;
    const std::lock_guard lock(guard_);
    if (!keys_[key].off)
        return;
    keys_[key].off.reset();
    count_off_.fetch_sub(1, std::memory_order_release);
}

TargetHealth::TargetHealth(std::shared_ptr<KeyRing> keys, Rules rules)
    : ring_(std::move(keys)), rules_(rules), keys_(ring_->size())
{}

Admission TargetHealth::admit(Steady::time_point now, std::span<const std::size_t> tried)
{
    const std::lock_guard lock(guard_);
    if (missing_until_ > now)
        return {std::nullopt, missing_until_ - now, FailureClass::model_missing};
    if (times_opened_ > 0 && open_until_ > now)
        return {std::nullopt, open_until_ - now, FailureClass::no_target};
    if (probing_)
        return {std::nullopt, probe_wait, FailureClass::no_target};
    std::optional<Admission> refusal;
    for (std::size_t i = 0; i < keys_.size(); ++i) {
        const auto key = (turn_ + i) % keys_.size();
        if (std::find(tried.begin(), tried.end(), key) != tried.end())
            continue;
        auto admission = keys_[key].cooled_until > now
                             ? Admission{std::nullopt, keys_[key].cooled_until - now, FailureClass::no_target}
                             : ring_->admit(key, now);
        if (admission.key) {
            turn_ = (key + 1) % keys_.size();
            probing_ = times_opened_ > 0;
            return admission;
        }
        if (!refusal || admission.free_in < refusal->free_in)
            refusal = admission;
    }
    return refusal.value_or(Admission{std::nullopt, longest_cool_down, FailureClass::no_target});
}

bool TargetHealth::open(Steady::time_point now) const
{
    const std::lock_guard lock(guard_);
    if (missing_until_ > now || probing_ || (times_opened_ > 0 && open_until_ > now))
        return false;
    for (std::size_t key = 0; key < keys_.size(); ++key)
        if (keys_[key].cooled_until <= now && ring_->on(key, now))
            return true;
    return false;
}

bool TargetHealth::may_retry()
{
    const std::lock_guard lock(guard_);
    return times_opened_ == 0;
}

std::optional<Steady::duration> TargetHealth::overtaken(std::size_t key, Steady::time_point now, Era began) const
{
    const std::lock_guard lock(guard_);
    auto until = keys_[key].cooled_until;
    if (began != era() && times_opened_ > 0)
        until = std::max(until, std::max(open_until_, now + probe_wait));
    return until > now ? std::optional(until - now) : std::nullopt;
}

void TargetHealth::note(std::size_t key, const MaybeFailure& failure, Steady::time_point now, Era began)
{
    if (!failure)
        ring_->works(key);
    else if (failure->kind == FailureClass::auth)
        ring_->off(key, now + refused_key_pause, FailureClass::auth);
    else if (failure->kind == FailureClass::quota)
        ring_->off(key, now + quota_pause, FailureClass::quota);
    const std::lock_guard lock(guard_);
    const bool of_now = began == era();
    const bool was_probe = of_now && std::exchange(probing_, false);
    if (!failure) {
        keys_[key].limits_in_a_row = 0;
        if (of_now) {
            failures_in_a_row_ = 0;
            times_opened_ = 0;
            count(false, now);
        }
        return;
    }
    if (failure->kind == FailureClass::model_missing)
        missing_until_ = now + missing_model_pause;
    if (failure->kind == FailureClass::rate_limit ||
        (failure->kind == FailureClass::overloaded && failure->retry_after))
        cool(key, *failure, now);
    if (!counts_for_breaker(*failure) || rules_.failures == 0 || !of_now)
        return;
    count(true, now);
    ++failures_in_a_row_;
    if (was_probe || failures_in_a_row_ >= rules_.failures || mostly_fails(now))
        open_breaker(now);
}

void TargetHealth::speaks(Era began)
{
    const std::lock_guard lock(guard_);
    if (began != era() || !std::exchange(probing_, false))
        return;   // no success yet: one that always breaks off behind its first words counts as failing
    times_opened_ = 0;
    failures_in_a_row_ = 0;
}

void TargetHealth::abandoned(Era began)
{
    const std::lock_guard lock(guard_);
    if (began == era())
        probing_ = false;
}

TargetHealth::Breaker TargetHealth::breaker(Steady::time_point now)
{
    const std::lock_guard lock(guard_);
    if (times_opened_ == 0)
        return Breaker::closed;
    return open_until_ > now ? Breaker::open : Breaker::half_open;
}

// The later deadline always wins. Without a header the pause grows with each time the key is found to be limited; those that were under way
// together find it once.
void TargetHealth::cool(std::size_t key, const Failure& failure, Steady::time_point now)
{
    auto& state = keys_[key];
    Steady::duration pause{};
    if (failure.retry_after || failure.limit_reset) {
        pause = std::max<Steady::duration>(failure.retry_after.value_or(std::chrono::milliseconds(0)),
                                           failure.limit_reset.value_or(std::chrono::milliseconds(0)));
        pause = std::min<Steady::duration>(pause, longest_cool_down);
    } else if (state.cooled_until <= now) {
        pause = std::min<Steady::duration>(first_cool_down * (1 << std::min(state.limits_in_a_row, 4)),
                                           longest_growing_cool_down);
        ++state.limits_in_a_row;
    }
    state.cooled_until = std::max(state.cooled_until, now + pause);
}

Steady::duration TargetHealth::cooled_for(std::size_t key, Steady::time_point now)
{
    const std::lock_guard lock(guard_);
    return std::max(keys_[key].cooled_until - now, Steady::duration::zero());
}

void TargetHealth::count(bool failed, Steady::time_point now)
{
    const auto number = second_of(now);
    auto& second = seconds_[static_cast<std::size_t>(number) % seconds_.size()];
    if (second.number != number)
        second = {number, 0, 0};
    ++second.all;
    second.failed += failed ? 1 : 0;
}

bool TargetHealth::mostly_fails(Steady::time_point now) const
{
    const auto number = second_of(now);
    std::uint32_t all = 0;
    std::uint32_t failed = 0;
    for (const auto& second : seconds_) {
        if (second.number <= number - static_cast<std::int64_t>(seconds_.size()))
            continue;
        all += second.all;
        failed += second.failed;
    }
    return all >= fewest_for_share && failed * 2 >= all;
}

void TargetHealth::open_breaker(Steady::time_point now)
{
    const auto pause = std::min(rules_.open * (1 << std::min(times_opened_, 20)), rules_.max_open);
    ++times_opened_;
    era_.fetch_add(1, std::memory_order_relaxed);
    open_until_ = now + pause;
    failures_in_a_row_ = 0;
    seconds_.fill(Second());
}

}  // namespace dure::llm
