// What a task has spent in all its attempts, kept with the task as steps of its own (graph-semantics D7): a process that goes on
// with it counts what another one paid.
#pragma once

#include "dure/flows/compiler.hpp"

namespace dure::flows {

// After an attempt without a result. Once in each attempt, either of the two. `asks`: it waits for an answer, and comes to the
// same calls again.
Task<void> keep_spending(graph::NodeContext& context, OpenTask& task, bool asks);
// After one that was cut off or threw, from a coroutine that may be cancelled and has set throw_if_cancelled(false).
Task<void> keep_spending_of_cut(graph::NodeContext& context, OpenTask& task);
// Before the end of one that worked, or of its error handler.
Task<void> recall_spending(graph::NodeContext& context, OpenTask& task);

// Counts the calls of a task.
class TaskBudget final : public CallBudget {
public:
    explicit TaskBudget(OpenTask& task) : task_(task) {}
    Result<void> check() override { return {}; }
    void count(std::string_view call, const Json& usage) override
    {
        used_ = true;
        task_.count(call, usage);
    }
    bool used() const { return used_; }

private:
    OpenTask& task_;
    bool used_ = false;
};

}  // namespace dure::flows
