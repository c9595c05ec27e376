// An agent: a conversation in, an answer out, made by a compiled graph. coe-agent-v1 is
//   tool_selector -> router -> executor -> summarizer        (product G2; loops between router and executor)
// Text of the final answer goes to the sink as it comes from the model; node and tool steps go there as progress.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dure/base/clock.hpp"
#include "dure/config/settings.hpp"
#include "dure/graph/run.hpp"
#include "dure/llm/gateway.hpp"
#include "dure/model/chat.hpp"
#include "dure/tools/registry.hpp"
#include "dure/tools/selector.hpp"

namespace dure::agents {

inline constexpr std::string_view agent_model = "coe-agent-v1";

struct AgentRequest {
    std::vector<model::Message> messages;              // the whole conversation, the client's system message included
    std::string model;                                 // model the agent thinks with; empty: configured
    std::string strategy;                              // "graph", "chat", "simple", "planner"; empty: configured
    bool use_tools = true;                             // the server's own tools
    std::vector<model::ToolDefinition> client_tools;   // run by the client; calls of them end the answer as tool_calls
    OrderedJson tool_choice;                           // of the client, for its own tools; or null
    std::optional<double> temperature;
    std::optional<std::int64_t> max_tokens;
    OrderedJson extra;                                 // stop, seed, response_format … passed to the final model call
};

using model::ToolUse;

// Filled while the agent runs, so that a cancelled run leaves what it had.
struct AgentRecord {
    model::Completion completion;      // usage: the sum over every model call
    std::vector<ToolUse> tools_used;
    std::vector<std::string> path;     // nodes in the order they ran: {"tool_selector", "router", …}
};

// A run whose steps last (graph-semantics §9): where they are kept, and whether it was begun before and its process died.
struct DurableRun {
    graph::Checkpointer& checkpointer;
    std::string thread;
    std::string run;
    graph::Durability mode = graph::Durability::exit;
    bool recovers = false;
};

// Thread-safe; run() is awaited on a core and may be cancelled.
class Agents {
public:
    Agents(llm::Gateway& gateway, tools::Registry& tools, tools::Selector& selector, Logger& logger,
           const config::Agent& settings);
    ~Agents();

    bool knows_strategy(std::string_view name) const;
    std::vector<std::string> strategies() const;
    // Whether the configured model does, as the gateway knows it now.
    bool reads_images() const;
    // What can be refused before anything runs: strategy, tool_choice, response_format, the configured model.
    Result<void> check(const AgentRequest& request) const;
    // With `durable` a run that recovers goes on behind its last checkpoint; what it had said and done by then is in `into`.
    Task<Result<void>> run(const AgentRequest& request, const llm::CallContext& context, const tools::Caller& caller,
                           model::AnswerSink& sink, AgentRecord& into, const DurableRun* durable = nullptr);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace dure::agents
