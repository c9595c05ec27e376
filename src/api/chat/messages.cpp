// POST /api/chat/message, POST /api/chat/message/stream
// MessageCall -> ChatService::message -> one object, or the events metadata, message, tool, then done or error (product N2,
// N3). Client leaving: the run is cancelled, what had come is stored as cut.
#include "api/chat/messages.hpp"

#include "api/caller.hpp"
#include "api/chat/chat_metrics.hpp"
#include "api/chat/flow_completions.hpp"
#include "api/chat/native_stream.hpp"
#include "api/chat/openai_chunks.hpp"
#include "api/errors.hpp"
#include "api/stopping.hpp"
#include "api/stream_places.hpp"
#include "api/time_limit.hpp"
#include "api/wrong_together.hpp"
#include "dure/schema/fields.hpp"

namespace dure::api {

namespace {

const auto& message_fields()
{
    using chat::MessageCall;
    static const auto fields = schema::object<MessageCall>(schema::UnknownFields::refuse)
                                   .required("message", &MessageCall::message, schema::length(1, 1'000'000))
                                   .optional("session_id", &MessageCall::session_id, schema::length(0, 128))
                                   .optional("use_tools", &MessageCall::use_tools)
                                   .optional("model", &MessageCall::model, schema::length(0, 200))
                                   .optional("strategy", &MessageCall::strategy, schema::length(0, 50))
                                   .optional("temperature", &MessageCall::temperature, schema::range(0, 2))
                                   .optional("max_tokens", &MessageCall::max_tokens, schema::range(1, 4000));
    return fields;
}

// What is absent or no text is the table's to name.
Result<void> strategy_fits(const chat::ChatService& chat, const schema::JsonView& body)
{
    const auto given = body.is_object() ? body.find("strategy") : std::nullopt;
    const auto name = given && given->is_string() ? given->string() : std::string();
    if (name.empty() || chat.knows_strategy(name))
        return {};
    const auto message = "There is no strategy `" + name + "`";
    return Error(Errc::invalid_argument, message + ".")
        .param("strategy")
        .reason("invalid_value")
        .problem({{"body", "strategy"}, message, "value_error"});
}

class Messages {
public:
    Messages(const ApiParts& parts, std::string endpoint)
        : parts_(parts),
          chat_(parts.chat),
          limits_(parts.settings.server.limits),
          places_(parts),
          endpoint_(endpoint),
          metrics_(parts.metrics, std::move(endpoint))
    {
    }

    Task<Result<void>> send(RequestContext& context) { return handle(context, false); }
    Task<Result<void>> stream(RequestContext& context) { return handle(context, true); }

private:
    Task<Result<void>> handle(RequestContext& context, bool streamed);
    Task<Result<void>> whole(RequestContext& context, const chat::MessageCall& call, const chat::Caller& caller,
                             const chat::RequestInfo& info, chat::Answer& answer);
    Task<Result<void>> events(RequestContext& context, const chat::MessageCall& call, const chat::Caller& caller,
                              const chat::RequestInfo& info, chat::Answer& answer);

    Task<Result<void>> say(RequestContext& context, const chat::MessageCall& call, const chat::Caller& caller,
                           const chat::RequestInfo& info, model::AnswerSink& sink, chat::Answer& answer);

    const ApiParts& parts_;
    chat::ChatService& chat_;
    const config::ServerLimits& limits_;
    StreamPlaces places_;
    std::string endpoint_;
    ChatMetrics metrics_;
};

OrderedJson answer_json(const chat::Answer& answer)
{
    return {{"session_id", answer.session_id},
            {"response", answer.completion.text},
            {"model", answer.model},
            {"answered_by", answer.completion.answered_by},
            {"tools_used", tools_used_json(answer.tools_used)},
            {"usage", usage_json(answer.completion.usage)},
            {"turn", answer.turn},
            {"finish_reason", answer.completion.finish_reason}};
}

Task<Result<void>> Messages::handle(RequestContext& context, bool streamed)
{
    const auto started = Steady::now();
    const auto body = co_await context.json_body(static_cast<std::size_t>(limits_.json_body));
    if (!body)
        co_return body.error();
    const schema::JsonView view(*body);
    const auto call = message_fields().read_body(view);
    if (auto refused = wrong_together(call, strategy_fits(chat_, view)))
        co_return *refused;
    if (is_flow_model(call->model))   // before a session is made for it
        if (const auto flow = co_await find_flow_model(parts_, context, call->model); !flow)
            co_return flow.error();
    const auto place = co_await places_.take(context, streamed);
    if (!place)
        co_return place.error();
    const auto caller = caller_of(context);
    const chat::RequestInfo info{context.request_id(), endpoint_, Deadline::after(limits_.chat_request),
                                 context.head().client_address};
    chat::Answer answer;
    struct Observe {
        ChatMetrics& metrics;
        const chat::Answer& answer;
        Steady::time_point since;
        int status = 499;
        ~Observe() { metrics.observe(answer.by_flow ? "flow" : answer.model.empty() ? "other" : answer.model, status, Steady::now() - since); }
    } observe{metrics_, answer, started};
    context.counts_chat = true;
    context.exchange().on_client_gone(http::OnClientGone::cancel);
    auto outcome = streamed ? co_await events(context, *call, caller, info, answer)
                            : co_await whole(context, *call, caller, info, answer);
    observe.status = outcome ? 200 : http_status(outcome.error(), ErrorForm::problem);
    co_return outcome;
}

// The chat service's answer, or that of the flow it leaves the turn to.
Task<Result<void>> Messages::say(RequestContext& context, const chat::MessageCall& call, const chat::Caller& caller,
                                 const chat::RequestInfo& info, model::AnswerSink& sink, chat::Answer& answer)
{
    auto said = co_await chat_.message(call, caller, info, sink, answer);
    if (!said || !answer.by_flow)
        co_return said;
    co_return co_await message_by_flow(parts_, context, call.message, info.deadline, sink, answer);
}

Task<Result<void>> Messages::whole(RequestContext& context, const chat::MessageCall& call, const chat::Caller& caller,
                                   const chat::RequestInfo& info, chat::Answer& answer)
{
    model::NoSink nobody;
    auto work = in_time(say(context, call, caller, info, nobody, answer), info.deadline);
    if (auto outcome = co_await or_told_of_stop(context, std::move(work)); !outcome)
        co_return outcome;
    co_return co_await context.respond_json(200, answer_json(answer));
}

Task<Result<void>> Messages::events(RequestContext& context, const chat::MessageCall& call, const chat::Caller& caller,
                                    const chat::RequestInfo& info, chat::Answer& answer)
{
    NativeStream stream(context, answer);
    auto outcome = co_await or_told_of_stop(context, say(context, call, caller, info, stream, answer));
    if (outcome)
        co_return co_await stream.finish();
    if (stream.started() && outcome.error().code() != Errc::cancelled)
        co_await stream.fail(outcome.error());
    co_return outcome;
}

}  // namespace

Handler send_message(const ApiParts& parts)
{
    return [messages = std::make_shared<Messages>(parts, "/api/chat/message")](RequestContext& context) {
        return messages->send(context);
    };
}

Handler stream_message(const ApiParts& parts)
{
    return [messages = std::make_shared<Messages>(parts, "/api/chat/message/stream")](RequestContext& context) {
        return messages->stream(context);
    };
}

}  // namespace dure::api
