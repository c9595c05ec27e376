// What the kinds of nodes share, and the kinds themselves: each is one function from a call to the node's output object.
#pragma once

#include <mutex>
#include <unordered_map>

#include "dure/agents/orchestration.hpp"
#include "dure/agents/prompts.hpp"
#include "dure/nodes/services.hpp"

namespace dure::nodes {

struct Services::State {
    explicit State(Parts given);
    // Whose account is closed neither spends nor sends anything more: permission_denied. An outage stops nobody here.
    Task<Result<void>> check_owner(std::string owner);

    const Parts parts;
    const agents::Prompts prompts;
    const agents::Orchestrator orchestrator;

private:
    std::mutex guard_;
    std::unordered_map<std::string, Steady::time_point> active_until_;   // by owner
};

using Shared = Services::State;

// `call` lives as long as the coroutine.
Task<Result<Json>> run_llm(const Shared& shared, flows::NodeCall& call);
Task<Result<Json>> run_extract(const Shared& shared, flows::NodeCall& call);
Task<Result<Json>> run_router(const Shared& shared, flows::NodeCall& call);
Task<Result<Json>> run_agent(const Shared& shared, flows::NodeCall& call);
Task<Result<Json>> run_supervisor(const Shared& shared, flows::NodeCall& call);
Task<Result<Json>> run_tool(const Shared& shared, flows::NodeCall& call);
Task<Result<Json>> run_http(const Shared& shared, flows::NodeCall& call, Services& secrets);

// A model call of a node: bounded by the node's deadline.
llm::CallContext call_context(const Shared& shared, const flows::NodeCall& call);
agents::Language language_for(const Shared& shared, std::string_view text);
// Error of a config or input that does not fit, about one field.
Error unfit(const std::string& field, const std::string& problem);

}  // namespace dure::nodes
