// WebhookRows: ends of runs that are still to be posted; SQL beside the method. See webhooks.hpp.
#pragma once

#include "dure/runs/webhooks.hpp"
#include "dure/sql/connection.hpp"

namespace dure::runs {

class WebhookRows {
public:
    explicit WebhookRows(sql::Connection& connection) : connection_(connection) {}

    // An end that is there already is left as it is.
    Result<void> add(const Webhook& webhook);
    Result<bool> any_due(UnixMillis now, const std::string& graphs);
    // Counts a try of each, and holds them until then.
    Result<std::vector<Webhook>> claim(UnixMillis now, UnixMillis until, std::int64_t limit, const std::string& graphs);
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
