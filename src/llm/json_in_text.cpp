// See json_in_text.hpp.
#include "dure/llm/json_in_text.hpp"

#include "dure/base/text.hpp"
#include "dure/schema/json_check.hpp"

namespace dure::llm {

namespace {

// Deep ones are not taken: they are copied and written level by level.
bool is_document(std::string_view text)
{
    return static_cast<bool>(schema::check_json(text, {.refuse_duplicates = false, .refuse_nul = false}));
}

}  // namespace

std::optional<std::string_view> json_in_text(std::string_view text)
{
    const auto trimmed = trim(text);
    if (is_document(trimmed))
        return trimmed;
    const auto first = trimmed.find_first_of("{[");
    const auto last = trimmed.find_last_of("}]");
    if (first == std::string_view::npos || last == std::string_view::npos || last < first)
        return std::nullopt;
    const auto inner = trimmed.substr(first, last - first + 1);
    return is_document(inner) ? std::optional(inner) : std::nullopt;
}

}  // namespace dure::llm
