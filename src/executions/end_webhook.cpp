// See end_webhook.hpp.
#include "executions/end_webhook.hpp"

#include "dure/runs/webhooks.hpp"
#include "executions/execution_events.hpp"
#include "executions/execution_rows.hpp"
#include "executions/service_state.hpp"

namespace dure::executions {

Result<void> tell_webhook(sql::Connection& connection, const Execution& ended, UnixMillis now)
{
    if (ended.webhook.empty() || (!has_ended(ended.status) && ended.status != Status::waiting))
        return {};
    return runs::Webhooks::add_in(connection, runs::webhook_of(ended.id, std::string(graph_prefix) + ended.flow_id,
                                                               ended.webhook, to_json(ended), now));
}

Result<void> ExecutionService::State::check_webhook(const std::string& webhook) const
{
    if (webhook.empty())
        return {};
    auto checked = parts.check_webhook ? parts.check_webhook(webhook)
                                       : Error(Errc::invalid_argument, "Webhooks are not posted here.");
    if (checked)
        return {};
    const auto& message = checked.error().message();
    return Error(Errc::invalid_argument, message).param("webhook").problem({{"body", "webhook"}, message, "value_error"});
}

// The event has one id however often it is told.
Task<Result<void>> ExecutionService::webhook_given_up(runs::Webhook webhook, std::string cause)
{
    if (!webhook.graph.starts_with(graph_prefix))
        co_return Result<void>();
    const auto execution = co_await find(webhook.run, "");
    if (!execution && execution.error().code() == Errc::not_found)
        co_return Result<void>();   // forgotten meanwhile
    if (!execution)
        co_return execution.error();
    auto event = execution_webhook_failed(*execution, cause);
    event.event_id = event_id_for(webhook.created_at, webhook.id + "/given up");
    const auto told = co_await state_->parts.journal.append(std::move(event));
    if (!told)
        co_return told.error();
    co_return Result<void>();
}

}  // namespace dure::executions
