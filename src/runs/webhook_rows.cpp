// See webhook_rows.hpp.
#include "runs/webhook_rows.hpp"

#include "dure/base/json_write.hpp"
#include "dure/base/text.hpp"

namespace dure::runs {

namespace {

Result<bool> found_any(const Result<sql::Rows>& rows)
{
    if (!rows)
        return rows.error();
    return !rows->empty();
}

Result<void> changed_rows(const Result<std::int64_t>& changed)
{
    if (!changed)
        return changed.error();
    return {};
}

// What is posted of a run that is not an execution of a flow.
Json end_view(const Run& run)
{
    return Json{{"run_id", run.id},
                {"thread_id", run.thread},
                {"status", name_of(run.status)},
                {"output", run.output.value_or(Json())},
                {"error", run.error.value_or(Json())},
                {"created_at", rfc3339(run.created_at)},
                {"started_at", run.started_at ? Json(rfc3339(*run.started_at)) : Json()},
                {"ended_at", run.ended_at ? Json(rfc3339(*run.ended_at)) : Json()}};
}

}  // namespace

Webhook webhook_of(std::string run, std::string graph, std::string url, const Json& view, UnixMillis ended_at)
{
    Webhook webhook;
    webhook.body = dump(view);
    webhook.id = hex(sha256(run + "/" + std::to_string(ended_at) + "/" + webhook.body)).substr(0, 32);
    webhook.run = std::move(run);
    webhook.graph = std::move(graph);
    webhook.url = std::move(url);
    webhook.created_at = ended_at;
    return webhook;
}

Result<void> WebhookRows::add(const Webhook& webhook)
{
    return changed_rows(connection_.execute(
        "INSERT INTO graph_webhooks (id, run_id, graph, url, body, tries, created_at, due_at) VALUES ($1, $2, $3, $4, $5, "
        "0, $6, $6) ON CONFLICT (id) DO NOTHING",
        webhook.id, webhook.run, webhook.graph, webhook.url, webhook.body, webhook.created_at));
}

Result<bool> WebhookRows::any_due(const WebhookMoment& moment, const std::string& graphs)
{
    return found_any(connection_.query("SELECT 1 FROM graph_webhooks WHERE due_at <= $1 AND "
                                       "(lease_until <= $2 OR lease_until > $3) AND "
                                       "substr(graph, 1, length($4)) = $4 LIMIT 1",
                                       moment.now, moment.lease_now, moment.lease_longest, graphs));
}

Result<std::vector<Webhook>> WebhookRows::claim(const Claim& claim)
{
    const bool postgres = connection_.dialect() == sql::Dialect::postgres;
    const std::string without =
        postgres ? "SELECT json_array_elements_text($5::json)" : "SELECT value FROM json_each($5)";
    // The middle one looks again: another sender may have changed a row since the inner one saw it.
    const auto sql =
        "UPDATE graph_webhooks SET tries = tries + 1, lease_until = $2 WHERE id IN (SELECT id FROM graph_webhooks "
        "WHERE due_at <= $1 AND (lease_until <= $7 OR lease_until > $8) AND id IN (SELECT id FROM (SELECT id, "
        "row_number() OVER (PARTITION BY owner ORDER BY due_at) AS place FROM (SELECT w.id, w.due_at, "
        "COALESCE(r.owner_id, '') AS owner FROM graph_webhooks w LEFT JOIN graph_runs r ON r.id = w.run_id "
        "WHERE w.due_at <= $1 AND (w.lease_until <= $7 OR w.lease_until > $8) AND "
        "substr(w.graph, 1, length($4)) = $4 AND COALESCE(r.owner_id, '') NOT IN (" +
        without + ") ORDER BY w.due_at LIMIT 1000) AS due) AS placed WHERE place <= $6) ORDER BY due_at LIMIT $3" +
        (postgres ? " FOR UPDATE SKIP LOCKED" : "") +
        ") RETURNING id, run_id, graph, url, body, tries, created_at, "
        "COALESCE((SELECT owner_id FROM graph_runs WHERE graph_runs.id = graph_webhooks.run_id), '')";
    const auto& moment = claim.moment;
    const auto rows = connection_.query(sql, moment.now, moment.lease_until, claim.limit, claim.graphs,
                                        json_text(Json(claim.without_owners)), claim.limit_of_one, moment.lease_now,
                                        moment.lease_longest);
    if (!rows)
        return rows.error();
    std::vector<Webhook> claimed;
    for (const auto row : *rows)
        claimed.push_back({row.text(0), row.text(1), row.text(2), row.text(3), row.text(4), row.integer(5),
                           row.integer(6), row.text(7)});
    return claimed;
}

Result<void> WebhookRows::put_off(const Webhook& webhook, UnixMillis due_at)
{
    return changed_rows(
        connection_.execute("UPDATE graph_webhooks SET due_at = $3, lease_until = 0 WHERE id = $1 AND tries = $2",
                            webhook.id, webhook.tries, due_at));
}

Result<void> WebhookRows::remove(const std::string& id)
{
    return changed_rows(connection_.execute("DELETE FROM graph_webhooks WHERE id = $1", id));
}

Result<bool> WebhookRows::any(const std::string& graphs)
{
    return found_any(
        connection_.query("SELECT 1 FROM graph_webhooks WHERE substr(graph, 1, length($1)) = $1 LIMIT 1", graphs));
}

bool may_name_webhook(std::string_view options)
{
    return options.find("\"webhook\"") != std::string_view::npos;
}

Result<void> tell_end(sql::Connection& connection, const Run& ended)
{
    const auto address = ended.options.find(webhook_option);
    if (address == ended.options.end() || !address->is_string() || !ended.ended_at)
        return {};
    return WebhookRows(connection)
        .add(webhook_of(ended.id, ended.graph, address->get<std::string>(), end_view(ended), *ended.ended_at));
}

}  // namespace dure::runs
