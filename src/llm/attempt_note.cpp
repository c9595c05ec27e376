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

model::AttemptRow row_of(const Target& target, std::size_t key, std::string_view model, const CallContext& context,
                         Steady::time_point started, const model::Usage& usage, const MaybeFailure& failure)
{
    model::AttemptRow row;
    row.request_id = context.request_id;
    row.user_id = context.user_id;
    row.model = model;
    row.target = target.label();
    row.provider_key = static_cast<std::int64_t>(key);
    row.failure = failure ? name_of(failure->kind) : std::string_view("success");
    row.status = failure ? failure->status : target.in_process ? 0 : 200;
    row.duration_ms = milliseconds_between(started, Steady::now());
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

AttemptNote::AttemptNote(AttemptLog* log, const Target& target, std::size_t key, std::string_view model, const Ask& ask,
                         Reply& reply)
    : log_(log), target_(target), key_(key), model_(model), ask_(ask), reply_(reply)
{}

AttemptNote::~AttemptNote()
{
    if (ended_)
        return;
    auto cancelled = settled_row(Failure(FailureClass::cancelled, ""));
    if (log_ != nullptr)
        log_->add_now(std::move(cancelled));
}

Task<void> AttemptNote::ended(const MaybeFailure& failure)
{
    ended_ = true;
    auto row = settled_row(failure);
    if (log_ != nullptr)
        co_await log_->add(std::move(row));
}

model::AttemptRow AttemptNote::settled_row(const MaybeFailure& failure)
{
    auto& usage = reply_.completion.usage;
    const bool unused = failure && nothing_was_used(*failure);
    settle(reply_.completion, ask_, target_.prices, unused ? AttemptEnd::failed_before_output : AttemptEnd::whole);
    auto row = row_of(target_, key_, model_, ask_.context, started_, usage, failure);
    row.number = reply_.completion.attempts;
    row.upstream_request_id = redact(reply_.completion.upstream_request_id);   // whatever the upstream put there
    if (reply_.first_output_at())
        row.first_output_ms = milliseconds_between(started_, *reply_.first_output_at());
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

EmbeddingNote::EmbeddingNote(AttemptLog* log, const Target& target, std::size_t key, std::string_view model,
                             EmbeddingCall& call)
    : log_(log), target_(target), key_(key), model_(model), call_(call)
{
    call_.answer = {};
    ++call_.attempts;
}

EmbeddingNote::~EmbeddingNote()
{
    if (ended_)
        return;
    auto cancelled = settled_row(Failure(FailureClass::cancelled, ""));
    if (log_ != nullptr)
        log_->add_now(std::move(cancelled));
}

Task<void> EmbeddingNote::ended(const MaybeFailure& failure)
{
    ended_ = true;
    auto row = settled_row(failure);
    if (log_ != nullptr)
        co_await log_->add(std::move(row));
}

// The parts of a call that were answered are paid, also when another one was not; the tokens of a failed attempt are none of
// the answer's.
model::AttemptRow EmbeddingNote::settled_row(const MaybeFailure& failure)
{
    auto& usage = call_.answer.usage;
    if (!failure && !usage.cost_nano)
        usage.cost_nano = cost_nano(usage, target_.prices);
    call_.spent.cost_nano += usage.cost_nano.value_or(0);
    if (!failure || failure->kind == FailureClass::cancelled)
        call_.spent.tokens += usage.total();
    auto row = row_of(target_, key_, model_, call_.context, started_, usage, failure);
    row.number = call_.attempts;
    return row;
}

}  // namespace dure::llm
