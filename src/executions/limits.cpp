// See limits.hpp.
#include "executions/limits.hpp"

#include <algorithm>
#include <cmath>

namespace dure::executions {

namespace {

// The flow's number if it has a positive one, else `otherwise`.
double own_limit(const flows::Document& document, const char* name, double otherwise)
{
    if (!document.limits.is_object())
        return otherwise;
    const auto found = document.limits.find(name);
    if (found == document.limits.end() || !found->is_number() || found->get<double>() <= 0)
        return otherwise;
    return found->get<double>();
}

std::int64_t whole(double number, std::int64_t most)
{
    return static_cast<std::int64_t>(std::min(number, static_cast<double>(most)));
}

}  // namespace

Limits limits_of(const flows::Document& document, const config::Flows& settings)
{
    constexpr std::int64_t no_bound = 1'000'000'000'000'000;
    Limits limits;
    limits.max_steps = whole(own_limit(document, "max_steps", default_steps), settings.max_steps);
    limits.timeout_ms = whole(own_limit(document, "timeout_ms", static_cast<double>(settings.run_timeout.count())),
                              settings.run_timeout.count());
    limits.max_parallel =
        whole(own_limit(document, "max_parallel", static_cast<double>(settings.max_parallel)), settings.max_parallel);
    limits.max_tokens = whole(own_limit(document, "max_tokens", 0), no_bound);
    limits.max_cost_nano = whole(own_limit(document, "max_cost_usd", 0) * 1e9, no_bound);
    limits.max_model_calls = most_model_calls;
    return limits;
}

}  // namespace dure::executions
