// The model gateway: from a model's configured name to an answer, whatever the provider. Two roads:
//   complete / stream   typed requests, for agents and flows;
//   relay               a client's own request body, passed to the provider with as few changes as the contract allows
//                       (model name, stream_options.include_usage, dure_* removed) and its answer passed back the same way.
// Errors carry in reason() the client codes of llm-upstreams §9 ("upstream_timeout", "rate_limit_exceeded", …). An error
// after the first output means: the stream broke, what came is in the record. Cancelling the awaiting coroutine closes
// the upstream connection at once and leaves the record as it was; where a target drains or others wait for
// the same answer (CallContext::from_client) the cancellation comes out only when the answer has ended.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dure/base/clock.hpp"
#include "dure/base/cores.hpp"
#include "dure/base/log.hpp"
#include "dure/config/settings.hpp"
#include "dure/model/chat.hpp"
#include "dure/model/spending.hpp"

namespace dure::schema {
class JsonIndex;
}
namespace dure::http {
class Client;
}
namespace dure::metrics {
class Registry;
}

namespace dure::llm {

class AttemptLog;

// What callers know about the request they make; passed down unchanged.
struct CallContext {
    CallContext(std::string request, std::string caller, Deadline until)
        : request_id(std::move(request)), user_id(std::move(caller)), deadline(until)
    {
    }
    std::string request_id;
    std::string user_id;
    Deadline deadline;              // of the whole request; for a stream it ends with the first output
    std::string key_id;             // empty: no key
    std::string role;               // of the user; empty: looked up where limits on tokens and cost ask for it
    model::SpendLimits key_limits;  // of the key's own calls
    // Made for a client that waits for it: its leaving is what cancels the call, and the answer may go on without
    // it (on_client_gone = "drain", others who wait for the same one).
    bool from_client = false;
    std::string background_task;    // "title_generation" …: a chat client's own request (openai-clients §7); empty: none
};

struct CompletionRequest {
    std::string model;                       // configured model name; empty: the default model
    std::vector<model::Message> messages;
    std::vector<model::ToolDefinition> tools;
    OrderedJson tool_choice;                 // null: auto when there are tools
    std::optional<double> temperature;
    std::optional<std::int64_t> max_tokens;
    OrderedJson extra;                       // further top-level fields in OpenAI form (stop, seed, response_format) or null
};

struct RelayRequest {
    std::string_view model;         // the name the client asked for; the answer names it too
    std::string_view body;          // the client's JSON object, already checked by schema::check_json; must outlive the call
    bool stream = false;
    bool include_usage = false;     // stream only: the client asked for the usage chunk
    std::optional<std::int64_t> max_tokens;   // what the body says of them, for what is reserved
    std::int64_t choices = 1;
    const schema::JsonIndex* members = nullptr;   // of the body, where somebody has found them; must outlive the call too
};

using model::RelayRecord;

struct ModelInfo {
    std::string id;
    std::string name;               // label
    std::string provider;           // owned_by
    bool tools = true;
    bool vision = false;
    std::int64_t context_window = 0;
};

using model::EmbeddingAnswer;
using model::EmbeddingRequest;

// What became of one target of a model when it was tried.
struct TargetCheck {
    std::string model;
    std::string target;               // "provider/model"
    std::string error;                // code and sentence; empty: it works
    std::chrono::milliseconds took{};
};

// Thread-safe; awaited on a core.
class Gateway {
public:
    // attempts, budget: must outlive the gateway; null: attempts leave no rows, nothing limits tokens and cost.
    Gateway(Cores& cores, http::Client& client, metrics::Registry& metrics, Logger& logger,
            const config::Settings& settings, AttemptLog* attempts = nullptr, model::Budget* budget = nullptr);
    ~Gateway();

    // Chat models in configured order, without the agent and flows. Served from memory.
    std::vector<ModelInfo> models() const;
    std::optional<ModelInfo> find(std::string_view model) const;
    bool serves(std::string_view model) const;   // find() without a copy
    std::string default_model() const;
    // The same of those that make embeddings: they answer no chat.
    std::vector<ModelInfo> embedders() const;
    std::optional<ModelInfo> find_embedder(std::string_view model) const;
    bool embeds(std::string_view model) const;
    // The model that embed() takes for an empty name.
    struct EmbeddingModel {
        std::string id;
        std::string revision;    // tells configurations apart whose vectors must not be mixed
        bool built_in = false;   // it is the built-in embedder
    };
    EmbeddingModel embedding_model() const;

    // not_found (reason "model_not_found") for an unknown model, from every call. Each call reserves what it may use of the
    // caller's limits before a provider is asked (rate_limited: see model::Budget), and settles it at its end.
    Task<Result<void>> complete(const CompletionRequest& request, const CallContext& context, model::Completion& into);
    Task<Result<void>> stream(const CompletionRequest& request, const CallContext& context, model::AnswerSink& sink,
                              model::Completion& into);
    Task<Result<void>> relay(const RelayRequest& request, const CallContext& context, model::AnswerSink& sink,
                             RelayRecord& record);
    Task<Result<EmbeddingAnswer>> embed(const EmbeddingRequest& request, const CallContext& context);

    // For answers that may begin before their first call: whether the caller's limits on tokens and cost have room for a call
    // with these messages. Reserves nothing; what follows may ask for more and be refused all the same.
    enum class Room { unlimited, some };
    Task<Result<Room>> room_for(std::string_view model, std::span<const model::Message> messages, const CallContext& context);

    // Takes providers, models and breaker from these settings; calls under way end with what they began with. An error
    // leaves everything as it was. Blocks for moments only.
    Result<void> reload(const config::Settings& settings);
    // Answers that are read on although their clients left end now. For the stop of the server.
    void stop_draining();
    // Tries each target of each model once, one after the other, with a short request; no fallback, no retry.
    Task<void> check_targets(std::function<void(const TargetCheck&)> report);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace dure::llm
