// See state_metrics.hpp.
#include "app/state_metrics.hpp"

namespace dure::app {

void show_state(metrics::Registry& registry, WatchedParts parts)
{
    const auto gauge = [&registry](const char* name, const char* help) { return &registry.gauge(name, help); };
    auto* const waiting = gauge("dure_database_units_waiting", "Units of work that wait for a database thread");
    auto* const threads = gauge("dure_database_threads", "Database threads, each with its own connection");
    auto* const idle = gauge("dure_database_threads_idle", "Database threads that wait for work");
    auto* const rows = gauge("dure_usage_rows_waiting", "Usage rows that are not written yet");
    auto* const dropped = gauge("dure_usage_rows_dropped", "Usage rows that could not be written, since the start");
    auto* const attempts = gauge("dure_attempt_rows_waiting", "Rows of attempts at model providers that are not written yet");
    auto* const attempts_dropped =
        gauge("dure_attempt_rows_dropped", "Rows of attempts that could not be written, since the start");
    auto* const counted =
        gauge("dure_audit_refusals_only_counted", "Refused permissions without an event, since the start");
    auto* const redis = parts.redis ? gauge("dure_redis_available", "1 while Redis answers and takes writes") : nullptr;
    registry.before_text([=] {
        const auto pool = parts.database.threads();
        waiting->set(static_cast<double>(parts.database.queued()));
        threads->set(static_cast<double>(pool.all));
        idle->set(static_cast<double>(pool.idle));
        rows->set(static_cast<double>(parts.usage.waiting()));
        dropped->set(static_cast<double>(parts.usage.dropped()));
        attempts->set(static_cast<double>(parts.attempts.waiting()));
        attempts_dropped->set(static_cast<double>(parts.attempts.dropped()));
        counted->set(static_cast<double>(parts.audit.refusals_only_counted()));
        if (redis)
            redis->set(parts.redis->available() ? 1 : 0);
    });
}

std::function<void(std::string_view scope)> count_refusals(metrics::Registry& registry)
{
    const auto counter = [&registry](const char* scope) {
        return &registry.counter("dure_rate_limited_total", "Requests refused by a limit", {{"scope", scope}});
    };
    return [tokens = counter("tokens"), cost = counter("cost")](std::string_view scope) {
        (scope == "cost" ? cost : tokens)->increment();
    };
}

}  // namespace dure::app
