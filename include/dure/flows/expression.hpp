// Expressions of flow-format §4: parsed once into a small tree, evaluated in one pass over a Scope that the executor gives.
//   auto text = flows::Template::parse("Hello {{ start.message | trim }}");
//   auto value = text->evaluate(scope, flows::Secrets::refused);       // Result<Json>
// What was put in is never read as a template again. There are no loops, calls, arithmetic or regular expressions.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "dure/base/error.hpp"
#include "dure/base/json.hpp"
#include "dure/flows/evaluation_work.hpp"

namespace dure::flows {

enum class Root { input, start, nodes, state, session, vars, secrets, item, index, loop, run, flow, step };
std::string_view name_of(Root root);

using PathStep = std::variant<std::string, std::int64_t>;

enum class FilterKind {
    default_value,
    json,
    parse_json,
    text,
    number,
    length,
    upper,
    lower,
    trim,
    first,
    last,
    join,
    split,
    slice,
    keys,
    get,
    replace,
    truncate,
    date,
    url,
    html
};

struct Filter {
    FilterKind kind;
    std::vector<Json> arguments;  // literals
};

struct Expression {
    Root root = Root::input;
    std::vector<PathStep> path;  // behind the root
    std::vector<Filter> filters;
    std::string source;  // as written, for messages
    // The name a root asks for: nodes.<id>, state.<name>; empty where the path has none.
    std::string_view name() const;
    bool has_default() const;
};

// What the roots stand for. The executor implements it; answers live as long as the scope.
class Scope {
public:
    virtual ~Scope() = default;
    // `name` is empty for input, item and index, which are values themselves. Null: there is no such thing.
    virtual const Json* find(Root root, std::string_view name) const = 0;
    // What is left to all expressions over this scope together.
    EvaluationWork& work() const { return work_; }

private:
    mutable EvaluationWork work_;
};

enum class Secrets { refused, allowed };

struct EvaluationLimits {
    std::size_t result_bytes = 1u << 20;  // of a text, and of each value put into one
};

class Template {
public:
    struct Limits {
        std::size_t expression_bytes = 4096;
        std::size_t filters = 20;
        std::size_t path_steps = 64;
    };

    // invalid_argument, reason "expression_syntax"; the message names the place. Roots and filters are a closed list, and of
    // the filters `secrets.*` takes url and default only ("secret_misplaced").
    static Result<Template> parse(std::string_view text, const Limits& limits);
    static Result<Template> parse(std::string_view text) { return parse(text, Limits{}); }

    // Errors, all invalid_argument: "expression_unresolved" (param: the path), "expression_value" (a filter or path step
    // met a value it cannot work on), "expression_too_large", "secret_misplaced".
    Result<Json> evaluate(const Scope& scope, Secrets secrets, const EvaluationLimits& limits = {}) const;

    bool is_literal() const;  // no expression in it
    bool is_single() const;  // exactly one expression: keeps its JSON type
    const std::string& literal() const;  // of a literal one
    std::vector<const Expression*> expressions() const;
    bool uses_secrets() const;

private:
    using Part = std::variant<std::string, Expression>;
    std::vector<Part> parts_;
    std::string literal_;  // escapes resolved; of a literal one
};

// The value of one expression. Missing values are empty optionals; only `default` takes them.
Result<std::optional<Json>> evaluate(const Expression& expression, const Scope& scope, Secrets secrets,
                                     const EvaluationLimits& limits);
// How a value stands inside text: strings as they are, null as nothing, objects and lists as compact JSON.
std::string text_of(const Json& value);

}  // namespace dure::flows
