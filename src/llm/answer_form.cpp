// See answer_form.hpp.
#include "llm/answer_form.hpp"

#include "dure/base/text.hpp"
#include "dure/llm/json_in_text.hpp"
#include "dure/schema/json_view.hpp"

namespace dure::llm {

namespace {

constexpr std::size_t longest_complaint = 300;

Failure misfit(const std::string& why)
{
    Failure failure(FailureClass::protocol, "The model's answer does not fit the JSON schema of the request.");
    failure.of_the_target = false;   // no schema of a caller's may take a target from the others
    failure.detail = "the answer does not fit the schema: " + std::string(utf8_prefix(why, longest_complaint));
    return failure;
}

std::string place_of(const FieldProblem& problem)
{
    std::string place;
    for (const auto& step : problem.location)
        place += "/" + step;
    return place.empty() ? "the whole" : place;
}

}  // namespace

MaybeFailure AnswerForm::make(std::string_view schema, std::optional<AnswerForm>& into)
{
    auto compiled = schema::JsonSchema::compile(Json::parse(schema, nullptr, false));
    if (!compiled) {
        Failure failure(FailureClass::bad_request,
                        "The schema of response_format cannot be used: " + compiled.error().message());
        failure.param = "response_format";
        failure.code = "invalid_value";
        failure.status = 400;
        return failure;
    }
    into = AnswerForm(std::move(*compiled));
    return std::nullopt;
}

MaybeFailure AnswerForm::settle(model::Completion& answer, bool& unwrapped) const
{
    unwrapped = false;
    if (answer.finish_reason != "stop" || !answer.refusal.empty() || !answer.tool_calls.empty())
        return std::nullopt;
    const auto document = json_in_text(answer.text);
    if (!document)
        return misfit("it is no JSON document");
    if (const auto problems = schema_.validate(Json::parse(*document)); !problems.empty())
        return misfit(place_of(problems.front()) + ": " + problems.front().message);
    unwrapped = document->size() < trim(answer.text).size();
    if (unwrapped)
        answer.text = std::string(*document);
    return std::nullopt;
}

std::string schema_in_words(std::string_view schema)
{
    return "Answer with one JSON document that follows this JSON schema, and with nothing else: " + std::string(schema);
}

std::string_view schema_of_format(std::string_view response_format)
{
    const schema::JsonView format(response_format);
    const auto type = format.find("type");
    const auto form = format.find("json_schema");
    if (!type || !type->string_is("json_schema") || !form)
        return {};
    const auto schema = form->find("schema");
    return schema && schema->is_object() ? schema->raw() : std::string_view();
}

}  // namespace dure::llm
