// From a checked /v1 request to what the agent takes.
#pragma once

#include "dure/agents/agent.hpp"
#include "dure/chat/service.hpp"

namespace dure::chat {

// invalid_argument naming the parameter for what an agent cannot obey (n > 1) and for broken messages or tools.
Result<agents::AgentRequest> agent_request(const CompletionCall& call);

}  // namespace dure::chat
