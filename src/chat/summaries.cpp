// Summaries; see summaries.hpp.
#include "chat/summaries.hpp"

#include "dure/base/timeout.hpp"

namespace dure::chat {

namespace {

constexpr std::chrono::seconds model_limit{60};
constexpr std::int64_t summary_tokens = 500;
constexpr std::int64_t usual_window = 16'000;   // of a model whose window is not told
constexpr std::int64_t bytes_of_a_token = 2;    // Korean takes about as many, other languages more

// The conversation as the model is shown it: the earlier summary, then who said what.
std::string transcript(const sessions::LiveSession& session)
{
    std::string text;
    if (!session.summary.empty())
        text += "Earlier summary: " + session.summary + "\n\n";
    for (const auto& message : session.messages)
        text += message.role + ": " + message.content + "\n";
    return text;
}

// The one that gave the last answer, as it knows the conversation already; for the agent and flows the agent's.
std::string model_for(const sessions::LiveSession& session, const llm::Gateway& gateway, const config::Agent& settings)
{
    for (auto message = session.messages.rbegin(); message != session.messages.rend(); ++message)
        if (message->role == "assistant") {
            const auto named = message->metadata.find("model");
            if (named != message->metadata.end() && named->is_string() &&
                gateway.serves(named->get_ref<const std::string&>()))
                return named->get<std::string>();
            break;
        }
    return settings.model;
}

// Bytes of conversation that the model can be shown.
std::int64_t room_for(const std::string& model, const llm::Gateway& gateway)
{
    const auto info = gateway.find(model);
    const auto window = info && info->context_window > 0 ? info->context_window : usual_window;
    return std::max(window - 2 * summary_tokens, window / 2) * bytes_of_a_token;
}

llm::CompletionRequest summary_request(const sessions::LiveSession& session, std::string model)
{
    llm::CompletionRequest request;
    request.model = std::move(model);
    model::Message instruction;
    instruction.role = model::Role::system;
    instruction.content =
        "Summarize the conversation so that it can go on from the summary alone. Keep names, numbers, decisions and "
        "open "
        "questions. Write in the language of the conversation, in at most ten sentences, without a preface.";
    model::Message conversation;
    conversation.role = model::Role::user;
    conversation.content = transcript(session);
    request.messages = {std::move(instruction), std::move(conversation)};
    request.max_tokens = summary_tokens;
    return request;
}

// What it cost is its owner's, as with an answer.
model::UsageRow usage_of(const std::string& session_id, const llm::CompletionRequest& request,
                         const llm::CallContext& context, const model::Completion& completion,
                         const Result<void>& outcome, Steady::duration took)
{
    model::UsageRow row;
    row.user_id = context.user_id;
    row.model = request.model;
    row.target = completion.answered_by;
    row.session_id = session_id;
    row.status = outcome                            ? "ok"
                 : outcome.error().reason().empty() ? std::string(name_of(outcome.error().code()))
                                                    : outcome.error().reason();
    row.prompt_tokens = completion.usage.prompt_tokens;
    row.completion_tokens = completion.usage.completion_tokens;
    row.cached_tokens = completion.usage.cached_tokens;
    row.reasoning_tokens = completion.usage.reasoning_tokens;
    row.estimated = completion.usage.estimated;
    row.cost_nano = completion.usage.cost_nano.value_or(0);
    row.created_at = SystemClock().now();
    row.request_id = context.request_id;
    row.duration_ms = std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
    row.endpoint = "summary";
    return row;
}

}  // namespace

Summaries::Summaries(llm::Gateway& gateway, sessions::SessionService& sessions, store::UsageWriter& usage,
                     const config::Agent& settings, Logger& logger)
    : gateway_(gateway), sessions_(sessions), usage_(usage), settings_(settings), logger_(logger), background_(logger)
{}

bool Summaries::under_way(std::string_view owner_id, const std::string& session_id) const
{
    const std::lock_guard lock(guard_);
    const auto found = under_way_.find(session_id);
    return found != under_way_.end() && found->second == owner_id;
}

void Summaries::start(boost::asio::any_io_executor executor, std::string owner_id, std::string session_id)
{
    {
        const std::lock_guard lock(guard_);
        if (!under_way_.try_emplace(session_id, owner_id).second)
            return;
    }
    if (background_.start(std::move(executor), make(std::move(owner_id), session_id)))
        return;
    const std::lock_guard lock(guard_);   // too many at once: the session's next turn catches up
    under_way_.erase(session_id);
}

Task<void> Summaries::settle(std::string owner_id, std::string session_id, Deadline deadline)
{
    while (under_way(owner_id, session_id) && !deadline.passed())
        co_await sleep_for(std::chrono::milliseconds(5));
}

Task<void> Summaries::make(std::string owner_id, std::string session_id)
{
    struct Finished {
        Summaries& owner;
        const std::string& id;
        ~Finished()
        {
            const std::lock_guard lock(owner.guard_);
            owner.under_way_.erase(id);
        }
    } finished{*this, session_id};

    auto session = co_await sessions_.conversation(owner_id, session_id);
    if (!session)
        co_return;   // deleted meanwhile
    const auto model = model_for(*session, gateway_, settings_);
    session = co_await sessions_.since_summary(std::move(*session), room_for(model, gateway_));
    if (!session)
        co_return;
    const auto request = summary_request(*session, model);
    llm::CallContext context(new_id(), owner_id, Deadline::after(model_limit));
    context.background_task = "context_compaction";
    model::Completion completion;
    const auto began = Steady::now();
    const auto outcome = co_await gateway_.complete(request, context, completion);
    co_await usage_.add(usage_of(session_id, request, context, completion, outcome, Steady::now() - began));
    if (!outcome || completion.text.empty()) {
        logger_.warn("a session could not be summarised",
                     {{"session_id", session_id}, {"detail", outcome ? "empty answer" : outcome.error().message()}});
        co_return;   // turns keep counting; the next turn tries again
    }
    const auto up_to = session->session.conversation_turns;
    const auto stored =
        co_await sessions_.add_summary(owner_id, session_id, completion.text, up_to, completion.answered_by);
    if (!stored)
        logger_.warn("a summary could not be stored",
                     {{"session_id", session_id}, {"detail", stored.error().message()}});
}

}  // namespace dure::chat
