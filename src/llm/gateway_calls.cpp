// One call to its end: through the cache, then target by target as the retry plan says, with still-alive ticks beside it for
// streams, and usage settled at the end whatever happened. See gateway_state.hpp.
//
//   serve -> answer -> try_targets -> attempt -> [slot of the provider] -> Provider::attempt
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include "dure/base/cancellation.hpp"
#include "dure/base/text.hpp"
#include "dure/base/timeout.hpp"
#include "llm/call_spending.hpp"
#include "llm/gateway_state.hpp"
#include "llm/needs.hpp"
#include "llm/retry_plan.hpp"

namespace dure::llm {

namespace {

std::vector<RetryPlan::Candidate> candidates_of(const ModelEntry& model, const std::vector<bool>& capable,
                                                const ModelAdmissions& admissions)
{
    std::vector<RetryPlan::Candidate> all;
    all.reserve(model.targets.size());
    for (std::size_t i = 0; i < model.targets.size(); ++i) {
        const auto place = admissions.place_of(i);
        all.push_back({model.targets[place].provider, model.targets[place].context_window, capable[place]});
    }
    return all;
}

// What a failed attempt left behind must not be taken for a part of the next one's answer.
void forget_attempt(Reply& reply)
{
    const auto attempts = reply.completion.attempts;
    reply.completion = model::Completion();
    reply.completion.attempts = attempts;
    reply.body.clear();
    reply.has_more = false;
}

// Not of the caller's limits or patience, and nobody has seen a part of an answer: it holds for whoever asks the same now.
bool of_the_provider(const Error& error, const Ask& ask, const Reply& reply)
{
    return reply.completion.attempts > 0 && !reply.output_started() && error.code() != Errc::cancelled &&
           !ask.context.deadline.passed();
}

// A streamed copy has no place for what signs the model's thoughts, and it has to come back unchanged (llm-upstreams §4).
bool loses_details(const Ask& ask, const model::Completion& stored)
{
    return ask.relay != nullptr && ask.stream && !stored.reasoning_details.empty();
}

}  // namespace

Task<Result<void>> Gateway::State::serve(const Catalog& catalog, const ModelEntry& model, Ask& ask, Reply& reply)
{
    CallEnd end(model, reply, metrics);
    if (reply.streams())
        reply.start_ticks();
    Result<void> result;
    std::exception_ptr thrown;
    try {
        result = co_await answer(catalog, model, ask, reply, end);
    } catch (...) {
        thrown = std::current_exception();
    }
    const bool cancelled = is_cancelled(co_await boost::asio::this_coro::cancellation_state);
    if (reply.stop_ticks()) {  // a tick hangs at a slow reader: it is waited for whatever happens
        co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
        co_await reply.quiet();
        co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::enable_terminal_cancellation());
    }
    if (cancelled)
        throw boost::system::system_error(boost::asio::error::operation_aborted);
    if (thrown && !reply.write_failed())
        std::rethrow_exception(thrown);
    if (reply.reader_gone())
        result = Error(Errc::cancelled, "The reader has gone.");
    end.with(result);
    co_return result;
}

// A model with a response cache is asked through it; without one no stream keeps a frame for it.
Task<Result<void>> Gateway::State::answer(const Catalog& catalog, const ModelEntry& model, Ask& ask, Reply& reply,
                                          CallEnd& end)
{
    auto key = model.exact_cache ? cache_key(model, ask) : std::string();
    if (!key.empty())
        return answer_through_cache(std::move(key), catalog, model, ask, reply, end);
    if (model.exact_cache)
        metrics.cache_request("bypass");
    return try_targets(catalog, model, ask, reply);
}

Task<Result<void>> Gateway::State::answer_through_cache(std::string key, const Catalog& catalog,
                                                        const ModelEntry& model, Ask& ask, Reply& reply, CallEnd& end)
{
    ExactCache::Lead lead;
    bool shared = false;
    auto outcome = co_await cache.find(std::move(key), ask.context.deadline, lead, shared);
    if (!outcome) {
        metrics.cache_request("shared");
        end.from_cache();
        co_return outcome.error();
    }
    auto found = std::move(*outcome);
    if (found && loses_details(ask, found->completion))
        found = nullptr;
    metrics.cache_request(!found ? "miss" : shared ? "shared" : "hit");
    reply.cache_hit(found != nullptr);
    if (found) {
        end.from_cache();
        reply.dropped(found->dropped_params);
        co_return co_await play(found->completion, ask, reply);
    }
    const auto hand_on = [&] {
        const bool cut_for_caller = ask.answer_limit && reply.completion.finish_reason == "length";
        if (reply.has_more || cut_for_caller)
            return lead.end(nullptr,
                            false);  // a copy would lack what the completion does not keep, or what others may have
        auto made = std::make_shared<ExactCache::Made>(reply.completion, reply.dropped_params());
        auto& completion = made->completion;
        completion.drained = false;
        const auto provider = completion.answered_by.substr(0, completion.answered_by.find('/'));
        const bool keep = completion.finish_reason == "stop" && catalog.provider(provider).settings.dialect != "mock";
        lead.end(std::move(made), keep);
    };
    const Reply::Shared shared_with(reply, lead);
    try {
        auto result = co_await try_targets(catalog, model, ask, reply);
        if (result && reply.completion.complete())
            hand_on();
        else if (result)
            lead.end(nullptr, false);
        else if (of_the_provider(result.error(), ask, reply))
            lead.fail(result.error());
        co_return result;  // else the next of those who wait leads
    } catch (...) {
        if (reply.completion.drained && reply.completion.complete())
            hand_on();  // its client had left: those who wait for the same have it
        throw;
    }
}

