// Embeddings: one target, tried again as the retry plan says, never another model. See gateway_state.hpp.
#include "dure/base/timeout.hpp"
#include "llm/call_spending.hpp"
#include "llm/gateway_state.hpp"
#include "llm/retry_plan.hpp"

namespace dure::llm {

Task<Result<EmbeddingAnswer>> Gateway::embed(const EmbeddingRequest& request, const CallContext& context)
{
    const auto catalog = state_->current();
    const auto* model = catalog->find(request.model.empty() ? catalog->embeddings() : request.model);
    if (model == nullptr || !model->embeds)
        co_return unknown_model(request.model);
    const auto& target = model->targets.front();   // never another model by fallback: vectors would not fit together
    const auto& entry = catalog->provider(target.provider);
    EmbeddingCall call(context);
    if (state_->budget != nullptr && !target.in_process && state_->budget->limits(spender_of(context))) {
        auto given = co_await state_->budget->reserve(spender_of(context), embedding_wish(target, request));
        if (!given)
            co_return given.error();
        call.reserved = std::move(*given);
    }
    auto refusal = Bulkhead::Refusal::deadline;
    const auto slot = co_await entry.running->enter(context.deadline, refusal);
    if (!slot)
        co_return to_error(Failure(FailureClass::busy, ""));
    EmbeddingEnd end(model->info.id, target, state_->metrics);
    ModelAdmissions admissions(*model, Steady::now());
    std::vector<RetryPlan::Candidate> alone{{target.provider, 0, true}};
    RetryPlan plan(std::move(alone), {model->attempts, false}, random_fraction, &admissions);
    for (auto step = plan.first(context.deadline.left());;) {
        if (step.stop)
            co_return end.failed(to_error(plan.most_useful()));
        co_await sleep_for(step.pause);
        admissions.look_at_clock();
        if (step.again) {
            step = plan.first(context.deadline.left());
            continue;
        }
        Admitted admitted(target, step.key, state_->metrics);
        admitted.goes_out();
        EmbeddingNote note(state_->attempt_log, Tried{target, step.key, model->info.id, admissions.now()}, call);
        auto failure = co_await entry.provider->embed(target, step.key, request, context, call.answer);
        if (failure)
            hide_own_secrets(*failure, entry.settings);
        admissions.look_at_clock();
        admitted.ended(failure, admissions.now());
        if (!note.ended(failure, admissions.now()))
            co_await note.kept();
        if (!failure) {
            end.answered(call.answer.usage);
            call.answer.attempts = static_cast<int>(call.attempts);
            co_return std::move(call.answer);
        }
        const bool repaired =
            failure->kind == FailureClass::unsupported_param && entry.provider->repair(target, *failure);
        step = plan.after(*failure, repaired, context.deadline.left());
    }
}

}  // namespace dure::llm
