// What the gateway asks of a provider, whatever its dialect: one attempt at answering one request for one target. The
// gateway decides which target and how often; a provider never retries.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "dure/base/task.hpp"
#include "dure/llm/gateway.hpp"
#include "llm/failure.hpp"
#include "llm/health.hpp"
#include "llm/reply.hpp"

namespace dure::llm {

// One request, typed or as the client wrote it; exactly one of the two is set.
struct Ask {
    explicit Ask(const CallContext& call) : context(call) {}
    const CallContext& context;
    const CompletionRequest* typed = nullptr;
    const RelayRequest* relay = nullptr;
    bool stream = false;
    std::string_view model_id;            // the configured name, which the answer bears
    std::optional<std::int64_t>
        answer_limit;   // tokens that the caller's limits leave, where the request names no number
};

// A provider's model behind a configured model.
struct Target {
    std::string provider;                 // its configured name
    std::string model;                    // the provider's name for the model
    std::string label;                    // "provider/model"
    std::shared_ptr<TargetHealth> health;
    config::Prices prices;
    std::string price_version;            // tells different prices apart; empty: it costs nothing
    bool in_process = false;              // the mock: nothing is sent
    std::int64_t context_window = 0;
    std::int64_t max_output = 0;
    std::size_t embedding_batch = 1;      // texts of one call
    bool tools = true;
    bool vision = false;
    bool several_choices = true;          // n > 1
    bool logprobs = true;
    bool json_schema = true;              // it can be held to a schema; else that is told in words and the answer checked
    bool developer_role = false;          // it knows the role; else system stands there
    bool in_chain = false;                // the model has further targets: the provider is not asked for a chain of its own
    bool drains = false;                  // a client that leaves does not end it: it charges for the whole answer anyway
    bool reasoning = false;               // it thinks before it speaks: more patience, max_completion_tokens
};

// Ask::answer_limit for one target, whose own longest answer may be shorter.
inline std::optional<std::int64_t> answer_limit_of(const Ask& ask, const Target& target)
{
    if (!ask.answer_limit || target.max_output <= 0)
        return ask.answer_limit;
    return std::min(*ask.answer_limit, target.max_output);
}

class Provider {
public:
    virtual ~Provider() = default;
    // Empty: the answer is whole. An attempt that failed before its first output leaves nothing with the sink.
    // `key` counts the provider's configured keys.
    virtual Task<MaybeFailure> attempt(const Target& target, std::size_t key, const Ask& ask, Reply& reply) = 0;
    // `into` has, whenever the attempt ends or is cancelled, the usage of what was answered until then.
    virtual Task<MaybeFailure> embed(const Target& target, std::size_t key, const EmbeddingRequest& request,
                                               const CallContext& context, EmbeddingAnswer& into) = 0;
    // After `unsupported_param`: notes what to leave out from now on; false when there is nothing that can be repaired.
    virtual bool repair(const Target& target, const Failure& failure) = 0;
};

}  // namespace dure::llm