Task<Result<void>> Gateway::State::play(const model::Completion& stored, const Ask& ask, Reply& reply)
{
    constexpr std::size_t text_per_piece = 2048;
    reply.completion = stored;
    reply.completion.attempts = 0;
    if (ask.relay != nullptr && !ask.stream)
        reply.body = completion_body(stored, ask.model_id);
    if (!reply.streams())
        co_return Result<void>();
    std::vector<model::Piece> pieces;
    const auto add = [&](std::string model::Piece::* member, std::string_view text) {
        while (!text.empty()) {
            const auto part = utf8_prefix(text, text_per_piece);
            pieces.emplace_back().*member = part;
            text.remove_prefix(part.size());
        }
    };
    add(&model::Piece::reasoning, stored.reasoning);
    add(&model::Piece::text, stored.text);
    add(&model::Piece::refusal, stored.refusal);
    for (std::size_t i = 0; i < stored.tool_calls.size(); ++i) {
        const auto& call = stored.tool_calls[i];
        pieces.emplace_back().tool_calls.push_back({static_cast<int>(i), call.id, call.name, call.arguments});
    }
    for (const auto& piece : pieces)
        if (auto sent = co_await reply.piece(piece); !sent)
            co_return sent;
    co_return Result<void>();
}

// What a limit leaves less than the model's longest answer bounds the answer too: it could not be settled otherwise.
Task<Result<void>> Gateway::State::reserve(const ModelEntry& model, const std::vector<bool>& capable, Ask& ask,
                                           CallSpending& into)
{
    const auto wish = wish_of(model, ask, capable);
    auto reserved = co_await budget->reserve(spender_of(ask.context), wish);
    if (!reserved)
        co_return reserved.error();
    if (*reserved)
        ask.answer_limit = answer_limit(model, ask, capable, wish, (*reserved)->amount());
    into.holds(std::move(*reserved));
    co_return Result<void>();
}

Task<Result<void>> Gateway::State::try_targets(const Catalog& catalog, const ModelEntry& model, Ask& ask, Reply& reply)
{
    const auto capable = capable_targets(model, ask);
    if (!capable)
        co_return capable.error();
    CallSpending spending(reply);
    if (budget != nullptr && budget->limits(spender_of(ask.context)))
        if (auto reserved = co_await reserve(model, *capable, ask, spending); !reserved)
            co_return reserved;
    ModelAdmissions admissions(model, Steady::now(), *capable);
    RetryPlan plan(candidates_of(model, *capable, admissions), {model.attempts, model.next_after_content_filter},
                   random_fraction, &admissions);
    const Target* before = nullptr;
    std::optional<FailureClass> left_for;
    const auto left = [&] { return std::max(ask.context.deadline.at() - admissions.now(), Steady::duration::zero()); };
    for (auto step = plan.first(left());;) {
        if (step.stop)
            co_return to_error(plan.most_useful());
        if (step.pause > Steady::duration::zero()) {
            const Reply::Wait waiting(reply);
            co_await sleep_for(step.pause);
            admissions.look_at_clock();
        }
        if (step.again) {
            step = plan.first(left());
            continue;
        }
        if (step.pause > Steady::duration::zero() && !admissions.may_retry(step.target)) {   // meanwhile the breaker has opened
            step = plan.after(Failure(FailureClass::busy, ""), false, left());
            continue;
        }
        const auto& target = admissions.target(step.target);
        if (before != nullptr && before != &target)
            metrics.fell_back(before->label, target.label, *left_for);
        before = &target;
        forget_attempt(reply);
        ++reply.completion.attempts;
        const auto failure = co_await attempt(catalog, model, target, step.key, ask, reply, admissions.now());
        if (reply.ticking())
            co_await reply.quiet();
        if (!failure)
            co_return Result<void>();
        if (failure->after_output)
            co_return to_error(*failure);
        const bool repaired = failure->kind == FailureClass::unsupported_param &&
                              catalog.provider(target.provider).provider->repair(target, *failure);
        left_for = failure->kind;
        admissions.look_at_clock();
        step = plan.after(*failure, repaired, left());
    }
}

