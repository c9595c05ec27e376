// compare(): one operator on two values. Types are checked first: what does not fit is an error.
#include <algorithm>
#include <array>

#include "dure/base/text.hpp"
#include "flows/document/fields.hpp"
#include "flows/expressions/condition.hpp"
#include "flows/expressions/find_text.hpp"
#include "flows/expressions/letter_case.hpp"

namespace dure::flows {

namespace {

struct OperatorRule {
    std::string_view name;
    bool text, number, boolean, list, file;
};

// In the order of the enum: with which types an operator can be used.
constexpr std::array<OperatorRule, 18> operator_rules{{{"eq", true, true, true, true, false},
                                                       {"ne", true, true, true, true, false},
                                                       {"gt", true, true, false, false, false},
                                                       {"ge", true, true, false, false, false},
                                                       {"lt", true, true, false, false, false},
                                                       {"le", true, true, false, false, false},
                                                       {"contains", true, false, false, true, false},
                                                       {"not_contains", true, false, false, true, false},
                                                       {"starts_with", true, false, false, false, false},
                                                       {"ends_with", true, false, false, false, false},
                                                       {"in", true, true, true, false, false},
                                                       {"not_in", true, true, true, false, false},
                                                       {"empty", true, false, false, true, true},
                                                       {"not_empty", true, false, false, true, true},
                                                       {"exists", true, true, true, true, true},
                                                       {"not_exists", true, true, true, true, true},
                                                       {"all_of", false, false, false, true, false},
                                                       {"matches", true, false, false, false, false}}};

Error wrong_type(Operator op, const Json& value, std::string_view side)
{
    return Error(Errc::invalid_argument,
                 "The condition " + std::string(operator_rules[static_cast<std::size_t>(op)].name) +
                     " cannot use a value of type " + value.type_name() + " on its " + std::string(side) + " side.")
        .reason("condition_type");
}

std::optional<OperandType> type_of(const Json& value)
{
    switch (value.type()) {
    case Json::value_t::string: return OperandType::text;
    case Json::value_t::boolean: return OperandType::boolean;
    case Json::value_t::array: return OperandType::list;
    case Json::value_t::object: return OperandType::file;
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
    case Json::value_t::number_float: return OperandType::number;
    default: return std::nullopt;
    }
}

Json folded(const Json& value, bool ignore_case)
{
    if (!ignore_case)
        return value;
    if (value.is_string())
        return without_case(value.get_ref<const std::string&>());
    if (!value.is_array())
        return value;
    auto out = Json::array();
    for (const auto& entry : value)
        out.push_back(folded(entry, true));
    return out;
}

bool ordered(Operator op, const Json& left, const Json& right)
{
    switch (op) {
    case Operator::gt: return right < left;
    case Operator::ge: return !(left < right);
    case Operator::lt: return left < right;
    default: return !(right < left);
    }
}

bool among(const Json& value, const Json& list)
{
    return std::find(list.begin(), list.end(), value) != list.end();
}

Result<bool> contains(const Condition& condition, const Json& left, const Json& right)
{
    if (left.is_array())
        return among(right, left);
    if (!right.is_string())
        return wrong_type(condition.op, right, "right");
    const auto& text = left.get_ref<const std::string&>();
    const auto& part = right.get_ref<const std::string&>();
    if (condition.op == Operator::starts_with)
        return text.starts_with(part);
    if (condition.op == Operator::ends_with)
        return text.ends_with(part);
    return find_text(text, part) != std::string::npos;
}

// In the order of values, so that two long lists do not cost their product.
bool all_among(const Json& wanted, const Json& list)
{
    std::vector<const Json*> sorted;
    sorted.reserve(list.size());
    for (const auto& one : list)
        sorted.push_back(&one);
    const auto before = [](const Json* a, const Json* b) { return *a < *b; };
    std::sort(sorted.begin(), sorted.end(), before);
    return std::all_of(wanted.begin(), wanted.end(),
                       [&](const Json& one) { return std::binary_search(sorted.begin(), sorted.end(), &one, before); });
}

// Linear in the text, but each character may cost as many steps as the pattern has states, some 10 ns each.
Result<bool> found_in(const std::string& text, const RE2& pattern, EvaluationWork& work)
{
    constexpr std::size_t most_steps = 100'000'000;
    const auto states = static_cast<std::size_t>(std::max(1, pattern.ProgramSize()));
    if (text.size() > most_steps / states)
        return Error(Errc::invalid_argument, "The text is too long for a pattern of this size.")
            .reason("condition_type");
    if (!work.spend(text.size() * states))
        return too_much_work();
    return RE2::PartialMatch(text, pattern);
}

Result<bool> matches(const Condition& condition, const Json& left, const Json& right, EvaluationWork& work)
{
    const auto& text = left.get_ref<const std::string&>();
    if (condition.pattern)
        return found_in(text, *condition.pattern, work);
    if (!right.is_string())
        return wrong_type(condition.op, right, "right");
    const auto pattern = compile_pattern(right.get_ref<const std::string&>(), condition.ignore_case);
    if (!pattern)
        return pattern.error();
    return found_in(text, **pattern, work);
}

// One pass; a list is sorted for all_of.
std::size_t cost_of_side(const Condition& condition, const Json& value, std::size_t enough)
{
    constexpr std::size_t reading = 8;   // of eight bytes
    constexpr std::size_t letter_case = 128;
    constexpr std::size_t sorting = 16;
    const bool folds = condition.ignore_case && condition.op != Operator::matches;
    const Pass pass{copying.of_a_value, reading + (folds ? letter_case : 0)};
    return cost_of(pass, value, enough) * (condition.op == Operator::all_of ? sorting : 1);
}

Result<bool> negated(Result<bool> value)
{
    if (value)
        *value = !*value;
    return value;
}

Result<bool> compare_folded(const Condition& condition, OperandType type, const Json& left, const Json& right,
                            EvaluationWork& work)
{
    const auto same_type = type_of(right) == type;
    switch (condition.op) {
    case Operator::eq:
    case Operator::ne:
        if (!same_type)
            return wrong_type(condition.op, right, "right");
        return (left == right) == (condition.op == Operator::eq);
    case Operator::gt:
    case Operator::ge:
    case Operator::lt:
    case Operator::le:
        if (!same_type)
            return wrong_type(condition.op, right, "right");
        return ordered(condition.op, left, right);
    case Operator::contains:
    case Operator::starts_with:
    case Operator::ends_with: return contains(condition, left, right);
    case Operator::not_contains: return negated(contains(condition, left, right));
    case Operator::in:
    case Operator::not_in:
        if (!right.is_array())
            return wrong_type(condition.op, right, "right");
        return among(left, right) == (condition.op == Operator::in);
    case Operator::empty: return left.empty() || (left.is_string() && left.get_ref<const std::string&>().empty());
    case Operator::not_empty:
        return !(left.empty() || (left.is_string() && left.get_ref<const std::string&>().empty()));
    case Operator::all_of:
        if (!right.is_array())
            return wrong_type(condition.op, right, "right");
        return all_among(right, left);
    case Operator::matches: return matches(condition, left, right, work);
    case Operator::exists: return true;
    case Operator::not_exists: return false;
    }
    return false;
}

}  // namespace

std::optional<Operator> find_operator(std::string_view name)
{
    const auto found =
        std::find_if(operator_rules.begin(), operator_rules.end(), [&](const auto& rule) { return rule.name == name; });
    if (found == operator_rules.end())
        return std::nullopt;
    return static_cast<Operator>(found - operator_rules.begin());
}

bool takes_right(Operator op)
{
    return op != Operator::empty && op != Operator::not_empty && op != Operator::exists && op != Operator::not_exists;
}

bool fits(Operator op, OperandType type)
{
    const auto& rule = operator_rules[static_cast<std::size_t>(op)];
    switch (type) {
    case OperandType::text: return rule.text;
    case OperandType::number: return rule.number;
    case OperandType::boolean: return rule.boolean;
    case OperandType::list: return rule.list;
    case OperandType::file: return rule.file;
    }
    return false;
}

Result<std::shared_ptr<const RE2>> compile_pattern(std::string_view pattern, bool ignore_case)
{
    const auto refuse = [](std::string why) {
        return Error(Errc::invalid_argument, "The pattern cannot be used: " + std::move(why) + ".")
            .reason("condition_type");
    };
    if (utf8_characters(pattern) > ConditionGroup::longest_pattern)
        return refuse("it is longer than " + std::to_string(ConditionGroup::longest_pattern) + " characters");
    RE2::Options options(RE2::Quiet);
    options.set_max_mem(1 << 20);
    options.set_case_sensitive(!ignore_case);
    auto compiled = std::make_shared<const RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
    if (!compiled->ok())
        return refuse(compiled->error());
    return compiled;
}

Result<bool> compare(const Condition& condition, const Json& left, const Json& right, EvaluationWork& work)
{
    if (!work.step(cost_of_side(condition, left, work.left()) + cost_of_side(condition, right, work.left())))
        return too_much_work();
    const auto found = type_of(left);
    const auto type = condition.type.value_or(found.value_or(OperandType::text));
    if (found != type || !fits(condition.op, type))
        return wrong_type(condition.op, left, "left");
    if (!condition.ignore_case || condition.op == Operator::matches)
        return compare_folded(condition, type, left, right, work);
    return compare_folded(condition, type, folded(left, true), folded(right, true), work);
}

}  // namespace dure::flows
