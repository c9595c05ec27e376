// See asking.hpp.
#include "nodes/asking.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "dure/agents/answer_form.hpp"
#include "dure/agents/work.hpp"
#include "dure/schema/json_check.hpp"

namespace dure::nodes {
namespace {

constexpr int attempts_at_form = 2;

model::UsageRow usage_row(const Shared& shared, const flows::RunFacts& facts, const llm::CompletionRequest& request,
                          const model::Completion& completion)
{
    model::UsageRow row;
    row.user_id = facts.owner;
    if (facts.rights)
        row.key_id = facts.rights->key.id;
    row.model = request.model;
    row.target = completion.answered_by;
    if (!facts.session_id.empty())
        row.session_id = facts.session_id;
    row.prompt_tokens = completion.usage.prompt_tokens;
    row.completion_tokens = completion.usage.completion_tokens;
    row.cached_tokens = completion.usage.cached_tokens;
    row.reasoning_tokens = completion.usage.reasoning_tokens;
    row.estimated = completion.usage.estimated;
    row.cost_nano = completion.usage.cost_nano.value_or(0);
    row.created_at = shared.parts.clock.now();
    row.request_id = facts.execution_id;
    row.endpoint = "flow";
    return row;
}

// How one call ended.
struct Ended {
    Result<void> outcome;
    std::exception_ptr thrown;
    Steady::duration took{};

    std::string status() const
    {
        if (thrown)
            return "cut";
        if (outcome)
            return "ok";
        return outcome.error().reason().empty() ? std::string(name_of(outcome.error().code()))
                                                : outcome.error().reason();
    }
};

Task<Ended> asked_once(const Shared& shared, const llm::CompletionRequest& request, const llm::CallContext& context,
                       model::AnswerSink* sink, model::Completion& into)
{
    Ended ended;
    const auto began = Steady::now();
    try {
        ended.outcome = sink ? co_await shared.parts.gateway.stream(request, context, *sink, into)
                             : co_await shared.parts.gateway.complete(request, context, into);
    } catch (...) {
        ended.thrown = std::current_exception();
    }
    ended.took = Steady::now() - began;
    co_return ended;
}

}  // namespace

Task<Result<void>> NodeSink::piece(const model::Piece& piece)
{
    if (piece.text.empty() && piece.reasoning.empty() && piece.refusal.empty())
        co_return Result<void>();
    auto chunk = Json::object();
    chunk["role"] = "assistant";
    chunk["content"] = piece.text.empty() ? piece.refusal : piece.text;
    if (!piece.reasoning.empty())
        chunk["reasoning"] = piece.reasoning;
    co_return co_await context_.emit_message(std::move(chunk));
}

Task<Result<void>> NodeSink::rendered(std::string_view)
{
    throw InvariantBroken("a typed model call gave rendered events");
    co_return Result<void>();
}

Task<Result<void>> NodeSink::progress(const model::Progress& progress)
{
    auto told = Json::object();
    told["type"] = "progress";
    told["node"] = progress.node;
    if (!progress.tool.empty())
        told["tool"] = progress.tool;
    told["description"] = progress.description;
    told["done"] = progress.done;
    co_return co_await context_.emit_custom(std::move(told));
}

Task<Result<void>> NodeSink::still_alive()
{
    context_.heartbeat();
    co_return Result<void>();
}

Task<Result<void>> ask_charged(const Shared& shared, const flows::NodeCall& call, const llm::CompletionRequest& request,
                               const llm::CallContext& context, model::AnswerSink* sink, model::Completion& into,
                               std::string_view name)
{
    namespace asio = boost::asio;
    if (call.budget)
        if (auto allowed = call.budget->check(); !allowed)
            co_return allowed.error();
    const auto ended = co_await asked_once(shared, request, context, sink, into);
    if (call.budget)
        call.budget->count(ended.outcome && !ended.thrown ? name : std::string_view(), usage_json(into.usage, 1));
    if (!shared.parts.usage) {
        if (ended.thrown)
            std::rethrow_exception(ended.thrown);
        co_return ended.outcome;
    }
    auto row = usage_row(shared, call.facts, request, into);
    row.status = ended.status();
    row.duration_ms = std::chrono::duration_cast<std::chrono::milliseconds>(ended.took).count();
    // Charged to the end even when the run is cancelled at this very moment: a coroutine without a slot. The cancellation stays
    // with the run, which goes on with it behind this.
    const auto executor = co_await asio::this_coro::executor;
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await asio::co_spawn(executor, shared.parts.usage(std::move(row)),
                            asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable));
    co_await asio::this_coro::throw_if_cancelled(true);
    if (ended.thrown)
        std::rethrow_exception(ended.thrown);
    co_return ended.outcome;
}

Json usage_json(const model::Usage& sum, std::int64_t calls)
{
    constexpr double nano = 1e9;
    auto json = Json::object();
    json["input_tokens"] = sum.prompt_tokens;
    json["output_tokens"] = sum.completion_tokens;
    json["cost_usd"] = static_cast<double>(sum.cost_nano.value_or(0)) / nano;
    json["model_calls"] = calls;
    return json;
}

Json UsageSum::json() const
{
    return usage_json(sum_, calls_);
}

std::variant<Json, std::string> json_of_answer(const Question& question, std::string_view text)
{
    auto document = agents::document_in(text, question.form);
    if (auto* fault = std::get_if<agents::FormFault>(&document))
        return std::move(fault->problem);
    const auto& found = std::get<std::string>(document);
    // Deep or doubtful documents would be the flow's problem at every later step.
    if (auto checked = schema::check_json(found); !checked)
        return checked.error().message();
    return Json::parse(found);
}

void demand_form(const Shared& shared, Question& question)
{
    if (!question.form)
        return;
    const auto language = language_for(shared, question.last_user_text());
    question.system += (question.system.empty() ? "" : "\n") +
                       agents::fill(shared.prompts.get(language, "schema"), {{"schema", dump(question.schema)}});
}

Task<Result<Formed>> ask_in_form(const Shared& shared, flows::NodeCall& call, const Question& question, UsageSum& used)
{
    NodeSink words(call.context);
    const auto context = call_context(shared, call);
    auto request = request_for(question);
    if (question.form)
        request.extra["response_format"] = {
            {"type", "json_schema"}, {"json_schema", {{"name", "answer"}, {"schema", OrderedJson(question.schema)}}}};
    const bool aloud = question.stream && !question.form;
    std::string problem;
    for (int attempt = 0; attempt < (question.form ? attempts_at_form : 1); ++attempt) {
        Formed formed;
        const auto asked =
            co_await ask_charged(shared, call, request, context, aloud ? &words : nullptr, formed.completion);
        used.add(formed.completion.usage);
        if (!asked)
            co_return asked.error();
        if (!question.form)
            co_return formed;
        auto read = json_of_answer(question, formed.completion.text);
        if (auto* json = std::get_if<Json>(&read)) {
            formed.json = std::move(*json);
            co_return formed;
        }
        problem = std::get<std::string>(read);
        request.messages.push_back(agents::message_saying(model::Role::assistant, std::move(formed.completion.text)));
        const auto& correction = shared.prompts.get(language_for(shared, question.last_user_text()), "form");
        request.messages.push_back(
            agents::message_saying(model::Role::system, agents::fill(correction, {{"problem", problem}})));
    }
    co_return Error(Errc::upstream_failed, "The model's answer does not fit the schema: " + problem)
        .reason("output_schema");
}

}  // namespace dure::nodes
