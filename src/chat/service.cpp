// ChatService: models, embeddings and the two kinds of turn. Running and recording an answer: turn.hpp.
#include "dure/chat/service.hpp"

#include <algorithm>

#include "chat/agent_call.hpp"
#include "chat/background_tasks.hpp"
#include "chat/messages.hpp"
#include "chat/shielded.hpp"
#include "chat/summaries.hpp"
#include "chat/takeover.hpp"
#include "chat/turn.hpp"
#include "dure/agents/agent.hpp"
#include "dure/base/text.hpp"
#include "dure/llm/gateway.hpp"
#include "dure/sessions/service.hpp"
#include "dure/store/usage_writer.hpp"

namespace dure::chat {

bool Caller::may_use_model(std::string_view id) const
{
    return !models || std::find(models->begin(), models->end(), id) != models->end();
}

struct ChatService::State {
    explicit State(ServiceParts given)
        : parts(given), summaries(given.gateway, given.sessions, given.usage, given.settings.agent, given.logger),
          turn_runs(given.runs, given.logger, given.settings), turns(given, summaries, turn_runs)
    {}

    Task<Result<sessions::LiveSession>> open_session(const MessageCall& call, const Caller& caller,
                                                     const RequestInfo& info, bool& left);

    // Of whatever asks a model: nothing is begun whose usage may be lost (threat-model §9).
    Result<void> can_record() const;
    Task<Result<void>> join_session(const CompletionCall& call, Turn& turn, Answer& answer);
    Task<Result<void>> ask_agent(const CompletionCall& call, Turn& turn, const llm::CallContext& context,
                                 model::AnswerSink& sink, Answer& answer);

