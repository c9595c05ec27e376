// The tools of an agent: those its config names and those that are attached to it in the drawing.
#pragma once

#include "nodes/durable_calls.hpp"

namespace dure::nodes {

struct AgentTools {
    std::vector<std::string> names;   // as in definitions
    std::vector<model::ToolDefinition> definitions;
    DurableCalls::Rules rules;
};

// `config`: the fields tools and require_approval; `attached`: {"tools": [{id, label, config}]}. `caller` is filled when there are
// tools. not_found, unavailable, permission_denied: an agent is never run with fewer tools than were drawn. Tools that act
// always need approval.
Task<Result<AgentTools>> tools_for(const Shared& shared, const flows::RunFacts& facts, const Json& config,
                                   const Json& attached, tools::Caller& caller);

}  // namespace dure::nodes
