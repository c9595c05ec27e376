// Kind `extract`: what a schema describes, out of a text. {"json", "usage"}
#include "dure/flows/expression.hpp"
#include "nodes/asking.hpp"

namespace dure::nodes {

Task<Result<Json>> run_extract(const Shared& shared, flows::NodeCall& call)
{
    ConfigReader reader(call.config);
    const auto* wanted = reader.object("schema");
    const auto* given = reader.find("input");
    auto text = flows::text_of(given ? *given : call.input);
    if (!wanted)
        reader.problem("schema", "is missing");
    if (text.empty())
        reader.problem("input", "is empty: there is nothing to extract from");
    if (auto fine = reader.done(); !fine)
        co_return fine.error();
    auto form = schema::JsonSchema::compile(*wanted);
    if (!form)
        co_return unfit("schema", "cannot be used: " + form.error().message());
    const auto language = language_for(shared, text);
    auto question = read_question_about(shared, call, std::move(text));
    if (!question)
        co_return question.error();
    question->schema = *wanted;
    question->form = std::move(*form);
    question->system +=
        (question->system.empty() ? "" : "\n") +
        agents::fill(shared.prompts.get(language, "extract"), {{"instructions", reader.text("instructions")}});
    if (!question->temperature)
        question->temperature = 0;
    demand_form(shared, *question);
    UsageSum used;
    auto formed = co_await ask_in_form(shared, call, *question, used);
    if (!formed)
        co_return formed.error();
    auto output = Json::object();
    output["json"] = std::move(formed->json);
    output["usage"] = used.json();
    co_return output;
}

}  // namespace dure::nodes
