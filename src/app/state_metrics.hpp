// What parts of the process know about themselves, as gauges that are read when somebody looks at the metrics.
#pragma once

#include <functional>
#include <string_view>

#include "dure/events/access_audit.hpp"
#include "dure/metrics/registry.hpp"
#include "dure/redis/client.hpp"
#include "dure/sql/database.hpp"
#include "dure/store/attempt_writer.hpp"
#include "dure/store/usage_writer.hpp"

namespace dure::app {

struct WatchedParts {
    const sql::Database& database;
    const store::UsageWriter& usage;
    const store::AttemptWriter& attempts;
    const events::AccessAudit& audit;
    const redis::Client* redis;   // null: there is none
};

// The parts are there whenever the registry's text is asked for.
void show_state(metrics::Registry& registry, WatchedParts parts);

// Counts refusals by limits on tokens and cost beside those that the API counts; for any thread.
std::function<void(std::string_view scope)> count_refusals(metrics::Registry& registry);

}  // namespace dure::app
