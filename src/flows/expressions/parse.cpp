// parse_expression(): path, then filters; see parse.hpp.
#include "flows/expressions/parse.hpp"

#include <algorithm>
#include <array>

#include "flows/document/fields.hpp"
#include "flows/expressions/cursor.hpp"

namespace dure::flows {

namespace {

constexpr std::array<std::pair<std::string_view, Root>, 13> roots{{{"input", Root::input},
                                                                   {"start", Root::start},
                                                                   {"nodes", Root::nodes},
                                                                   {"state", Root::state},
                                                                   {"session", Root::session},
                                                                   {"vars", Root::vars},
                                                                   {"secrets", Root::secrets},
                                                                   {"item", Root::item},
                                                                   {"index", Root::index},
                                                                   {"loop", Root::loop},
                                                                   {"run", Root::run},
                                                                   {"flow", Root::flow},
                                                                   {"step", Root::step}}};

constexpr std::array<FilterRule, 21> filters{{{"default", FilterKind::default_value, 1, 1},
                                              {"json", FilterKind::json, 0, 0},
                                              {"parse_json", FilterKind::parse_json, 0, 0},
                                              {"text", FilterKind::text, 0, 0},
                                              {"number", FilterKind::number, 0, 0},
                                              {"length", FilterKind::length, 0, 0},
                                              {"upper", FilterKind::upper, 0, 0},
                                              {"lower", FilterKind::lower, 0, 0},
                                              {"trim", FilterKind::trim, 0, 0},
                                              {"first", FilterKind::first, 0, 0},
                                              {"last", FilterKind::last, 0, 0},
                                              {"join", FilterKind::join, 0, 1},
                                              {"split", FilterKind::split, 1, 1},
                                              {"slice", FilterKind::slice, 1, 2},
                                              {"keys", FilterKind::keys, 0, 0},
                                              {"get", FilterKind::get, 1, 1},
                                              {"replace", FilterKind::replace, 2, 2},
                                              {"truncate", FilterKind::truncate, 1, 2},
                                              {"date", FilterKind::date, 0, 1},
                                              {"url", FilterKind::url, 0, 0},
                                              {"html", FilterKind::html, 0, 0}}};

std::string_view name_of(FilterKind kind)
{
    return std::find_if(filters.begin(), filters.end(), [&](const auto& rule) { return rule.kind == kind; })->name;
}

// Which arguments a filter can use at all, as far as their types tell.
bool argument_fits(FilterKind kind, const Json& argument)
{
    switch (kind) {
    case FilterKind::slice: return argument.is_number_integer();
    case FilterKind::get: return argument.is_string() || argument.is_number_integer();
    case FilterKind::join:
    case FilterKind::split:
    case FilterKind::replace:
    case FilterKind::date: return argument.is_string();
    default: return true;
    }
}

class ExpressionReader {
public:
    ExpressionReader(std::string_view text, const Template::Limits& limits) : cursor_(text), limits_(limits) {}

    Result<Expression> read()
    {
        Expression expression;
        if (auto path = read_path(expression); !path)
            return path.error();
        for (cursor_.skip_space(); cursor_.take('|'); cursor_.skip_space()) {
            if (expression.filters.size() >= limits_.filters)
                return syntax_error("it has more than " + std::to_string(limits_.filters) + " filters");
            auto filter = read_filter();
            if (!filter)
                return filter.error();
            expression.filters.push_back(std::move(*filter));
        }
        if (!cursor_.at_end())
            return unexpected();
        return expression;
    }

private:
    Result<void> read_path(Expression& expression)
    {
        cursor_.skip_space();
        const auto name = cursor_.take_name();
        const auto root =
            std::find_if(roots.begin(), roots.end(), [&](const auto& known) { return known.first == name; });
        if (name.empty())
            return syntax_error("a path begins with a name such as input, start or nodes");
        if (root == roots.end())
            return syntax_error("there is no root " + in_quotes(name)).reason("expression_unknown");
        expression.root = root->second;
        while (cursor_.peek() == '.' || cursor_.peek() == '[') {
            if (expression.path.size() >= limits_.path_steps)
                return syntax_error("its path has more than " + std::to_string(limits_.path_steps) + " steps");
            auto step = cursor_.take('.') ? read_name() : read_bracket();
            if (!step)
                return step.error();
            expression.path.push_back(std::move(*step));
        }
        if (names_something(expression.root) &&
            (expression.path.empty() || !std::holds_alternative<std::string>(expression.path.front())))
            return syntax_error(std::string(name) + " needs a name behind it").reason("expression_unknown");
        return {};
    }

    Result<PathStep> read_name()
    {
        const auto name = cursor_.take_step_name();
        if (name.empty())
            return syntax_error("a name is missing behind the dot");
        return PathStep(std::string(name));
    }

    Result<PathStep> read_bracket()
    {
        cursor_.take('[');
        cursor_.skip_space();
        PathStep step;
        if (cursor_.peek() == '"' || cursor_.peek() == '\'') {
            auto key = cursor_.take_quoted();
            if (!key)
                return syntax_error("a quoted key has no end");
            step = std::move(*key);
        } else if (const auto index = cursor_.take_index()) {
            step = *index;
        } else {
            return syntax_error("brackets hold a number or a quoted key");
        }
        cursor_.skip_space();
        if (!cursor_.take(']'))
            return syntax_error("a bracket is not closed");
        return step;
    }

