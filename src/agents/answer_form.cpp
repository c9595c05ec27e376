// document_in(); see answer_form.hpp.
#include "dure/agents/answer_form.hpp"

#include "dure/llm/json_in_text.hpp"

namespace dure::agents {
namespace {

constexpr std::size_t most_problems_told = 10;

}  // namespace

std::variant<std::string, FormFault> document_in(std::string_view text, const std::optional<schema::JsonSchema>& schema)
{
    const auto document = llm::json_in_text(text);
    if (!document)
        return FormFault{"The answer is not a JSON document."};
    const auto problems = schema ? schema->validate(Json::parse(*document)) : std::vector<FieldProblem>();
    std::string told;
    for (std::size_t i = 0; i < problems.size() && i < most_problems_told; ++i) {
        for (const auto& part : problems[i].location)
            told += "/" + part;
        told += (problems[i].location.empty() ? "" : ": ") + problems[i].message + "\n";
    }
    if (!problems.empty())
        return FormFault{std::move(told)};
    return std::string(*document);
}

}  // namespace dure::agents
