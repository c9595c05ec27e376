// The compiled form of conditions, and how one operator compares two values.
#pragma once

#include <variant>

#include <re2/re2.h>

#include "dure/flows/condition.hpp"

namespace dure::flows {

// One side: text with expressions, or any other JSON value as it stands (a list may hold expressions).
struct Operand {
    Template text;
    std::optional<Json> constant;          // instead of text
    std::vector<Operand> entries;          // instead of both: a list with expressions in it
    bool is_list = false;
    std::vector<std::string> place;
};

struct Condition {
    Operator op = Operator::eq;
    Operand left;
    std::optional<Operand> right;          // empty: the operator takes one side
    std::optional<OperandType> type;       // empty: that of the left value
    bool ignore_case = false;
    std::shared_ptr<const RE2> pattern;    // of `matches` with a literal right side
};

struct ConditionGroup::State {
    bool all = true;
    std::vector<std::variant<Condition, ConditionGroup>> entries;
};

std::optional<Operator> find_operator(std::string_view name);
bool takes_right(Operator op);
bool fits(Operator op, OperandType type);
Result<std::shared_ptr<const RE2>> compile_pattern(std::string_view pattern, bool ignore_case);

// `left` and `right` are there; `right` is null for one-sided operators.
Result<bool> compare(const Condition& condition, const Json& left, const Json& right, EvaluationWork& work);

}  // namespace dure::flows
