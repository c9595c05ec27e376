// Attempts: multi-row inserts; see attempts.hpp.
#include "dure/store/attempts.hpp"

#include "store/batch_insert.hpp"
#include "store/oldest_rows.hpp"

namespace dure::store {

namespace {

constexpr std::size_t columns_of_attempts = 19;

void append_attempt_params(std::vector<sql::Param>& params, const model::AttemptRow& row)
{
    for (const sql::Param& param : std::array<sql::Param, columns_of_attempts>{
             row.request_id, row.user_id, row.model, row.target, row.provider_key, row.number, row.failure, row.status,
             row.upstream_request_id, row.started_at, row.first_output_ms, row.duration_ms, row.prompt_tokens,
             row.completion_tokens, row.cached_tokens, row.reasoning_tokens, row.estimated, row.cost_nano,
             row.price_version})
        params.push_back(param);
}

}  // namespace

Result<void> Attempts::insert(std::span<const model::AttemptRow> rows)
{
    static const BatchInsert batches(
        "INSERT INTO attempts (request_id, user_id, model, target, provider_key, number, class, status, "
        "upstream_request_id, started_at, first_output_ms, duration_ms, prompt_tokens, completion_tokens, "
        "cached_tokens, "
        "reasoning_tokens, estimated, cost_nano, price_version) VALUES ",
        columns_of_attempts);
    return batches.insert(connection_, rows, append_attempt_params);
}

Result<std::int64_t> Attempts::forget(UnixMillis before, std::int64_t most)
{
    return forget_oldest(connection_, "attempts", "started_at", before, most);
}

}  // namespace dure::store
