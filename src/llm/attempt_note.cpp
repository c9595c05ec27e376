// See attempt_note.hpp.
#include "llm/attempt_note.hpp"

#include "dure/base/log.hpp"
#include "llm/price.hpp"
#include "llm/settlement.hpp"

namespace dure::llm {

namespace {

std::int64_t milliseconds_between(Steady::time_point begin, Steady::time_point end)
{
    return std::chrono::duration_cast<std::chrono::milliseconds>(end - begin).count();
}

model::AttemptRow row_of(const Tried& tried, const CallContext& context, const model::Usage& usage,
                         const MaybeFailure& failure, Steady::time_point now)
{
    const auto& target = tried.target;
    model::AttemptRow row;
    row.request_id = context.request_id;
    row.user_id = context.user_id;
    row.model = tried.model;
    row.target = target.label;
    row.provider_key = static_cast<std::int64_t>(tried.key);
    row.failure = failure ? name_of(failure->kind) : std::string_view("success");
    row.status = failure ? failure->status : target.in_process ? 0 : 200;
    row.duration_ms = milliseconds_between(tried.started, now);
    row.started_at = SystemClock().now() - row.duration_ms;
    row.prompt_tokens = usage.prompt_tokens;
    row.completion_tokens = usage.completion_tokens;
    row.cached_tokens = usage.cached_tokens;
    row.reasoning_tokens = usage.reasoning_tokens;
    row.estimated = usage.estimated;
    row.cost_nano = usage.cost_nano.value_or(0);
    row.price_version = target.price_version;
    return row;
}

// Without the client there is nobody whose first output it could be: what came is charged.
bool nothing_was_used(const Failure& failure)
{
    return !failure.after_output && failure.kind != FailureClass::cancelled;
}

}  // namespace

model::AttemptRow ChatAttempt::settled_row(const MaybeFailure& failure, Steady::time_point now)
{
    auto& usage = reply_.completion.usage;
    const bool unused = failure && nothing_was_used(*failure);
    settle(reply_.completion, ask_, tried_.target.prices, unused ? AttemptEnd::failed_before_output : AttemptEnd::whole);
    auto row = row_of(tried_, ask_.context, usage, failure, now);
    row.number = reply_.completion.attempts;
    row.upstream_request_id = redact(reply_.completion.upstream_request_id);   // whatever the upstream put there
    if (reply_.first_output_at())
        row.first_output_ms = milliseconds_between(tried_.started, *reply_.first_output_at());
    if (unused) {   // the tokens are none of the answer's; what they cost is a part of the request's cost
        reply_.cost_of_failed += usage.cost_nano.value_or(0);
        usage = {};
    }
    return row;
}

EmbeddingCall::~EmbeddingCall()
{
    if (reserved)
        reserved->settle(spent);
}

// The parts of a call that were answered are paid, also when another one was not; the tokens of a failed attempt are none of
// the answer's.
model::AttemptRow EmbeddingAttempt::settled_row(const MaybeFailure& failure, Steady::time_point now)
{
    auto& usage = call_.answer.usage;
    if (!failure && !usage.cost_nano)
        usage.cost_nano = cost_nano(usage, tried_.target.prices);
    call_.spent.cost_nano += usage.cost_nano.value_or(0);
    if (!failure || failure->kind == FailureClass::cancelled)
        call_.spent.tokens += usage.total();
    auto row = row_of(tried_, call_.context, usage, failure, now);
    row.number = call_.attempts;
    return row;
}

}  // namespace dure::llm
