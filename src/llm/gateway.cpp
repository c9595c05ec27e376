// The gateway: looks up the model, then tries its targets as the retry plan says, with still-alive ticks beside it for
// streams, and settles usage at the end whatever happened. See gateway.hpp.
//
//   relay/stream/complete -> serve -> try_targets -> [slot of the provider] -> Provider::attempt
#include "dure/llm/gateway.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include "dure/base/cancellation.hpp"
#include "dure/base/timeout.hpp"
#include "dure/schema/json_view.hpp"
#include "llm/call_metrics.hpp"
#include "llm/catalog.hpp"
#include "llm/retry_plan.hpp"

namespace dure::llm {

struct Gateway::State {
    State(http::Client& client, metrics::Registry& registry, Logger& log, const config::Settings& settings)
        : logger(log), catalog(settings, client, log), metrics(registry), embeddings(settings.models.embeddings),
          heartbeat(settings.server.limits.sse_heartbeat)
    {
    }

    Task<Result<void>> serve(const ModelEntry& model, const Ask& ask, Reply& reply);
    Task<Result<void>> try_targets(const ModelEntry& model, const Ask& ask, Reply& reply);
    Task<std::optional<Failure>> attempt(const Target& target, const Ask& ask, Reply& reply);
    void note_attempt(const Target& target, const Ask& ask, const std::optional<Failure>& failure);

    Logger& logger;
    Catalog catalog;
    CallMetrics metrics;
    std::string embeddings;
    Steady::duration heartbeat;
};

namespace {

double random_fraction()
{
    std::uint32_t bits = 0;
    fill_random(&bits, sizeof bits);
    return static_cast<double>(bits) / 4294967296.0;
}

Error unknown_model(std::string_view model)
{
    return Error(Errc::not_found, "The model '" + std::string(model.substr(0, 200)) + "' does not exist.")
        .reason("model_not_found")
        .param("model");
}

std::size_t prompt_bytes(const Ask& ask)
{
    if (ask.relay != nullptr)
        return ask.relay->body.size();
    std::size_t bytes = 0;
    for (const auto& message : ask.typed->messages) {
        bytes += message.text().size();
        for (const auto& call : message.tool_calls)
            bytes += call.name.size() + call.arguments.size();
    }
    return bytes;
}

// The end of a call, however it ends (a cancelled one too, hence a destructor): settles usage and writes the metrics.
// A cut or usage-less answer is charged by its bytes (llm-upstreams §8); one without any output costs nothing.
class CallEnd {
public:
    CallEnd(const ModelEntry& model, const Ask& ask, const Reply& reply, CallMetrics& metrics)
        : model_(model), ask_(ask), reply_(reply), metrics_(metrics)
    {
    }
    CallEnd(const CallEnd&) = delete;
    CallEnd& operator=(const CallEnd&) = delete;
    ~CallEnd()
    {
        settle_usage();
        CallSummary call;
        call.operation = "chat";
        call.model = model_.info.id;
        call.answered_by = reply_.completion.answered_by;
        call.error = error_;
        call.took = Steady::now() - started_;
        if (reply_.first_output_at())
            call.first_output = *reply_.first_output_at() - started_;
        call.usage = reply_.completion.usage;
        metrics_.finished(call);
    }

    void with(const Result<void>& result) { error_ = result ? std::string() : result.error().reason(); }

private:
    void settle_usage()
    {
        auto& answer = reply_.completion;
        std::size_t said = answer.text.size() + answer.reasoning.size() + answer.refusal.size();
        for (const auto& call : answer.tool_calls)
            said += call.name.size() + call.arguments.size();
        const bool known = answer.usage.prompt_tokens > 0 || answer.usage.completion_tokens > 0;
        if (known || (said == 0 && !answer.complete()))
            return;
        answer.usage.prompt_tokens = static_cast<std::int64_t>((prompt_bytes(ask_) + 3) / 4);
        answer.usage.completion_tokens = static_cast<std::int64_t>((said + 3) / 4);
        answer.usage.estimated = true;
        metrics_.usage_estimated();
    }

