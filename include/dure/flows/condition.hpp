// Conditions of flow-format §5: compiled once (expressions, operators, patterns), then held against a scope many times.
//   auto conditions = flows::ConditionGroup::compile(json, {"nodes", "2", …, "cases", "0"}, "node id", problems);
//   auto holds = conditions->holds(scope);        // Result<bool>
// A value whose type does not fit the operator is an error, not false.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dure/base/error.hpp"
#include "dure/base/json.hpp"
#include "dure/flows/expression.hpp"
#include "dure/flows/problem.hpp"

namespace dure::flows {

enum class Operator {
    eq,
    ne,
    gt,
    ge,
    lt,
    le,
    contains,
    not_contains,
    starts_with,
    ends_with,
    in,
    not_in,
    empty,
    not_empty,
    exists,
    not_exists,
    all_of,
    matches
};

enum class OperandType { text, number, boolean, list, file };

class ConditionGroup {
public:
    static constexpr std::size_t deepest = 4;  // groups inside each other
    static constexpr std::size_t longest_pattern = 1000;  // characters

    // {"all":[…]} or {"any":[…]}; entries are conditions or groups. Codes: case_empty, condition_type, nesting,
    // expression_syntax, expression_unknown, field_…. Empty when anything is wrong.
    static std::optional<ConditionGroup> compile(const OrderedJson& group, std::vector<std::string> place,
                                                 std::string_view node_id, Problems& problems);

    // Stops at the first entry that decides. Errors: those of expressions (but exists and not_exists take paths that lead
    // nowhere), and "condition_type".
    Result<bool> holds(const Scope& scope) const;

    // Every template in it with its place, for checks of names.
    struct Used {
        const Template* text;
        std::vector<std::string> place;
    };
    std::vector<Used> templates() const;

private:
    struct State;
    explicit ConditionGroup(std::shared_ptr<const State> state) : state_(std::move(state)) {}
    friend struct ConditionCompiler;
    std::shared_ptr<const State> state_;
};

}  // namespace dure::flows
