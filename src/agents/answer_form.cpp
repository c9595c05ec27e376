// document_in(); see answer_form.hpp.
#include "dure/agents/answer_form.hpp"

#include "dure/base/text.hpp"
#include "dure/schema/json_check.hpp"

namespace dure::agents {
namespace {

constexpr std::size_t most_problems_told = 10;

// Deep ones are not taken: they are copied and written level by level.
bool is_document(std::string_view text)
{
    return static_cast<bool>(schema::check_json(text, {.refuse_duplicates = false, .refuse_nul = false}));
}

// Models like to wrap JSON into a code fence; what stands between the outermost brackets is taken.
std::optional<std::string> json_document_in(std::string_view text)
{
    const auto trimmed = trim(text);
    if (is_document(trimmed))
        return std::string(trimmed);
    const auto first = trimmed.find_first_of("{[");
    const auto last = trimmed.find_last_of("}]");
    if (first == std::string_view::npos || last == std::string_view::npos || last < first)
        return std::nullopt;
    const auto inner = trimmed.substr(first, last - first + 1);
    return is_document(inner) ? std::optional(std::string(inner)) : std::nullopt;
}

}  // namespace

std::variant<std::string, FormFault> document_in(std::string_view text, const std::optional<schema::JsonSchema>& schema)
{
    auto document = json_document_in(text);
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
    return std::move(*document);
}

}  // namespace dure::agents
