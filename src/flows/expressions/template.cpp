// Template: text with {{…}} in it, cut into parts once; evaluation joins them in one pass.
#include <algorithm>

#include "dure/base/text.hpp"
#include "dure/flows/expression.hpp"
#include "flows/expressions/parse.hpp"

namespace dure::flows {

namespace {

// The place of the }} that ends an expression: not one inside quotes.
std::size_t find_end(std::string_view text, std::size_t from)
{
    char quote = '\0';
    for (auto at = from; at + 1 < text.size(); ++at) {
        const char c = text[at];
        if (quote != '\0') {
            if (c == '\\')
                ++at;
            else if (c == quote)
                quote = '\0';
        } else if (c == '"' || c == '\'') {
            quote = c;
        } else if (c == '}' && text[at + 1] == '}') {
            return at;
        }
    }
    return std::string_view::npos;
}

bool has_room(const Json& value, std::size_t bytes)
{
    return (value.is_string() ? value.get_ref<const std::string&>().size() : text_of(value).size()) <= bytes;
}

Error result_too_large(std::size_t bytes)
{
    return Error(Errc::invalid_argument,
                 "The text made from an expression is larger than " + std::to_string(bytes) + " bytes.")
        .reason("expression_too_large");
}

}  // namespace

Result<Template> Template::parse(std::string_view text, const Limits& limits)
{
    Template out;
    std::string literal;
    const auto flush = [&] {
        if (!literal.empty())
            out.parts_.emplace_back(std::move(literal));
        literal.clear();
    };
    std::size_t at = 0;
    while (at < text.size()) {
        const auto open = text.find("{{", at);
        if (open == std::string_view::npos)
            break;
        if (open > at && text[open - 1] == '\\') {   // \{{ is a literal {{
            literal.append(text, at, open - 1 - at).append("{{");
            at = open + 2;
            continue;
        }
        const auto end = find_end(text, open + 2);
        if (end == std::string_view::npos)
            return syntax_error("{{ at byte " + std::to_string(open) + " has no }}");
        literal.append(text, at, open - at);
        flush();
        auto expression = parse_expression(trim(text.substr(open + 2, end - open - 2)), limits);
        if (!expression)
            return expression.error();
        out.parts_.emplace_back(std::move(*expression));
        at = end + 2;
    }
    if (at < text.size())
        literal.append(text, at, std::string_view::npos);
    if (out.parts_.empty() && literal.empty())
        return out;
    flush();
    if (out.is_literal())
        out.literal_ = std::get<std::string>(out.parts_.front());
    return out;
}

bool Template::is_literal() const
{
    return std::none_of(parts_.begin(), parts_.end(), [](const Part& part) { return part.index() == 1; });
}

bool Template::is_single() const
{
    return parts_.size() == 1 && parts_.front().index() == 1;
}

const std::string& Template::literal() const
{
    return literal_;
}

std::vector<const Expression*> Template::expressions() const
{
    std::vector<const Expression*> out;
    for (const auto& part : parts_)
        if (const auto* expression = std::get_if<Expression>(&part))
            out.push_back(expression);
    return out;
}

bool Template::uses_secrets() const
{
    return std::any_of(parts_.begin(), parts_.end(), [](const Part& part) {
        const auto* expression = std::get_if<Expression>(&part);
        return expression && expression->root == Root::secrets;
    });
}

Result<Json> Template::evaluate(const Scope& scope, Secrets secrets, const EvaluationLimits& limits) const
{
    if (is_literal())
        return Json(literal_);
    std::string text;
    for (const auto& part : parts_) {
        if (const auto* literal = std::get_if<std::string>(&part)) {
            text += *literal;
        } else {
            const auto& expression = std::get<Expression>(part);
            auto value = flows::evaluate(expression, scope, secrets, limits);
            if (!value)
                return value.error();
            if (!*value)
                return Error(Errc::invalid_argument, "The expression leads to nothing: " + expression.source)
                    .reason("expression_unresolved")
                    .param(expression.source);
            if (auto& work = scope.work();
                (*value)->is_structured() && !work.spend(cost_of(writing, **value, work.left())))
                return too_much_work();   // to be written as text
            if (is_single()) {
                if (!has_room(**value, limits.result_bytes))
                    return result_too_large(limits.result_bytes);
                return std::move(**value);
            }
            text += text_of(**value);
        }
        if (text.size() > limits.result_bytes)
            return result_too_large(limits.result_bytes);
    }
    return Json(std::move(text));
}

std::string text_of(const Json& value)
{
    if (value.is_null())
        return {};
    return value.is_string() ? value.get<std::string>() : dump(value);
}

}  // namespace dure::flows
