// One answer from its start to its record: runs the agent, a model or a relay, and whatever happens (end, error, the client
// leaves) stores the turn and its usage before the outcome goes on.
#pragma once

#include <functional>
#include <string>

#include "chat/summaries.hpp"
#include "dure/agents/agent.hpp"
#include "dure/chat/service.hpp"
#include "dure/model/event.hpp"
#include "dure/tools/tool.hpp"

namespace dure::chat {

// For the events a call leaves.
inline model::Actor actor_of(const Caller& caller, const RequestInfo& info)
{
    return {caller.user_id, caller.key_id, info.request_id, info.address};
}

inline tools::Caller tools_caller(const Caller& caller, const RequestInfo& info)
{
    tools::Caller who;
    who.user_id = caller.user_id;
    who.request_id = info.request_id;
    who.idempotency_key = info.request_id;
    who.may_execute = caller.may_use_tools;
    who.permissions = caller.permissions;
    return who;
}

class TurnRun;
class TurnRuns;

// Who asked, and where the answer belongs.
struct Turn {
    Turn(const Caller& who, const RequestInfo& request) : caller(who), info(request) {}
    const Caller& caller;
    const RequestInfo& info;
    std::string session_id;    // empty: nothing but usage is stored
    std::string user_text;
    std::string key;           // see sessions::TurnRecord
    bool left = false;         // nothing is asked any more (the client went while the session was made): the question is
                               // stored as a cut turn
    TurnRun* run = nullptr;    // of the agent; ends in the unit that stores the turn
};

class Turns {
public:
    Turns(ServiceParts parts, Summaries& summaries, TurnRuns& runs) : parts_(parts), summaries_(summaries), runs_(runs) {}

    // A proxied model: the client's own request passed on.
    Task<Result<void>> relay(const Turn& turn, const llm::RelayRequest& request, const llm::CallContext& context,
                             model::AnswerSink& sink, Answer& answer);
    // The agent's graph; in a session it is a durable run. Streamed answers begin at once and are kept alive while tools run.
    Task<Result<void>> agent(const Turn& turn, const agents::AgentRequest& request, const llm::CallContext& context,
                             model::AnswerSink& sink, Answer& answer);
    // A model with a session's memory.
    Task<Result<void>> model(const Turn& turn, const llm::CompletionRequest& request, const llm::CallContext& context,
                             model::AnswerSink& sink, Answer& answer);
    // Only the usage is stored.
    Task<Result<void>> embed(const Turn& turn, const model::EmbeddingRequest& request, const llm::CallContext& context,
                             model::EmbeddingAnswer& vectors, Answer& answer);
    // A chat client's own request to the agent: one call of its model, without tools.
    Task<Result<void>> background(const Turn& turn, agents::AgentRequest request, const llm::CallContext& context,
                                  model::AnswerSink& sink, Answer& answer);

private:
    struct Ended;
    // Runs `work`, then records what `answer` holds by then. Cancellation is recorded as a cut and goes on.
    Task<Result<void>> run_and_record(const Turn& turn, Answer& answer, Task<Result<void>> work);
    Task<Result<void>> record(const Turn& turn, Answer& answer, const Ended& ended);
    static model::UsageRow usage_of(const Turn& turn, const Answer& answer, const Ended& ended);
    Task<Result<void>> record_tools(const Turn& turn, const Answer& answer);
    Task<Result<void>> record_turn(const Turn& turn, Answer& answer, const Ended& ended);
    Task<Result<sessions::RecordedTurn>> record_patiently(const sessions::TurnRecord& record);
    // What no recorded turn has ended.
    Task<void> end_run(const Turn& turn, const Ended& ended);
    Task<Result<void>> run_agent(const Turn& turn, const agents::AgentRequest& request, const llm::CallContext& context,
                                 model::AnswerSink& sink, Answer& answer);
    Task<Result<void>> streamed_agent(const Turn& turn, const agents::AgentRequest& request,
                                      const llm::CallContext& context, model::AnswerSink& sink,
                                      agents::AgentRecord& record);

    ServiceParts parts_;
    Summaries& summaries_;
    TurnRuns& runs_;
};

}  // namespace dure::chat
