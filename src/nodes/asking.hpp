// Asking models for nodes: every call is charged to the run's owner, and words go to whoever follows the run.
#pragma once

#include "dure/graph/node.hpp"
#include "nodes/question.hpp"

namespace dure::nodes {

// Words as messages of the run {"role": "assistant", "content", "reasoning"?}, steps as custom events {"type": "progress", "node",
// "tool", "description", "done"}.
class NodeSink final : public model::AnswerSink {
public:
    explicit NodeSink(graph::NodeContext& context) : context_(context) {}

    Task<Result<void>> piece(const model::Piece& piece) override;
    Task<Result<void>> rendered(std::string_view events) override;
    Task<Result<void>> progress(const model::Progress& progress) override;
    Task<Result<void>> still_alive() override;

private:
    graph::NodeContext& context_;
};

// One model call within the run's budget, with its usage row. `name`: see CallBudget. `sink` null: nobody reads along.
Task<Result<void>> ask_charged(const Shared& shared, const flows::NodeCall& call, const llm::CompletionRequest& request,
                               const llm::CallContext& context, model::AnswerSink* sink, model::Completion& into,
                               std::string_view name = {});

// What a node used: {"input_tokens", "output_tokens", "cost_usd", "model_calls"}.
class UsageSum {
public:
    void add(const model::Usage& usage)
    {
        sum_ += usage;
        ++calls_;
    }
    Json json() const;

private:
    model::Usage sum_;
    std::int64_t calls_ = 0;
};
Json usage_json(const model::Usage& sum, std::int64_t calls);

// An answer in the form that the question demands.
struct Formed {
    Json json;  // null without a schema
    model::Completion completion;
};
// Asks; with a schema the answer is held against it, and the model is asked once more. upstream_failed "output_schema": it does not
// fit then either.
Task<Result<Formed>> ask_in_form(const Shared& shared, flows::NodeCall& call, const Question& question, UsageSum& used);

// The JSON of an answer or what is wrong with it.
std::variant<Json, std::string> json_of_answer(const Question& question, std::string_view text);
// The line of the system prompt that names the schema.
void demand_form(const Shared& shared, Question& question);

}  // namespace dure::nodes
