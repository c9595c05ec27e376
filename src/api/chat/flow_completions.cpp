// See flow_completions.hpp.
#include "api/chat/flow_completions.hpp"

#include "api/caller.hpp"
#include "api/chat/openai_stream.hpp"
#include "api/flows/answers.hpp"
#include "api/stopping.hpp"
#include "dure/base/language.hpp"
#include "dure/executions/flow_chat.hpp"
#include "dure/sessions/service.hpp"

namespace dure::api {

namespace flow_completions {

Error wrong_messages(const std::string& message)
{
    return Error(Errc::invalid_argument, message).param("messages");
}

// The text of a message; parts that are no text are refused: a flow is given words.
Result<std::string> text_of(const Json& message)
{
    const auto content = message.value("content", Json());
    if (content.is_null())
        return std::string();
    if (content.is_string())
        return content.get<std::string>();
    std::string text;
    for (const auto& part : content) {
        if (!part.is_object() || part.value("type", "") != "text")
            return wrong_messages("A flow takes text only.");
        text += (text.empty() ? "" : "\n") + part.value("text", "");
    }
    return text;
}

struct Conversation {
    std::string message;
    Json history = Json::array();
};

Result<Conversation> read_conversation(const chat::CompletionCall& call)
{
    const auto messages = Json::parse(call.message_list.raw());
    Conversation conversation;
    std::size_t last = messages.size();
    while (last > 0 && messages[last - 1].value("role", "") != "user")
        --last;
    if (last == 0)
        return wrong_messages("A flow needs a message of the user.");
    for (std::size_t i = 0; i < last; ++i) {
        auto text = text_of(messages[i]);
        if (!text)
            return text.error();
        const auto role = messages[i].value("role", "");
        if (i + 1 == last)
            conversation.message = std::move(*text);
        else if (role == "user" || role == "assistant" || role == "system")
            conversation.history.push_back(Json{{"role", role}, {"content", std::move(*text)}});
    }
    return conversation;
}

// What a flow cannot do is refused: one answer in place of several, or prose in place of JSON, would be worse.
Result<void> check_form(const chat::CompletionCall& call)
{
    if (call.n > 1)
        return Error(Errc::invalid_argument, "A flow gives one choice: n must be 1.").param("n").reason("unsupported_value");
    const auto format = schema::JsonView(call.body).find("response_format");
    const auto type = format && format->kind() == schema::JsonKind::object ? format->find("type") : std::nullopt;
    if (type && type->kind() == schema::JsonKind::string && type->string() != "text")
        return Error(Errc::invalid_argument, "A flow answers in its own form: response_format must be text.")
            .param("response_format")
            .reason("unsupported_value");
    return {};
}

// The session behind a chat client's own conversation.
Task<Result<std::string>> session_of(const ApiParts& parts, RequestContext& context, const chat::CompletionCall& call)
{
    if (call.hints.chat_id.empty())
        co_return std::string();
    const auto session = co_await parts.sessions.for_client_chat(context.principal().user_id, call.hints.chat_id,
                                                                 call.model, actor_of(context));
    if (!session)
        co_return session.error();
    co_return session->id;
}

}  // namespace flow_completions

bool is_flow_model(std::string_view model)
{
    return model.starts_with(executions::flow_model_prefix);
}

Task<Result<flows::RunnableFlow>> find_flow(const ApiParts& parts, const RequestContext& context, std::string id)
{
    if (!context.principal().may("flows:execute"))
        co_return Error(Errc::permission_denied, "Insufficient permissions").reason("insufficient_permissions");
    co_return co_await parts.executions.parts().flows.find(flow_owner(context), std::move(id), {});
}

Task<Result<flows::RunnableFlow>> find_flow_model(const ApiParts& parts, const RequestContext& context, std::string model)
{
    auto flow = co_await parts.executions.parts().flows.find(
        flow_owner(context), model.substr(executions::flow_model_prefix.size()), "published");
    if (!flow && flow.error().code() == Errc::not_found)
        co_return Error(Errc::not_found, "The model `" + model + "` does not exist or you do not have access to it.")
            .reason("model_not_found")
            .param("model");
    co_return flow;
}

Task<Result<void>> message_by_flow(const ApiParts& parts, RequestContext& context, const std::string& message,
                                   Deadline deadline, model::AnswerSink& sink, chat::Answer& answer)
{
    executions::ChatTurn turn;
    turn.model = answer.model;
    turn.flow_id = answer.flow_id;
    turn.message = message;
    turn.session_id = answer.session_id;
    turn.owner_runs = auth::limits_of_role(parts.settings.limits, context.principal().role).runs;
    turn.deadline = deadline;
    executions::FlowChat flow(parts.executions);
    auto outcome = co_await flow.complete(flow_owner(context), std::move(turn), sink, answer);
    // Turns of one session may end in another order than they began.
    if (outcome)
        if (const auto recorded = co_await flow.recorded_turn(); recorded && *recorded > 0)
            answer.turn = *recorded;
    co_return outcome;
}

Task<Result<void>> complete_by_flow(const ApiParts& parts, RequestContext& context, const chat::CompletionCall& call,
                                    Deadline deadline)
{
    auto conversation = flow_completions::read_conversation(call);
    if (!conversation)
        co_return conversation.error();
    if (auto fine = flow_completions::check_form(call); !fine)
        co_return fine;
    auto session = co_await flow_completions::session_of(parts, context, call);
    if (!session)
        co_return session.error();
    executions::ChatTurn turn;
    turn.model = call.model;
    turn.message = std::move(conversation->message);
    turn.history = std::move(conversation->history);
    turn.session_id = std::move(*session);
    turn.turn_key = chat::ChatService::turn_key(call);
    turn.owner_runs = auth::limits_of_role(parts.settings.limits, context.principal().role).runs;
    turn.deadline = deadline;
    executions::FlowChat flow(parts.executions);
    chat::Answer answer;
    if (!call.stream) {
        model::NoSink nobody;
        auto outcome =
            co_await or_told_of_stop(context, flow.complete(flow_owner(context), std::move(turn), nobody, answer));
        if (!outcome)
            co_return outcome;
        co_return co_await context.respond_json_text(
            200, completion_json(new_completion_id(), SystemClock().now() / 1000, call.model, answer.completion),
            answer_headers(answer));
    }
    OpenAiStream stream(context, answer, call.model, call.hints.open_webui,
                        StatusLines::of_flow(speaks_korean(parts.settings.agent.language, turn.message)));
    auto outcome =
        co_await or_told_of_stop(context, flow.complete(flow_owner(context), std::move(turn), stream, answer));
    if (outcome)
        co_return co_await stream.finish(call.include_usage);
    if (stream.started() && outcome.error().code() != Errc::cancelled)
        co_await stream.fail(outcome.error());
    co_return outcome;
}

}  // namespace dure::api