    ServiceParts parts;
    Summaries summaries;
    TurnRuns turn_runs;
    Turns turns;
    std::optional<Takeover> takeover;
};

Result<void> ChatService::State::can_record() const
{
    if (!parts.usage.is_stuck())
        return {};
    return Error(Errc::unavailable, "The server cannot record what a model call uses at the moment, so none is begun.")
        .reason("usage_unavailable")
        .retry_after(std::chrono::seconds(2));
}

ChatService::ChatService(ServiceParts parts) : state_(std::make_unique<State>(parts)) {}
ChatService::~ChatService() = default;

Result<void> ChatService::start(boost::asio::io_context& core)
{
    auto& state = *state_;
    if (state.parts.runs.database().dialect() == sql::Dialect::sqlite)
        if (auto ended = state.parts.runs.end_leases_now(std::string(TurnRuns::graphs)); !ended)
            return ended;
    state.takeover.emplace(state.turns, state.turn_runs, state.parts.logger, core).start();
    return {};
}

void ChatService::stop(Deadline deadline)
{
    if (state_->takeover)
        state_->takeover->stop(deadline);
}

namespace {

Error unknown_model(std::string_view id)
{
    return Error(Errc::not_found, "The model `" + std::string(id) + "` does not exist or you do not have access to it.")
        .reason("model_not_found")
        .param("model");
}

llm::CallContext call_of(const Caller& caller, const RequestInfo& info)
{
    llm::CallContext context(info.request_id, caller.user_id, info.deadline);
    context.key_id = caller.key_id;
    context.role = caller.role;
    context.key_limits = caller.key_limits;
    return context;
}

ModelEntry agent_entry(bool reads_images)
{
    return {std::string(agents::agent_model),
            "Dure agent",
            "dure",
            "An agent with tools: it selects, runs and sums up.",
            reads_images,
            true,
            true};
}

ModelEntry entry_of(const llm::ModelInfo& info)
{
    return {info.id, info.name.empty() ? info.id : info.name, info.provider, {}, info.vision, false, info.tools};
}

ModelEntry embedder_entry_of(const llm::ModelInfo& info)
{
    auto entry = entry_of(info);
    entry.vision = entry.tools = false;
    entry.embeds = true;
    return entry;
}

bool is_flow(std::string_view model)
{
    return model.starts_with("flow:");
}

std::string title_from(std::string_view text)
{
    return std::string(utf8_prefix(trim(text), 80));
}

// What the session remembers, in front of the new message.
std::vector<model::Message> with_memory(const sessions::LiveSession& session, const std::string& message)
{
    std::vector<model::Message> messages;
    const auto add = [&](model::Role role, std::string content) {
        model::Message one;
        one.role = role;
        one.content = std::move(content);
        messages.push_back(std::move(one));
    };
    if (!session.summary.empty())
        add(model::Role::system, "Summary of the conversation so far:\n" + session.summary);
    for (const auto& said : session.messages)
        if (!said.content.empty())
            add(said.role == "assistant" ? model::Role::assistant : model::Role::user, said.content);
    add(model::Role::user, message);
    return messages;
}

agents::AgentRequest asked_of_agent(const MessageCall& call, const sessions::LiveSession& session)
{
    agents::AgentRequest request;
    request.messages = with_memory(session, call.message);
    request.strategy = call.strategy;
    request.use_tools = call.use_tools;
    request.temperature = call.temperature;
    request.max_tokens = call.max_tokens;
    return request;
}

llm::CompletionRequest asked_of_model(const MessageCall& call, const sessions::LiveSession& session, std::string model)
{
    llm::CompletionRequest request;
    request.model = std::move(model);
    request.messages = with_memory(session, call.message);
    request.temperature = call.temperature;
    request.max_tokens = call.max_tokens;
    return request;
}

}  // namespace

std::vector<ModelEntry> ChatService::models(const Caller& caller) const
{
    std::vector<ModelEntry> list;
    if (caller.may_use_model(agents::agent_model))
        list.push_back(agent_entry(state_->parts.agents.reads_images()));
    for (const auto& info : state_->parts.gateway.models())
        if (caller.may_use_model(info.id))
            list.push_back(entry_of(info));
    for (const auto& info : state_->parts.gateway.embedders())
        if (caller.may_use_model(info.id))
            list.push_back(embedder_entry_of(info));
    return list;
}

bool ChatService::knows_model(std::string_view id) const
{
    return id == agents::agent_model || state_->parts.gateway.serves(id) || state_->parts.gateway.embeds(id);
}

bool ChatService::knows_strategy(std::string_view name) const
{
    return state_->parts.agents.knows_strategy(name);
}

std::optional<ModelEntry> ChatService::find_model(std::string_view id, const Caller& caller) const
{
    if (!caller.may_use_model(id))
        return std::nullopt;
    if (id == agents::agent_model)
        return agent_entry(state_->parts.agents.reads_images());
    if (const auto info = state_->parts.gateway.find(id))
        return entry_of(*info);
    const auto info = state_->parts.gateway.find_embedder(id);
    return info ? std::optional(embedder_entry_of(*info)) : std::nullopt;
}

ModelKind ChatService::kind_of(std::string_view id, const Caller& caller) const
{
    if (!caller.may_use_model(id))
        return ModelKind::unknown;
    if (id == agents::agent_model)
        return ModelKind::agent;
    return state_->parts.gateway.serves(id) ? ModelKind::proxied : ModelKind::unknown;
}

Error ChatService::no_chat_model(std::string_view id, const Caller& caller) const
{
    if (!caller.may_use_model(id) || !state_->parts.gateway.embeds(id))
        return unknown_model(id);
    return Error(Errc::not_found, "The model `" + std::string(id) + "` makes embeddings; one cannot chat with it.")
        .reason("model_not_found")
        .param("model");
}

bool ChatService::is_background(const CompletionCall& call)
{
    return !background_task_of(call).empty();
}

std::string ChatService::turn_key(const CompletionCall& call)
{
    return newest_user_turn(call.messages, call.hints.user_message_id).key;
}

Task<Result<void>> ChatService::complete(const CompletionCall& call, const Caller& caller, const RequestInfo& info,
                                         model::AnswerSink& sink, Answer& answer)
{
    auto& state = *state_;
    auto task = background_task_of(call);
    // What a client asks for itself of a flow, which the caller has found, is answered as it is of the agent; a key that is bound
    // to flows opens no model by it.
    const bool asks_agent = is_flow(call.model) && !task.empty() && caller.may_use_model(agents::agent_model);
    const auto kind = asks_agent ? ModelKind::agent : kind_of(call.model, caller);
    if (kind == ModelKind::unknown)
        co_return no_chat_model(call.model, caller);
    answer.model = call.model;
    if (!call.strategy.empty() && !state.parts.agents.knows_strategy(call.strategy))
        co_return Error(Errc::invalid_argument, "There is no strategy `" + call.strategy + "`.")
            .param("dure_strategy")
            .reason("invalid_value");
    DURE_CO_TRY_VOID(state.can_record());
    Turn turn(caller, info);
    auto context = call_of(caller, info);
    context.background_task = std::move(task);
    if (kind == ModelKind::agent)
        co_return co_await state.ask_agent(call, turn, context, sink, answer);
    context.from_client = true;
    if (context.background_task.empty() && !call.hints.chat_id.empty())
        DURE_CO_TRY_VOID(co_await state.join_session(call, turn, answer));
    const llm::RelayRequest as_sent{call.model,      call.body, call.stream,  call.include_usage,
                                    call.max_tokens, call.n,    &call.members};
    co_return co_await state.turns.relay(turn, as_sent, context, sink, answer);
}

Task<Result<void>> ChatService::State::ask_agent(const CompletionCall& call, Turn& turn,
                                                 const llm::CallContext& context, model::AnswerSink& sink,
                                                 Answer& answer)
{
    const bool in_background = !context.background_task.empty();
    auto request = agent_request(call);  // checked before a session is made for it
    if (!request)
        co_return request.error();
    if (auto fine = parts.agents.check(*request); !fine && !in_background)
        co_return fine;
    if (in_background)
        co_return co_await turns.background(turn, std::move(*request), context, sink, answer);
    if (!call.hints.chat_id.empty())
        DURE_CO_TRY_VOID(co_await join_session(call, turn, answer));
    co_return co_await turns.agent(turn, *request, context, sink, answer);
}

// The session that belongs to a chat of the client's own.
Task<Result<void>> ChatService::State::join_session(const CompletionCall& call, Turn& turn, Answer& answer)
{
    auto session = co_await shielded(parts.sessions.id_for_client_chat(turn.caller.user_id, call.hints.chat_id,
                                                                       call.model, actor_of(turn.caller, turn.info)),
                                     turn.left);
    if (!session)
        co_return session.error();
    answer.session_id = turn.session_id = std::move(*session);
    auto user = newest_user_turn(call.messages, call.hints.user_message_id);
    turn.user_text = std::move(user.text);
    turn.key = std::move(user.key);
    co_return Result<void>();
}

// The session of a native call with what it remembers: the named one, or a new one.
Task<Result<sessions::LiveSession>> ChatService::State::open_session(const MessageCall& call, const Caller& caller,
                                                                     const RequestInfo& info, bool& left)
{
    if (call.session_id.empty()) {
        auto made = co_await shielded(
            parts.sessions.create(caller.user_id, {title_from(call.message), call.model}, actor_of(caller, info)),
            left);
        if (!made)
            co_return made.error();
        sessions::LiveSession live;
        live.session = std::move(*made);
        co_return live;
    }
    // A summary that takes longer is the next turn's: until then the messages themselves are there.
    const auto patience = Deadline::after(std::chrono::seconds(5));
    co_await summaries.settle(caller.user_id, call.session_id, patience);
    auto session = co_await parts.sessions.conversation(caller.user_id, call.session_id);
    if (!session || session->session.turns_since_summary < session->session.max_turns || patience.passed())
        co_return session;
    summaries.start(co_await boost::asio::this_coro::executor, caller.user_id, call.session_id);  // it was missed
    co_await summaries.settle(caller.user_id, call.session_id, patience);
    co_return co_await parts.sessions.conversation(caller.user_id, call.session_id);
}

Task<Result<void>> ChatService::message(const MessageCall& call, const Caller& caller, const RequestInfo& info,
                                        model::AnswerSink& sink, Answer& answer)
{
    auto& state = *state_;
    const bool new_agent = call.model.empty() && call.session_id.empty();   // refused before a session is made
    const std::string named(new_agent ? agents::agent_model : std::string_view(call.model));
    if (!named.empty() && !is_flow(named) && kind_of(named, caller) == ModelKind::unknown)
        co_return no_chat_model(named, caller);
    DURE_CO_TRY_VOID(state.can_record());
    bool left = false;
    auto session = co_await state.open_session(call, caller, info, left);
    if (!session)
        co_return session.error();
    answer.model = !call.model.empty()               ? call.model
                   : !session->session.model.empty() ? session->session.model
                                                     : std::string(agents::agent_model);
    answer.session_id = session->session.id;
    answer.turn = session->session.conversation_turns + 1;
    if (is_flow(answer.model)) {
        if (left)
            co_return Error(Errc::cancelled, "The client left.");
        answer.by_flow = true;
        answer.flow_id = call.model.empty() ? session->session.flow_id.value_or("") : "";
        co_return Result<void>();
    }
    const auto kind = kind_of(answer.model, caller);
    if (kind == ModelKind::unknown)
        co_return no_chat_model(answer.model, caller);
    Turn turn(caller, info);
    turn.left = left;
    turn.session_id = session->session.id;
    turn.user_text = call.message;
    auto context = call_of(caller, info);
    context.from_client = kind == ModelKind::proxied;
    Result<void> outcome;
    if (kind == ModelKind::agent)
        outcome = co_await state.turns.agent(turn, asked_of_agent(call, *session), context, sink, answer);
    else
        outcome = co_await state.turns.model(turn, asked_of_model(call, *session, answer.model), context, sink, answer);
    if (answer.completion.text.empty())
        answer.completion.text = answer.completion.refusal;   // this API has one text
    co_return outcome;
}

Task<Result<model::EmbeddingAnswer>> ChatService::embed(const model::EmbeddingRequest& request, const Caller& caller,
                                                        const RequestInfo& info)
{
    if (!caller.may_use_model(request.model))
        co_return unknown_model(request.model);
    DURE_CO_TRY_VOID(state_->can_record());
    const auto context = call_of(caller, info);
    Answer answer;
    answer.model = request.model;
    model::EmbeddingAnswer vectors;
    const Turn turn(caller, info);
    if (auto made = co_await state_->turns.embed(turn, request, context, vectors, answer); !made)
        co_return made.error();
    co_return vectors;
}

bool ChatService::summarizes(std::string_view owner_id, const std::string& session_id) const
{
    return state_->summaries.under_way(owner_id, session_id);
}

Task<void> ChatService::settle(std::string owner_id, std::string session_id)
{
    co_await state_->summaries.settle(std::move(owner_id), std::move(session_id),
                                      Deadline::after(std::chrono::seconds(5)));
}

std::size_t ChatService::background_work() const
{
    return state_->summaries.running();
}

}  // namespace dure::chat