    const ModelEntry& model_;
    const Ask& ask_;
    const Reply& reply_;
    CallMetrics& metrics_;
    const Steady::time_point started_ = Steady::now();
    std::string error_ = "cancelled";
};

std::vector<RetryPlan::Candidate> candidates_of(const ModelEntry& model)
{
    std::vector<RetryPlan::Candidate> all;
    for (const auto& target : model.targets)
        all.push_back(RetryPlan::Candidate{target.provider, model.info.context_window});
    return all;
}

// What a failed attempt left behind must not be taken for a part of the next one's answer.
void forget_attempt(Reply& reply)
{
    const auto attempts = reply.completion.attempts;
    reply.completion = model::Completion();
    reply.completion.attempts = attempts;
    reply.body.clear();
}

// Tools are never dropped for a target that has none (llm-upstreams §9 case 30).
Result<void> check_tools(const ModelInfo& model, std::string_view body)
{
    if (model.tools)
        return {};
    const schema::JsonView request(body);
    const auto tools = request.find("tools");
    const auto choice = request.find("tool_choice");
    if (!tools || !tools->is_array() || tools->size() == 0 || (choice && choice->string_is("none")))
        return {};
    return Error(Errc::invalid_argument, "The model '" + model.id + "' cannot call tools.")
        .reason("tools_not_supported")
        .param("tools");
}

// What became of the work: one of the two, once it has ended.
struct Ended {
    std::optional<Result<void>> result;
    std::exception_ptr thrown;
};

Task<void> keep_outcome(Task<Result<void>> work, Ended& ended)
{
    try {
        ended.result.emplace(co_await std::move(work));
    } catch (...) {
        ended.thrown = std::current_exception();
    }
}

}  // namespace

Task<Result<void>> Gateway::State::serve(const ModelEntry& model, const Ask& ask, Reply& reply)
{
    using namespace boost::asio::experimental::awaitable_operators;
    CallEnd end(model, ask, reply, metrics);
    if (!reply.streams()) {
        auto result = co_await try_targets(model, ask, reply);
        end.with(result);
        co_return result;
    }
    // Neither side throws to end the other: an exception at the end of every stream would cost more than the stream.
    Ended ended;
    co_await (keep_outcome(try_targets(model, ask, reply), ended) || reply.keep_alive());
    if (is_cancelled(co_await boost::asio::this_coro::cancellation_state))
        throw boost::system::system_error(boost::asio::error::operation_aborted);
    if (reply.reader_gone())
        ended = {Error(Errc::cancelled, "The reader has gone."), nullptr};
    if (ended.thrown)
        std::rethrow_exception(ended.thrown);
    end.with(*ended.result);
    co_return *ended.result;
}

Task<Result<void>> Gateway::State::try_targets(const ModelEntry& model, const Ask& ask, Reply& reply)
{
    const RetryPlan::Rules rules{model.attempts, model.next_after_content_filter};
    RetryPlan plan(candidates_of(model), rules, random_fraction);
    for (auto step = plan.first();;) {
        const auto& target = model.targets[step.target];
        ++reply.completion.attempts;
        const auto failure = co_await attempt(target, ask, reply);
        note_attempt(target, ask, failure);
        co_await reply.quiet();
        if (!failure)
            co_return Result<void>();
        const bool repaired = failure->kind == FailureClass::unsupported_param &&
                              catalog.provider(target.provider).provider->repair(target, *failure);
        const auto before = step.target;
        step = plan.after(*failure, repaired, ask.context.deadline.left());
        if (step.stop)
            co_return to_error(failure->after_output ? *failure : plan.most_useful());
        if (step.target != before)
            metrics.fell_back(target.label(), model.targets[step.target].label(), failure->kind);
        if (step.pause > Steady::duration::zero())
            co_await sleep_for(step.pause);
        forget_attempt(reply);
    }
}

Task<std::optional<Failure>> Gateway::State::attempt(const Target& target, const Ask& ask, Reply& reply)
{
    const auto& entry = catalog.provider(target.provider);
    auto refusal = Bulkhead::Refusal::deadline;
    const auto slot = co_await entry.running->enter(ask.context.deadline, refusal);
    if (!slot)
        co_return Failure(FailureClass::busy, "");
    reply.completion.answered_by = target.label();
    reply.from_mock_fallback(entry.dialect == "mock" && reply.completion.attempts > 1);
    co_return co_await entry.provider->attempt(target, ask, reply);
}

void Gateway::State::note_attempt(const Target& target, const Ask& ask, const std::optional<Failure>& failure)
{
    metrics.attempt(target, failure);
    if (!failure || failure->kind == FailureClass::cancelled)
        return;
    logger.warn("model attempt failed", {{"request_id", ask.context.request_id},
                                         {"target", target.label()},
                                         {"class", name_of(failure->kind)},
                                         {"status", failure->status},
                                         {"after_output", failure->after_output},
                                         {"detail", failure->detail}});
}

Gateway::Gateway(Cores&, http::Client& client, metrics::Registry& metrics, Logger& logger,
                 const config::Settings& settings)
    : state_(std::make_unique<State>(client, metrics, logger, settings))
{
}

Gateway::~Gateway() = default;

std::vector<ModelInfo> Gateway::models() const
{
    std::vector<ModelInfo> all;
    for (const auto& model : state_->catalog.models())
        if (!model.embeds)
            all.push_back(model.info);
    return all;
}

std::optional<ModelInfo> Gateway::find(std::string_view model) const
{
    const auto* entry = state_->catalog.find(model);
    return entry == nullptr || entry->embeds ? std::nullopt : std::optional(entry->info);
}

bool Gateway::serves(std::string_view model) const
{
    const auto* entry = state_->catalog.find(model);
    return entry != nullptr && !entry->embeds;
}

const std::string& Gateway::default_model() const
{
    return state_->catalog.default_model();
}

bool Gateway::embeds(std::string_view model) const
{
    const auto* entry = model.empty() ? nullptr : state_->catalog.find(model);
    return entry != nullptr && entry->embeds;
}

Task<Result<void>> Gateway::complete(const CompletionRequest& request, const CallContext& context, model::Completion& into)
{
    const auto* model = state_->catalog.find(request.model);
    if (model == nullptr || model->embeds)
        co_return unknown_model(request.model);
    Ask ask(context);
    ask.typed = &request;
    ask.model_id = model->info.id;
    ask.max_output = model->max_output;
    Reply reply(co_await boost::asio::this_coro::executor, into, nullptr, state_->heartbeat);
    co_return co_await state_->serve(*model, ask, reply);
}

Task<Result<void>> Gateway::stream(const CompletionRequest& request, const CallContext& context, model::AnswerSink& sink,
                                   model::Completion& into)
{
    const auto* model = state_->catalog.find(request.model);
    if (model == nullptr || model->embeds)
        co_return unknown_model(request.model);
    Ask ask(context);
    ask.typed = &request;
    ask.stream = true;
    ask.model_id = model->info.id;
    ask.max_output = model->max_output;
    // Nobody reads along: the whole answer counts as before output, and a broken one is tried again.
    Reply reply(co_await boost::asio::this_coro::executor, into, sink.reads_along() ? &sink : nullptr,
                state_->heartbeat);
    co_return co_await state_->serve(*model, ask, reply);
}

Task<Result<void>> Gateway::relay(const RelayRequest& request, const CallContext& context, model::AnswerSink& sink,
                                  RelayRecord& record)
{
    const auto* model = state_->catalog.find(request.model);
    if (model == nullptr || model->embeds)
        co_return unknown_model(request.model);
    if (auto fits = check_tools(model->info, request.body); !fits)
        co_return fits;
    Ask ask(context);
    ask.relay = &request;
    ask.stream = request.stream;
    ask.model_id = request.model.empty() ? std::string_view(model->info.id) : request.model;
    ask.max_output = model->max_output;
    Reply reply(co_await boost::asio::this_coro::executor, record.completion, request.stream ? &sink : nullptr,
                state_->heartbeat, &record);
    auto result = co_await state_->serve(*model, ask, reply);
    record.body = std::move(reply.body);
    co_return result;
}

Task<Result<EmbeddingAnswer>> Gateway::embed(const EmbeddingRequest& request, const CallContext& context)
{
    const auto* model = state_->catalog.find(request.model.empty() ? state_->embeddings : request.model);
    if (model == nullptr || !model->embeds)
        co_return unknown_model(request.model);
    const auto& target = model->targets.front();   // never another model by fallback: vectors would not fit together
    const auto& entry = state_->catalog.provider(target.provider);
    auto refusal = Bulkhead::Refusal::deadline;
    const auto slot = co_await entry.running->enter(context.deadline, refusal);
    if (!slot)
        co_return to_error(Failure(FailureClass::busy, ""));
    const std::vector<RetryPlan::Candidate> alone{RetryPlan::Candidate{target.provider, 0}};
    RetryPlan plan(alone, RetryPlan::Rules{model->attempts, false}, random_fraction);
    for (auto step = plan.first();;) {
        EmbeddingAnswer answer;
        const auto failure = co_await entry.provider->embed(target, request, context, answer);
        state_->metrics.attempt(target, failure);
        if (!failure)
            co_return answer;
        step = plan.after(*failure, false, context.deadline.left());
        if (step.stop)
            co_return to_error(plan.most_useful());
        co_await sleep_for(step.pause);
    }
}

}  // namespace dure::llm
