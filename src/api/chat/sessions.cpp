// Sessions of the caller: create, list, read, delete, history.
// input -> SessionService -> views. Somebody else's session is answered exactly like one that does not exist.
#include "api/chat/sessions.hpp"

#include "api/caller.hpp"
#include "api/chat/flow_completions.hpp"
#include "api/cursor.hpp"
#include "dure/executions/flow_chat.hpp"
#include "dure/schema/fields.hpp"
#include "dure/sessions/service.hpp"

namespace dure::api {

namespace {

const auto& session_fields()
{
    using sessions::NewSession;
    static const auto fields = schema::object<NewSession>(schema::UnknownFields::refuse)
                                   .optional("title", &NewSession::title, schema::length(0, 200))
                                   .optional("model", &NewSession::model, schema::length(0, 200))
                                   .optional("flow_id", &NewSession::flow_id, schema::length(0, 128));
    return fields;
}

// Who answers in the new session: the model named, the published flow behind flow:<slug>, or the flow of the id.
Task<Result<void>> choose_speaker(const ApiParts& parts, const RequestContext& context, sessions::NewSession& fresh)
{
    const bool by_slug = is_flow_model(fresh.model);
    if (const auto caller = caller_of(context);
        !fresh.model.empty() && !by_slug && parts.chat.kind_of(fresh.model, caller) == chat::ModelKind::unknown)
        co_return parts.chat.no_chat_model(fresh.model, caller);
    if (by_slug)
        if (const auto flow = co_await find_flow_model(parts, context, fresh.model); !flow)
            co_return flow.error();
    if (fresh.flow_id.empty())
        co_return Result<void>();
    const auto flow = co_await find_flow(parts, context, fresh.flow_id);
    if (!flow)
        co_return flow.error();
    const auto model = std::string(executions::flow_model_prefix) + flow->slug;
    if (!fresh.model.empty() && fresh.model != model)
        co_return Error(Errc::invalid_argument, "A session has a model or a flow.")
            .param("model")
            .problem({{"body", "model"}, "a session has a model or a flow", "value_error"});
    fresh.flow_id = flow->id;
    fresh.model = model;
    co_return Result<void>();
}

struct PageInput {
    std::int64_t limit = 50;
    std::string cursor;
};

const auto& page_fields()
{
    static const auto fields =
        schema::object<PageInput>(schema::UnknownFields::refuse)
            .optional("limit", &PageInput::limit, schema::range(1, 100), schema::alias("page_size"))
            .optional("cursor", &PageInput::cursor, schema::length(0, 256));
    return fields;
}

Result<sessions::PageRequest> read_page(const RequestContext& context, const Cursors& cursors, std::string_view list)
{
    const auto input = page_fields().read_query(context.query);
    if (!input)
        return input.error();
    sessions::PageRequest page;
    page.limit = input->limit;
    if (!input->cursor.empty()) {
        auto position = cursors.read(input->cursor, context.principal().user_id, list);
        if (!position)
            return position.error();
        page.after = std::move(*position);
    }
    return page;
}

OrderedJson next_json(const std::optional<sessions::PagePosition>& next, const Cursors& cursors,
                      const RequestContext& context, std::string_view list)
{
    return next ? OrderedJson(cursors.write(*next, context.principal().user_id, list)) : OrderedJson(nullptr);
}

OrderedJson text_or_null(const std::string& text)
{
    return text.empty() ? OrderedJson(nullptr) : OrderedJson(text);
}

OrderedJson session_json(const model::Session& session)
{
    return {{"session_id", session.id},
            {"title", text_or_null(session.title)},
            {"model", text_or_null(session.model)},
            {"flow_id", text_or_null(session.flow_id.value_or(""))},
            {"client_chat_id", text_or_null(session.client_chat_id.value_or(""))},
            {"created_at", rfc3339(session.created_at)},
            {"updated_at", rfc3339(session.updated_at)},
            {"expires_at", rfc3339(session.expires_at)},
            {"is_active", session.is_active},
            {"conversation_turns", session.conversation_turns},
            {"max_turns", session.max_turns}};
}

// Takes the texts out of the page.
OrderedJson history_json(const std::string& session_id, sessions::HistoryPage& page)
{
    auto messages = OrderedJson::array();
    for (auto& message : page.messages)
        messages.push_back({{"id", message.id},
                            {"role", message.role},
                            {"content", std::move(message.content)},
                            {"turn", message.turn},
                            {"created_at", rfc3339(message.created_at)},
                            {"metadata", OrderedJson(message.metadata)}});
    auto summaries = OrderedJson::array();
    for (const auto& summary : page.summaries)
        summaries.push_back({{"id", summary.id},
                             {"content", summary.content},
                             {"up_to_turn", summary.up_to_turn},
                             {"model", summary.model},
                             {"created_at", rfc3339(summary.created_at)}});
    return {{"session_id", session_id}, {"messages", std::move(messages)}, {"summaries", std::move(summaries)}};
}

}  // namespace

Handler create_session(const ApiParts& parts)
{
    return [&parts, &service = parts.sessions,
            &limits = parts.settings.server.limits](RequestContext& context) -> Task<Result<void>> {
        sessions::NewSession input;
        const bool has_body = context.head().has_body && context.head().content_length.value_or(1) > 0;
        if (has_body) {   // every field is optional, so is the body
            const auto body = co_await context.json_body(static_cast<std::size_t>(limits.json_body));
            if (!body)
                co_return body.error();
            auto read = session_fields().read_body(schema::JsonView(*body));
            if (!read)
                co_return read.error();
            input = std::move(*read);
        }
        if (auto chosen = co_await choose_speaker(parts, context, input); !chosen)
            co_return chosen.error();
        const auto session = co_await service.create(context.principal().user_id, std::move(input), actor_of(context));
        if (!session)
            co_return session.error();
        co_return co_await context.respond_json(201, OrderedJson{{"session_id", session->id},
                                                                 {"created_at", rfc3339(session->created_at)},
                                                                 {"expires_at", rfc3339(session->expires_at)}});
    };
}

Handler list_sessions(const ApiParts& parts)
{
    return [&service = parts.sessions,
            cursors = Cursors(parts.cursor_key)](RequestContext& context) -> Task<Result<void>> {
        const auto request = read_page(context, cursors, "sessions");
        if (!request)
            co_return request.error();
        const auto page = co_await service.list(context.principal().user_id, *request);
        if (!page)
            co_return page.error();
        auto list = OrderedJson::array();
        for (const auto& session : page->sessions)
            list.push_back(session_json(session));
        OrderedJson body{{"sessions", std::move(list)}};
        body["next"] = next_json(page->next, cursors, context, "sessions");
        co_return co_await context.respond_json(200, body);
    };
}

Handler get_session(const ApiParts& parts)
{
    return [&service = parts.sessions](RequestContext& context) -> Task<Result<void>> {
        const auto session = co_await service.find(context.principal().user_id, context.path_parameter("id"));
        if (!session)
            co_return session.error();
        co_return co_await context.respond_json(200, session_json(*session));
    };
}

Handler delete_session(const ApiParts& parts)
{
    return [&service = parts.sessions](RequestContext& context) -> Task<Result<void>> {
        auto removed =
            co_await service.remove(context.principal().user_id, context.path_parameter("id"), actor_of(context));
        if (!removed)
            co_return removed;
        http::Response response;
        response.status = 204;
        co_return co_await context.respond(std::move(response));
    };
}

Handler get_history(const ApiParts& parts)
{
    return [&service = parts.sessions, &chat = parts.chat,
            cursors = Cursors(parts.cursor_key)](RequestContext& context) -> Task<Result<void>> {
        const auto id = context.path_parameter("session_id");
        const auto list = "history/" + id;
        const auto request = read_page(context, cursors, list);
        if (!request)
            co_return request.error();
        const auto& owner = context.principal().user_id;
        if (chat.summarizes(owner, id)) {   // belongs to what was said; waited for without a place
            if (auto room = context.visit->check_room(); !room)
                co_return room;
            co_await chat.settle(owner, id);
        }
        if (auto entered = co_await context.visit->enter(context.deadline); !entered)
            co_return entered;
        auto page = co_await service.history(owner, id, *request);
        if (!page)
            co_return page.error();
        auto body = history_json(id, *page);
        body["next"] = next_json(page->next, cursors, context, list);
        *page = {};   // not kept while it is written
        co_return co_await context.respond_json(200, std::move(body));
    };
}

}  // namespace dure::api
