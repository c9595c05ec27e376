// DurableCalls: model and tool calls of an agent or a team inside one node. Each is a step of the node's task, named by what is
// asked, so that a repeat after a crash finds what is finished, however workers side by side came to it. Model calls are
// charged, tools told to the audit, and a person is asked before a tool runs that needs it.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "dure/agents/calls.hpp"
#include "nodes/asking.hpp"

namespace dure::nodes {

class DurableCalls final : public agents::Calls {
public:
    struct Rules {
        std::set<std::string> approval = {};  // names of tools a person is asked about
        std::map<std::string, Json> fixed = {};  // arguments of tools that the flow has set
    };

    DurableCalls(const Shared& shared, flows::NodeCall& call) : shared_(shared), call_(call) {}

    // Of one worker; the node's own id for an agent.
    void set_rules(const std::string& node, Rules rules) { rules_[node] = std::move(rules); }

    Task<Result<void>> ask(std::string_view node, const llm::CompletionRequest& request,
                           const llm::CallContext& context, model::AnswerSink* sink, model::Completion& into) override;
    Task<Result<std::vector<std::string>>> refusals(std::string_view node,
                                                    const std::vector<model::ToolCall>& calls) override;
    Task<Result<tools::Outcome>> use(std::string_view node, const model::ToolCall& call,
                                     const tools::Caller& caller) override;

    // Sums over all calls, those of earlier executions of the task included.
    Json usage() const { return used_.json(); }

private:
    const Rules& rules_of(std::string_view node) const;
    // "<what>", then "<what>#2" …: a step's name is used once.
    std::string step_name(std::string what);
    model::ToolCall with_fixed(std::string_view node, const model::ToolCall& call) const;
    Task<Result<std::string>> ask_person(std::string_view node, const model::ToolCall& call);

    const Shared& shared_;
    flows::NodeCall& call_;
    std::map<std::string, Rules, std::less<>> rules_;
    std::map<std::string, int> names_;
    std::set<std::string> approved_;  // keys of calls
    UsageSum used_;
};

}  // namespace dure::nodes
