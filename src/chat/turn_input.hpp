// What a turn of the agent needs to be gone on with by another process: the question and its conversation, who asked with
// which rights, and where the answer belongs. It is the input of the turn's run (module runs) and durable before the agent
// begins. No key and no address of a client is in it beyond what the events of the turn have.
#pragma once

#include <string>

#include "dure/agents/agent.hpp"
#include "dure/chat/service.hpp"

namespace dure::chat {

struct Turn;

// As it is read back.
struct TurnInput {
    Caller caller;
    RequestInfo info;                // its deadline is not kept
    std::string session_id;
    std::string user_text;
    std::string key;                 // see sessions::TurnRecord
    std::string model;
    agents::AgentRequest request;
};

// `model`: the name the client asked for.
Json turn_input(const Turn& turn, const std::string& model, const agents::AgentRequest& request);
// invalid_argument: not what turn_input() gives.
Result<TurnInput> turn_input_from(const Json& json);

}  // namespace dure::chat
