// What has to be on record although it changes nothing (threat-model §8): refused permissions, reading the data of others,
// and tool runs that belong to no recorded turn. Each is an event; docs/events.md has their data.
//   refused(): told after the decision; a flood of refusals leaves a bounded number of events and a count of the rest
//   read_of_others(): before the answer; what cannot be put on record is not answered
//   tool_runs(): all runs of one answer in one transaction
// Thread-safe; awaited on a core.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "dure/base/clock.hpp"
#include "dure/base/error.hpp"
#include "dure/base/json.hpp"
#include "dure/base/log.hpp"
#include "dure/base/task.hpp"
#include "dure/model/event.hpp"

namespace dure::events {

class Journal;

// What was asked for: the route as it is declared, never the address with its ids and queries.
struct AccessRequest {
    std::string method;
    std::string route;
};

struct ToolRun {
    std::string name;
    std::string arguments;  // as they were sent; only their SHA-256 is stored
    bool success = false;
    std::int64_t duration_ms = 0;
    bool approved = false;  // a person was asked for this very call, and allowed it
};

class AccessAudit {
public:
    struct Limits {
        std::int64_t refusals_of_one = 10;  // events a minute of one user
        std::int64_t refusals_of_all = 100;  // events a minute of this process
        std::size_t reads_remembered = 10000;  // the same read again within a minute leaves no second event
    };

    // Journal, clock and logger must outlive it.
    AccessAudit(Journal& journal, const Clock& clock, Logger& logger);
    AccessAudit(Journal& journal, const Clock& clock, Logger& logger, Limits limits);

    // PermissionDenied. A failure to store it is logged: the refusal stands either way. `needed` empty: not one permission.
    Task<void> refused(model::Actor actor, AccessRequest request, std::string needed);
    // DataOfOthersRead; `subject` is the id of the user or aggregate that was read, empty: of everybody.
    Task<Result<void>> read_of_others(model::Actor actor, AccessRequest request, std::string subject);
    // ToolExecuted, one per run.
    Task<Result<void>> tool_runs(model::Actor actor, std::vector<ToolRun> runs);

    // ConfigurationReloaded; `what` says what was read again and how that went.
    Task<Result<void>> configuration_reloaded(model::Actor actor, Json what);

    // Refusals that left no event, for metrics.
    std::uint64_t refusals_only_counted() const { return only_counted_.load(); }

private:
    // The refusals counted since the last event when this one may leave an event; empty: it may not.
    std::optional<std::int64_t> may_record_refusal(const std::string& user_id);
    bool first_read(const std::string& what);
    void begin_minute();

    Journal& journal_;
    const Clock& clock_;
    Logger& logger_;
    const Limits limits_;
    std::mutex guard_;
    Steady::time_point minute_begin_;
    std::unordered_map<std::string, std::int64_t> refusals_;  // of each user in this minute; bounded by refusals_of_all
    std::int64_t all_refusals_ = 0;
    std::int64_t not_recorded_ = 0;  // since the last event
    std::unordered_set<std::string> reads_;  // in this minute
    std::atomic<std::uint64_t> only_counted_{0};
};

}  // namespace dure::events
