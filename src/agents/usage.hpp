// Adds what a model call used to the record of the run when the call ends, however it ends.
#pragma once

#include "dure/agents/agent.hpp"

namespace dure::agents {

class UsageOfCall {
public:
    UsageOfCall(AgentRecord& record, const model::Completion& call) : record_(record), call_(call) {}
    ~UsageOfCall()
    {
        auto& sum = record_.completion;
        sum.usage += call_.usage;
        sum.attempts += call_.attempts;
        if (!call_.answered_by.empty())
            sum.answered_by = call_.answered_by;
        if (!call_.upstream_request_id.empty())
            sum.upstream_request_id = call_.upstream_request_id;
    }
    UsageOfCall(const UsageOfCall&) = delete;
    UsageOfCall& operator=(const UsageOfCall&) = delete;

private:
    AgentRecord& record_;
    const model::Completion& call_;
};

}  // namespace dure::agents
