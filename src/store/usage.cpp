// Usage: multi-row inserts and sums. Both texts are put together from fixed pieces; values are always bound.
#include "dure/store/usage.hpp"

#include <array>

#include "store/batch_insert.hpp"
#include "store/columns.hpp"
#include "store/oldest_rows.hpp"

namespace dure::store {

namespace {

constexpr std::size_t columns_of_usage = 16;
constexpr UnixMillis one_day = 86'400'000;

void append_usage_params(std::vector<sql::Param>& params, const model::UsageRow& row)
{
    for (const sql::Param& param : std::array<sql::Param, columns_of_usage>{
             row.user_id, row.key_id, row.model, row.target, row.session_id, row.status, row.prompt_tokens,
             row.completion_tokens, row.cached_tokens, row.reasoning_tokens, row.estimated, row.cost_nano,
             row.created_at, row.request_id, row.duration_ms, row.endpoint})
        params.push_back(param);
}

// The names a query groups by, in the order of the answer.
std::vector<std::string> group_names(const UsageQuery& query)
{
    std::vector<std::string> names;
    for (const auto& [wanted, name] : {std::pair(query.by_day, "day_number"), std::pair(query.by_model, "model"),
                                       std::pair(query.by_user, "user_id"), std::pair(query.by_key, "key_id")})
        if (wanted)
            names.emplace_back(name);
    return names;
}

std::string totals_text(const UsageQuery& query)
{
    std::string sql = "SELECT ";
    std::string groups;
    for (const auto& name : group_names(query)) {
        sql += name == "day_number" ? "created_at / " + std::to_string(one_day) + " AS day_number, " : name + ", ";
        groups += (groups.empty() ? "" : ", ") + name;
    }
    sql += "COUNT(*) AS requests";
    for (const std::string column :
         {"prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens", "cost_nano"})
        sql += ", CAST(COALESCE(SUM(" + column + "), 0) AS BIGINT) AS sum_of_" + column;
    sql += " FROM usage WHERE created_at >= $1 AND created_at < $2";
    if (query.user_id)
        sql += " AND user_id = $4";
    if (query.key_id)
        sql += query.user_id ? " AND key_id = $5" : " AND key_id = $4";
    if (!groups.empty())
        sql += " GROUP BY " + groups + " ORDER BY " + groups;
    return sql + " LIMIT $3";
}

model::UsageTotal total_from(const sql::Row& row, const UsageQuery& query)
{
    model::UsageTotal total;
    if (query.by_day)
        total.day = rfc3339(row.integer("day_number") * one_day).substr(0, 10);
    if (query.by_model)
        total.model = row.text("model");
    if (query.by_user)
        total.user_id = row.text("user_id");
    if (query.by_key)
        total.key_id = row.text("key_id");
    total.requests = row.integer("requests");
    total.prompt_tokens = row.integer("sum_of_prompt_tokens");
    total.completion_tokens = row.integer("sum_of_completion_tokens");
    total.cached_tokens = row.integer("sum_of_cached_tokens");
    total.reasoning_tokens = row.integer("sum_of_reasoning_tokens");
    total.cost_nano = row.integer("sum_of_cost_nano");
    return total;
}

}  // namespace

Result<void> Usage::insert(std::span<const model::UsageRow> rows)
{
    static const BatchInsert batches(
        "INSERT INTO usage (user_id, key_id, model, target, session_id, status, prompt_tokens, completion_tokens, "
        "cached_tokens, reasoning_tokens, estimated, cost_nano, created_at, request_id, duration_ms, endpoint) VALUES ",
        columns_of_usage);
    return batches.insert(connection_, rows, append_usage_params);
}

Result<std::int64_t> Usage::forget(UnixMillis before, std::int64_t most)
{
    return forget_oldest(connection_, "usage", "created_at", before, most);
}

Result<std::vector<model::UsageTotal>> Usage::totals(const UsageQuery& query)
{
    std::vector<sql::Param> params{query.from, query.to, std::clamp<std::int64_t>(query.limit, 1, 10'000)};
    if (query.user_id)
        params.emplace_back(*query.user_id);
    if (query.key_id)
        params.emplace_back(*query.key_id);
    return read_all(connection_.query_with(totals_text(query), params),
                    [&query](const sql::Row& row) { return total_from(row, query); });
}

}  // namespace dure::store
