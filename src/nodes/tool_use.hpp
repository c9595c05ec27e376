// Using tools for nodes: in the name of the run's owner, once however often the node is executed again, told to the audit.
#pragma once

#include "dure/graph/node.hpp"
#include "nodes/state.hpp"

namespace dure::nodes {

// Who the run's tools are called for. permission_denied when the owner may not use tools.
Task<Result<tools::Caller>> caller_for(const Shared& shared, const flows::RunFacts& facts);

enum class Keep { every_outcome, successes };  // successes: a retry of the node runs a failed tool again

// The call under the step `name`, whose idempotency key it has. An error: it could not be kept or told, not the tool's failure.
Task<Result<tools::Outcome>> use_once(const Shared& shared, graph::NodeContext& context, const flows::RunFacts& facts,
                                      tools::Caller caller, std::string name, const model::ToolCall& call, Keep keep);

}  // namespace dure::nodes
