// Guesses; see guesses.hpp. One short lock; logins are rare beside the hashing they cause.
#include "dure/auth/guesses.hpp"

#include <mutex>
#include <string>

#include "auth/bounded_map.hpp"

namespace dure::auth {

namespace guessing {

using std::chrono::seconds;

struct Account {
    std::int64_t failures = 0;
    Steady::time_point last;
    bool refused = false;   // since the last attempt
};

struct Window {
    Steady::time_point begin;
    std::int64_t count = 0;
    bool refused = false;
};

seconds rounded_up(Steady::duration left)
{
    return std::max(seconds(1), std::chrono::ceil<seconds>(left));
}

// What is due after so many failures.
seconds wait_after(std::int64_t failures, std::int64_t free)
{
    if (failures < free)
        return seconds(0);
    const auto doublings = std::min<std::int64_t>(failures - free, 10);
    return std::min(Guesses::longest_wait, seconds(std::int64_t{1} << doublings));
}

}  // namespace guessing

struct Guesses::State {
    State(const Clock& time, const config::Limits& wanted, std::size_t entries)
        : clock(time), limits(wanted), accounts(entries), windows(entries)
    {}

    guessing::Window& window(std::string_view what, std::string_view whom, std::chrono::seconds length)
    {
        auto& window = windows.use(std::string(what) + ' ' + std::string(whom));
        const auto now = clock.steady_now();
        if (window.count == 0 || now - window.begin >= length)
            window = {now, 0, false};
        return window;
    }

    // The time an account has to wait; starts it anew after a day of quiet.
    Steady::duration left_of(guessing::Account& account) const
    {
        const auto quiet = clock.steady_now() - account.last;
        if (account.failures > 0 && quiet >= forgotten_after)
            account = {};
        return guessing::wait_after(account.failures, limits.login_failures_per_account) - quiet;
    }

    const Clock& clock;
    const config::Limits limits;
    std::mutex guard;
    BoundedMap<guessing::Account> accounts;
    BoundedMap<guessing::Window> windows;
};

Guesses::Guesses(const Clock& clock, const config::Limits& limits) : Guesses(clock, limits, Options()) {}

Guesses::Guesses(const Clock& clock, const config::Limits& limits, Options options)
    : state_(std::make_unique<State>(clock, limits, options.entries))
{}

Guesses::~Guesses() = default;

Guesses::Verdict Guesses::begin(std::string_view account, std::string_view address)
{
    const std::lock_guard lock(state_->guard);
    const auto now = state_->clock.steady_now();
    auto& from = state_->window("guess", address, address_window);
    if (from.count >= state_->limits.login_failures_per_address)
        return {guessing::rounded_up(address_window - (now - from.begin)),
                !std::exchange(from.refused, true)};
    if (!account.empty()) {
        auto& at = state_->accounts.use(account);
        if (const auto left = state_->left_of(at); at.failures > 0 && left > Steady::duration::zero())
            return {guessing::rounded_up(left), !std::exchange(at.refused, true)};
        at = {at.failures + 1, now, false};
    }
    ++from.count;
    return {};
}

void Guesses::succeeded(std::string_view account, std::string_view address)
{
    const std::lock_guard lock(state_->guard);
    state_->accounts.erase(account);
    auto& from = state_->window("guess", address, address_window);
    from.count = std::max<std::int64_t>(0, from.count - 1);
}

void Guesses::undo(std::string_view account, std::string_view address)
{
    const std::lock_guard lock(state_->guard);
    if (auto* at = state_->accounts.find(account); at && at->failures > 0)
        --at->failures;
    auto& from = state_->window("guess", address, address_window);
    from.count = std::max<std::int64_t>(0, from.count - 1);
}

std::optional<std::chrono::seconds> Guesses::count(std::string_view what, std::string_view whom, std::int64_t most,
                                                   std::chrono::seconds window_length)
{
    const std::lock_guard lock(state_->guard);
    auto& window = state_->window(what, whom, window_length);
    if (window.count >= most)
        return guessing::rounded_up(window_length - (state_->clock.steady_now() - window.begin));
    ++window.count;
    return std::nullopt;
}

}  // namespace dure::auth