    Result<Filter> read_filter()
    {
        cursor_.skip_space();
        const auto name = cursor_.take_name();
        const auto* rule = find_filter(name);
        if (!rule)
            return syntax_error(name.empty() ? "a filter's name is missing behind |"
                                             : "there is no filter " + in_quotes(name));
        Filter filter{rule->kind, {}};
        cursor_.skip_space();
        if (cursor_.take('('))
            if (auto arguments = read_arguments(filter); !arguments)
                return arguments.error();
        if (filter.arguments.size() < rule->fewest || filter.arguments.size() > rule->most)
            return syntax_error("the filter " + std::string(name) + " takes " + counts(*rule));
        for (const auto& argument : filter.arguments)
            if (!argument_fits(rule->kind, argument))
                return syntax_error("the filter " + std::string(name) + " cannot use " + in_quotes(dump(argument)));
        if (rule->kind == FilterKind::truncate &&
            !(filter.arguments[0].is_number_unsigned() ||
              (filter.arguments[0].is_number_integer() && filter.arguments[0].get<std::int64_t>() >= 0)))
            return syntax_error("truncate takes a number of characters");
        return filter;
    }

    static std::string counts(const FilterRule& rule)
    {
        if (rule.most == 0)
            return "no arguments";
        const auto most = std::to_string(rule.most);
        return (rule.fewest == rule.most ? most : std::to_string(rule.fewest) + " to " + most) + " arguments";
    }

    Result<void> read_arguments(Filter& filter)
    {
        cursor_.skip_space();
        if (cursor_.take(')'))
            return {};
        do {
            cursor_.skip_space();
            auto value = read_literal();
            if (!value)
                return value.error();
            filter.arguments.push_back(std::move(*value));
            cursor_.skip_space();
        } while (cursor_.take(','));
        if (!cursor_.take(')'))
            return syntax_error("a filter's arguments are not closed");
        return {};
    }

    Result<Json> read_literal()
    {
        const char c = cursor_.peek();
        if (c == '"' || c == '\'') {
            auto text = cursor_.take_quoted();
            if (!text)
                return syntax_error("a quoted text has no end");
            return Json(std::move(*text));
        }
        if (starts_name(c)) {
            const auto word = cursor_.take_name();
            if (word == "true" || word == "false")
                return Json(word == "true");
            if (word == "null")
                return Json(nullptr);
            return syntax_error("arguments are quoted texts, numbers, true, false or null");
        }
        auto number = cursor_.take_number();
        if (!number)
            return syntax_error("arguments are quoted texts, numbers, true, false or null");
        return std::move(*number);
    }

    Error unexpected() const { return syntax_error("did not expect " + in_quotes(std::string(1, cursor_.peek()))); }

    ExpressionCursor cursor_;
    const Template::Limits& limits_;
};

// §4.4: what a secret was turned into is no longer known by its text, so it could not be hidden where it comes back. `url` is
// known in both forms, and `default` stands in for a secret that is not there.
Result<void> check_secret_filters(const Expression& expression)
{
    if (expression.root != Root::secrets)
        return {};
    for (const auto& filter : expression.filters)
        if (filter.kind != FilterKind::url && filter.kind != FilterKind::default_value)
            return Error(Errc::invalid_argument, "A secret takes the filters url and default only, not " +
                                                     std::string(name_of(filter.kind)) + ".")
                .reason("secret_misplaced");
    if (std::count_if(expression.filters.begin(), expression.filters.end(),
                      [](const Filter& filter) { return filter.kind == FilterKind::url; }) > 1)
        return Error(Errc::invalid_argument, "A secret takes the filter url once only.").reason("secret_misplaced");
    return {};
}

}  // namespace

Error syntax_error(std::string message)
{
    return Error(Errc::invalid_argument, "The expression cannot be read: " + std::move(message) + ".")
        .reason("expression_syntax");
}

const FilterRule* find_filter(std::string_view name)
{
    const auto found =
        std::find_if(filters.begin(), filters.end(), [&](const auto& rule) { return rule.name == name; });
    return found == filters.end() ? nullptr : &*found;
}

std::string_view name_of(Root root)
{
    return roots[static_cast<std::size_t>(root)].first;
}

bool names_something(Root root)
{
    return root != Root::input && root != Root::item && root != Root::index;
}

Result<Expression> parse_expression(std::string_view text, const Template::Limits& limits)
{
    if (text.size() > limits.expression_bytes)
        return syntax_error("it is longer than " + std::to_string(limits.expression_bytes) + " bytes");
    auto expression = ExpressionReader(text, limits).read();
    if (!expression)
        return expression;
    if (auto allowed = check_secret_filters(*expression); !allowed)
        return allowed.error();
    expression->source = text;
    return expression;
}

std::string_view Expression::name() const
{
    if (!names_something(root) || path.empty())
        return {};
    return std::get<std::string>(path.front());
}

bool Expression::has_default() const
{
    return std::any_of(filters.begin(), filters.end(),
                       [](const Filter& filter) { return filter.kind == FilterKind::default_value; });
}

}  // namespace dure::flows
