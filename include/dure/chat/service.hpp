// The chat service: one conversation turn, whoever asked for it and whatever answers it.
//   /v1/chat/completions   complete(): the agent's graph for coe-agent-v1, else the proxied model's relay
//   /api/chat/message      message(): a session with its own memory, answered by the agent or by a model
// Both: find the session (if any) -> run -> store the turn and its usage -> summarise when the session is due.
// A cancelled call (the client left) stores what had come, marked as cut, before the cancellation goes on. A turn of the
// agent in a session is a durable run: one whose process died is finished by the next (docs/runs.md).
// Thread-safe; awaited on a core.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dure/base/clock.hpp"
#include "dure/base/log.hpp"
#include "dure/config/settings.hpp"
#include "dure/model/chat.hpp"
#include "dure/model/spend_limits.hpp"
#include "dure/schema/json_view.hpp"

namespace dure::agents {
class Agents;
}
namespace dure::events {
class AccessAudit;
}
namespace dure::llm {
class Gateway;
}
namespace dure::runs {
class Runs;
}
namespace dure::sessions {
class SessionService;
}
namespace dure::store {
class UsageWriter;
}

namespace dure::chat {

// Whose rights a call has.
struct Caller {
    std::string user_id;
    std::string key_id;  // empty: no key (local user)
    std::optional<std::vector<std::string>> models;  // the key's models; empty: all
    bool may_use_tools = false;
    std::vector<std::string> permissions = {};  // all of them, for tools that ask for more than tools:execute
    std::string role = {};  // whose limits on tokens and cost count; empty: looked up
    model::SpendLimits key_limits = {};  // of the key's own

    bool may_use_model(std::string_view id) const;
};

struct RequestInfo {
    std::string request_id;
    std::string endpoint;  // "/v1/chat/completions", for usage rows and metrics
    Deadline deadline = Deadline::never();
    std::string address;  // of the client, for the events it causes
};

// What chat clients say in headers (openai-clients §2); empty means absent.
struct ClientHints {
    std::string chat_id;
    std::string task;  // a background request of the client
    std::string user_message_id;
    bool open_webui = false;  // understands progress events in the stream
};

// One of a request's messages, as it is written. A role or content that is absent is invalid.
struct SentMessage {
    schema::JsonView whole = {};
    schema::JsonView role = {};
    schema::JsonView content = {};
};
std::vector<SentMessage> sent_messages(const schema::JsonView& list,
                                       const std::function<bool(const SentMessage&, std::size_t)>& good = {});

// A checked /v1/chat/completions request. Views point into the body, which outlives the call.
struct CompletionCall {
    std::string_view body;
    schema::JsonIndex members;  // of the body
    std::string model;
    bool stream = false;
    bool include_usage = false;
    schema::JsonView message_list;  // a non-empty array of message objects
    std::vector<SentMessage> messages;  // those of the list
    std::optional<schema::JsonView> tools;
    std::optional<schema::JsonView> tool_choice;
    std::optional<double> temperature;
    std::optional<std::int64_t> max_tokens;
    std::int64_t n = 1;
    std::string strategy;  // dure_strategy
    ClientHints hints;
};

struct MessageCall {
    std::string message;
    std::string session_id;  // empty: a new session
    bool use_tools = true;
    std::string model;  // empty: the session's, else the agent
    std::string strategy;
    double temperature = 0.7;
    std::int64_t max_tokens = 1000;
};

// What a call leaves; valid up to where it came, also after an error.
struct Answer : model::RelayRecord {
    std::vector<model::ToolUse> tools_used;
    std::string model;  // name the client asked for, or the one chosen
    std::string session_id;
    std::int64_t turn = 0;
    bool by_flow = false;  // see message()
    std::string flow_id = {};  // empty: the published flow of the model flow:<slug>
    std::int64_t cost_nano = 0;  // USD * 1e-9
};

struct ModelEntry {
    std::string id;
    std::string name;
    std::string owned_by;
    std::string description;
    bool vision = false;
    bool agent = false;  // runs its own tools
    bool tools = true;  // takes tools of the client
    bool embeds = false;  // makes embeddings: nobody chats with it
};

// Of those one can chat with. unknown: also one that the caller may not use, or that makes embeddings.
enum class ModelKind { unknown, agent, proxied };

struct ServiceParts {
    llm::Gateway& gateway;
    agents::Agents& agents;
    sessions::SessionService& sessions;
    store::UsageWriter& usage;
    Logger& logger;
    const config::Settings& settings;
    events::AccessAudit& audit;
    runs::Runs& runs;
};

class ChatService {
public:
    explicit ChatService(ServiceParts parts);
    ~ChatService();

    // Whether a chat client asks for itself (a title, tags …): no turn of the conversation, and no agent or flow is run for it.
    static bool is_background(const CompletionCall& call);
    // The same for every request of one turn: tool loops, an answer that is regenerated or continued.
    static std::string turn_key(const CompletionCall& call);

    // Takes over turns of the agent whose process died, and holds those of this one, on a core until stop(). Before the
    // cores run, blocking: on SQLite what is held now was held by a process that is dead.
    Result<void> start(boost::asio::io_context& core);
    // Blocks until what was taken over has ended, at the deadline as a cut turn; before the cores end.
    void stop(Deadline deadline);

    // Models the caller may use, the agent first, those that make embeddings last.
    std::vector<ModelEntry> models(const Caller& caller) const;
    // Whether anybody may ask for it: a model, an embedder, the agent. Published flows are not looked up.
    bool knows_model(std::string_view id) const;
    bool knows_strategy(std::string_view name) const;
    std::optional<ModelEntry> find_model(std::string_view id, const Caller& caller) const;
    ModelKind kind_of(std::string_view id, const Caller& caller) const;
    // Why the caller cannot chat with a model of unknown kind.
    Error no_chat_model(std::string_view id, const Caller& caller) const;

    // Errors before the first output leave the sink untouched; not_found (model_not_found) for foreign models.
    Task<Result<void>> complete(const CompletionCall& call, const Caller& caller, const RequestInfo& info,
                                model::AnswerSink& sink, Answer& answer);
    // session not_found: unknown, deleted or somebody else's. A flow is not run here: where one answers, the session is
    // opened, the answer has by_flow, flow_id, model, session_id and turn, and its caller lets the flow run.
    Task<Result<void>> message(const MessageCall& call, const Caller& caller, const RequestInfo& info,
                               model::AnswerSink& sink, Answer& answer);
    Task<Result<model::EmbeddingAnswer>> embed(const model::EmbeddingRequest& request, const Caller& caller,
                                               const RequestInfo& info);

    // Whether a summary of the owner's session is under way; false for a session of somebody else.
    bool summarizes(std::string_view owner_id, const std::string& session_id) const;
    // Until that is no longer so (at most 5 s): who reads its history right behind a turn sees the summary.
    Task<void> settle(std::string owner_id, std::string session_id);

    // Summaries under way; the shutdown waits for zero.
    std::size_t background_work() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace dure::chat
