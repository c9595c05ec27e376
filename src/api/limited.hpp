// The counters of refusals by a limit, one for each kind of limit; those of tokens and cost are the composition root's.
#pragma once

#include <string>

#include "dure/metrics/registry.hpp"

namespace dure::api {

inline metrics::Counter& limited_counter(metrics::Registry& registry, const std::string& scope)
{
    return registry.counter("dure_rate_limited_total", "Requests refused by a limit", {{"scope", scope}});
}

}  // namespace dure::api
