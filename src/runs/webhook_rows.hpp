// WebhookRows: ends of runs that are still to be posted; SQL beside the method. See webhooks.hpp.
#pragma once

#include "dure/runs/webhooks.hpp"
#include "dure/sql/connection.hpp"

namespace dure::runs {

struct WebhookMoment {
    UnixMillis now = 0;   // of the wall clock: what is due
    // Of LeaseClock: nobody else makes the try before its lease ends.
    UnixMillis lease_now = 0, lease_until = 0;
    UnixMillis lease_longest = 0;   // one that ends later is not of this clock, and over
};

class WebhookRows {
public:
    explicit WebhookRows(sql::Connection& connection) : connection_(connection) {}

    // An end that is there already is left as it is.
    Result<void> add(const Webhook& webhook);
    Result<bool> any_due(const WebhookMoment& moment, const std::string& graphs);
    struct Claim {
        WebhookMoment moment;
        std::int64_t limit = 1;
        std::int64_t limit_of_one = 1;   // owner
        std::vector<std::string> without_owners;
        std::string graphs;
    };
    // Counts a try of each. Those of one owner that wait in masses are looked at a part at a time: fewer than the limit do not
    // mean that there are no more, none does.
    Result<std::vector<Webhook>> claim(const Claim& claim);
    // Unless somebody else makes a later try by now.
    Result<void> put_off(const Webhook& webhook, UnixMillis due_at);
    Result<void> remove(const std::string& id);
    Result<bool> any(const std::string& graphs);

private:
    sql::Connection& connection_;
};

// For a run that has just ended; nothing when its options name no address.
Result<void> tell_end(sql::Connection& connection, const Run& ended);
// Whether the text of a run's options may name one: to be asked before it is read.
bool may_name_webhook(std::string_view options);

}  // namespace dure::runs
