// Work of one worker: with a system prompt, messages and tools it works until it has a text. Its words reach nobody, or the
// sink of the order as they come; steps are told as progress. Used by planner steps, the workers of teams and agent nodes.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dure/agents/agent.hpp"
#include "dure/agents/calls.hpp"
#include "dure/agents/prompts.hpp"
#include "dure/base/channel.hpp"

namespace dure::agents {

// Lets one teller at a time reach a sink: workers run side by side, a sink takes one call at a time. One core.
class Teller {
public:
    explicit Teller(model::AnswerSink& sink) : sink_(sink) {}
    Task<Result<void>> progress(const model::Progress& progress);

private:
    void wake_next();

    model::AnswerSink& sink_;
    bool busy_ = false;
    std::deque<std::shared_ptr<Signal>> waiting_;
};

struct Workshop {
    llm::Gateway& gateway;  // asked about models; calls go through `calls`
    Calls& calls;
    Logger& logger;
    const Prompts& prompts;
    const llm::CallContext& call;
    const tools::Caller& caller;
    Teller& teller;
    AgentRecord& record;
    Language language = Language::english;
};

struct WorkOrder {
    std::string node;  // shown with its progress
    std::string task;  // in the idempotency keys of its calls, whose ids begin anew in each order
    std::string model;
    std::string system;
    std::vector<model::Message> messages;  // grows by the worker's calls and their results
    std::vector<model::ToolDefinition> tools;
    std::optional<double> temperature;
    std::optional<std::int64_t> max_tokens;
    std::int64_t rounds = 8;  // of tool calls
    OrderedJson extra = {};  // further fields of every model call in OpenAI form (top_p, stop), or null
    model::AnswerSink* words = nullptr;  // gets the text of every turn as it comes
    bool by_decisions = false;  // tools by the router's JSON also where the model could call them by itself
};

model::Message message_saying(model::Role role, std::string text);

// A model call of which the client sees nothing; counted. `node`: who asks.
Task<Result<model::Completion>> ask_behind(Workshop& shop, std::string_view node, const llm::CompletionRequest& request);

// The worker's text. upstream_failed: it asked for tools until its rounds were used up and gave no text.
Task<Result<std::string>> work(Workshop& shop, WorkOrder& order);

}  // namespace dure::agents
