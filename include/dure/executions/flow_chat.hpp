// FlowChat: a published flow as a chat model (`flow:<slug>`): one turn is one execution. What its nodes say while it runs goes to
// the sink piece by piece, the steps as progress, and the whole is what the flow answers. Who leaves cancels the execution.
#pragma once

#include "dure/executions/service.hpp"
#include "dure/model/chat.hpp"

namespace dure::executions {

inline constexpr std::string_view flow_model_prefix = "flow:";

struct ChatTurn {
    std::string model;  // flow:<slug>
    std::string flow_id;  // empty: the published flow of that slug; else this flow, as execute runs it by its id
    std::string message;  // what the user said last
    std::optional<Json> history = {};  // [{role, content}] before it, oldest first, the client's own; none: the session's
    std::string session_id;  // empty: nothing is remembered
    std::string turn_key = {};  // the same for every request of one turn (a regenerated answer); empty: a turn of its own
    std::int64_t owner_runs = 0;
    Deadline deadline = Deadline::never();
};

class FlowChat {
public:
    explicit FlowChat(ExecutionService& service) : service_(service) {}

    // not_found "model_not_found"; upstream_failed with the code of a failed execution; timeout. `answer` has the text, the
    // usage and finish_reason "stop".
    Task<Result<void>> complete(Caller caller, ChatTurn turn, model::AnswerSink& sink, model::RelayRecord& answer);
    // Behind complete(): the number of the turn in its session. 0: it is none, as one that waits for a person.
    Task<Result<std::int64_t>> recorded_turn() const;

private:
    ExecutionService& service_;
    Execution begun_;
};

}  // namespace dure::executions
