// Calls: how work asks models and uses tools. DirectCalls does just that; who makes a run durable, asks a person before a
// tool runs, or charges each call, puts its own in between (module nodes).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "dure/llm/gateway.hpp"
#include "dure/model/chat.hpp"
#include "dure/tools/registry.hpp"

namespace dure::agents {

// Used by one run, on one core; workers that run side by side call it while other calls are under way.
class Calls {
public:
    virtual ~Calls() = default;
    // `node`: who asks, the worker's name. `sink` null: nobody reads along. `into` tells what came, also when it failed or was
    // cancelled.
    virtual Task<Result<void>> ask(std::string_view node, const llm::CompletionRequest& request,
                                   const llm::CallContext& context, model::AnswerSink* sink,
                                   model::Completion& into) = 0;
    // Before any call of one turn runs: for each, why it may not run, in words for the model; empty: it may. An error ends
    // the work.
    virtual Task<Result<std::vector<std::string>>> refusals(std::string_view node,
                                                            const std::vector<model::ToolCall>& calls);
    // What goes wrong with the tool is an outcome; an error ends the work.
    virtual Task<Result<tools::Outcome>> use(std::string_view node, const model::ToolCall& call,
                                             const tools::Caller& caller) = 0;
};

// Thread-safe.
class DirectCalls final : public Calls {
public:
    DirectCalls(llm::Gateway& gateway, tools::Registry& registry) : gateway_(gateway), registry_(registry) {}

    Task<Result<void>> ask(std::string_view node, const llm::CompletionRequest& request,
                           const llm::CallContext& context, model::AnswerSink* sink, model::Completion& into) override;
    Task<Result<tools::Outcome>> use(std::string_view node, const model::ToolCall& call,
                                     const tools::Caller& caller) override;

private:
    llm::Gateway& gateway_;
    tools::Registry& registry_;
};

}  // namespace dure::agents
