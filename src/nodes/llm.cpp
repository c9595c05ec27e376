// Kind `llm`: one answer of a model. {"text", "json", "messages", "tool_calls", "usage", "model", "finish_reason"}
#include "nodes/asking.hpp"

namespace dure::nodes {
namespace {

// The conversation with its answer, as `messages` of another node takes it.
Json told_messages(const Question& question, const std::string& answer)
{
    auto list = Json::array();
    for (const auto& message : question.messages)
        list.push_back(Json{{"role", name_of(message.role)}, {"text", message.text()}});
    list.push_back(Json{{"role", "assistant"}, {"text", answer}});
    return list;
}

}  // namespace

Task<Result<Json>> run_llm(const Shared& shared, flows::NodeCall& call)
{
    auto question = read_question(shared, call);
    if (!question)
        co_return question.error();
    demand_form(shared, *question);
    UsageSum used;
    auto formed = co_await ask_in_form(shared, call, *question, used);
    if (!formed)
        co_return formed.error();
    auto& answer = formed->completion;
    auto output = Json::object();
    output["messages"] = told_messages(*question, answer.text);
    output["text"] = std::move(answer.text);
    output["json"] = std::move(formed->json);
    output["tool_calls"] = Json::array();
    output["usage"] = used.json();
    output["model"] = question->model;
    output["finish_reason"] = answer.finish_reason;
    co_return output;
}

}  // namespace dure::nodes