namespace {

// What an attempt's end says of its target. The deadline of the whole request, which ends with the first output, is none of its fault.
MaybeFailure blamed(const MaybeFailure& failure, const Ask& ask, Steady::time_point now)
{
    const bool of_the_request = failure && failure->kind == FailureClass::timeout && !failure->after_output &&
                                ask.context.deadline.at() <= now;
    return of_the_request ? MaybeFailure(Failure(FailureClass::cancelled, "")) : failure;
}

// A provider's own word may be shorter than the cool-down, which grows, or longer than any.
void note_cool_down(MaybeFailure& failure, const Target& target, std::size_t key, Steady::time_point now)
{
    if (failure && failure->kind == FailureClass::rate_limit)
        failure->cooled_for = std::chrono::ceil<std::chrono::milliseconds>(target.health->cooled_for(key, now));
}

}  // namespace

Task<MaybeFailure> Gateway::State::attempt(const Catalog& catalog, const ModelEntry& model, const Target& target,
                                           std::size_t key, const Ask& ask, Reply& reply, Steady::time_point now)
{
    const auto& entry = catalog.provider(target.provider);
    Admitted admitted(target, key, metrics);
    auto slot = entry.running->try_enter();
    if (!slot) {
        auto refusal = Bulkhead::Refusal::deadline;
        if (auto granted = co_await entry.running->enter(ask.context.deadline, refusal))
            slot.emplace(std::move(*granted));
        else
            co_return Failure(FailureClass::busy, "");
        now = Steady::now();
        if (const auto pause = admitted.overtaken(now)) {
            Failure closed(FailureClass::busy, "");
            closed.retry_after = std::chrono::ceil<std::chrono::milliseconds>(*pause);
            co_return closed;
        }
    }
    reply.completion.answered_by = target.label;
    reply.from_mock_fallback(target.in_process && &target != &model.targets.front());
    reply.attempt_begins(*target.health, admitted.began());
    admitted.goes_out();
    AttemptNote note(attempt_log, Tried{target, key, model.info.id, now}, ask, reply);
    if ((target.drains || reply.others() != nullptr) && ask.context.from_client)
        co_return co_await drained(entry.provider->attempt(target, key, ask, reply),
                                   {target, key, ask, admitted, note, entry.settings}, reply);
    auto failure = co_await entry.provider->attempt(target, key, ask, reply);
    if (failure)
        hide_own_secrets(*failure, entry.settings);
    const auto end = Steady::now();
    const auto told = blamed(failure, ask, end);
    admitted.ended(told, end);
    note_cool_down(failure, target, key, end);
    log_failure(target, key, ask, reply, told);
    if (!note.ended(told, end))
        co_await note.kept();
    co_return failure;
}

// The same for an answer that may go on when its reader leaves (drains.hpp). Without a reader nobody sees a failure: what came is charged.
Task<MaybeFailure> Gateway::State::drained(Task<MaybeFailure> work, AttemptAtHand at_hand, Reply& reply)
{
    auto failure = co_await drains.run(std::move(work), reply, at_hand.target.drains);
    if (failure)
        hide_own_secrets(*failure, at_hand.provider);
    const auto end = Steady::now();
    const auto told = blamed(failure, at_hand.ask, end);
    at_hand.admitted.ended(told, end);
    note_cool_down(failure, at_hand.target, at_hand.key, end);
    log_failure(at_hand.target, at_hand.key, at_hand.ask, reply, told);
    if (!reply.reader_gone()) {
        if (!at_hand.note.ended(told, end))
            co_await at_hand.note.kept();
        co_return failure;
    }
    reply.completion.drained = !failure;
    if (!at_hand.note.ended(failure ? MaybeFailure(Failure(FailureClass::cancelled, "")) : MaybeFailure(), end))
        co_await at_hand.note.kept();
    co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::enable_terminal_cancellation());
    throw boost::system::system_error(boost::asio::error::operation_aborted);
}

void Gateway::State::log_failure(const Target& target, std::size_t key, const Ask& ask, const Reply& reply,
                                 const MaybeFailure& failure)
{
    if (!failure || failure->kind == FailureClass::cancelled)
        return;
    logger.warn("model attempt failed", {{"request_id", ask.context.request_id},
                                         {"target", target.label},
                                         {"provider_key", key},
                                         {"attempt", reply.completion.attempts},
                                         {"upstream_request_id", reply.completion.upstream_request_id},
                                         {"class", name_of(failure->kind)},
                                         {"status", failure->status},
                                         {"after_output", failure->after_output},
                                         {"detail", failure->detail}});
}

}  // namespace dure::llm
