// ConditionGroup: compile() reads groups and conditions with all their problems, holds() runs them in order.
#include "flows/expressions/condition.hpp"

#include <algorithm>
#include <array>

#include "flows/document/fields.hpp"

namespace dure::flows {

namespace {

const std::array<std::string_view, 5> type_names{"text", "number", "boolean", "list", "file"};

Result<std::optional<Json>> value_of(const Operand& operand, const Scope& scope)
{
    if (operand.constant)
        return std::optional<Json>(*operand.constant);
    if (operand.is_list) {
        auto list = Json::array();
        for (const auto& entry : operand.entries) {
            auto value = value_of(entry, scope);
            if (!value)
                return value;
            list.push_back(std::move(**value));
        }
        return std::optional<Json>(std::move(list));
    }
    auto value = operand.text.evaluate(scope, Secrets::refused);
    if (!value)
        return value.error();
    return std::optional<Json>(std::move(*value));
}

// What leads nowhere or is null is not there; every other error stays one.
Result<bool> is_there(const Operand& operand, const Scope& scope)
{
    const auto value = value_of(operand, scope);
    if (value)
        return !(*value)->is_null();
    if (value.error().reason() == "expression_unresolved")
        return false;
    return value.error();
}

Result<bool> condition_holds(const Condition& condition, const Scope& scope)
{
    if (condition.op == Operator::exists || condition.op == Operator::not_exists) {
        auto there = is_there(condition.left, scope);
        if (there && condition.op == Operator::not_exists)
            return !*there;
        return there;
    }
    const auto left = value_of(condition.left, scope);
    if (!left)
        return left.error();
    if (!condition.right)
        return compare(condition, **left, Json(), scope.work());
    const auto right = value_of(*condition.right, scope);
    if (!right)
        return right.error();
    return compare(condition, **left, **right, scope.work());
}

}  // namespace

struct ConditionCompiler {
    std::string_view node_id;
    Problems& problems;

    void problem(std::string code, Location place, std::string message) const
    {
        problems.add({std::move(code), std::move(place), std::move(message), Level::error, std::string(node_id)});
    }

    std::optional<ConditionGroup> group(const OrderedJson& value, const Location& place, std::size_t depth) const
    {
        if (depth > ConditionGroup::deepest) {
            problem("nesting", place, "conditions may be nested " + std::to_string(ConditionGroup::deepest) + " deep");
            return std::nullopt;
        }
        const auto* all = member(value, "all");
        const auto* any = member(value, "any");
        const auto* list = all ? all : any;
        if (!list || (all && any)) {
            problem(list ? "field_unknown" : "case_empty", place, "needs either all or any");
            return std::nullopt;
        }
        const auto inner = place / (all ? "all" : "any");
        if (!list->is_array()) {
            problem("field_type", inner, "must be a list");
            return std::nullopt;
        }
        if (list->empty()) {
            problem("case_empty", inner, "needs a condition");
            return std::nullopt;
        }
        auto state = std::make_shared<ConditionGroup::State>();
        state->all = all != nullptr;
        bool whole = true;
        for (std::size_t i = 0; i < list->size(); ++i)
            whole = entry((*list)[i], inner / i, depth, *state) && whole;
        if (!whole)
            return std::nullopt;
        return ConditionGroup(std::move(state));
    }

private:
    bool entry(const OrderedJson& value, const Location& place, std::size_t depth, ConditionGroup::State& state) const
    {
        if (value.is_object() && (value.contains("all") || value.contains("any"))) {
            auto inner = group(value, place, depth + 1);
            if (inner)
                state.entries.emplace_back(std::move(*inner));
            return inner.has_value();
        }
        auto one = condition(value, place);
        if (one)
            state.entries.emplace_back(std::move(*one));
        return one.has_value();
    }

    std::optional<Condition> condition(const OrderedJson& value, const Location& place) const
    {
        if (!value.is_object()) {
            problem("field_type", place, "must be an object");
            return std::nullopt;
        }
        Problems own;
        const FieldReader fields(value, place, own, std::string(node_id));
        fields.only({"id", "left", "op", "right", "type", "ignore_case"});
        fields.required("left");
        fields.required("op");
        Condition out;
        out.ignore_case = fields.boolean("ignore_case").value_or(false);
        const auto type = fields.one_of("type", {type_names.begin(), type_names.end()});
        if (type)
            out.type =
                static_cast<OperandType>(std::find(type_names.begin(), type_names.end(), *type) - type_names.begin());
        if (const auto name = fields.text("op", 1, 50)) {
            const auto op = find_operator(*name);
            if (!op)
                fields.problem("field_range", "op", "there is no operator " + in_quotes(*name));
            else if (out.type && !fits(*op, *out.type))
                fields.problem("condition_type", "op", *name + " cannot be used with type " + *type);
            else if (takes_right(*op) && !value.contains("right"))
                fields.required("right");
            if (op)
                out.op = *op;
        }
        for (const auto& found : own.list())
            problems.add(found);
        auto left = member(value, "left") ? operand(value.at("left"), place / "left") : std::nullopt;
        auto right =
            takes_right(out.op) && value.contains("right") ? operand(value.at("right"), place / "right") : Operand();
        if (own.has_errors() || !left || !right)
            return std::nullopt;
        out.left = std::move(*left);
        if (takes_right(out.op))
            out.right = std::move(*right);
        if (!settle_types(out))
            return std::nullopt;
        return out;
    }

    std::optional<Operand> operand(const OrderedJson& value, const Location& place) const
    {
        Operand out;
        out.place = place;
        if (value.is_string()) {
            auto text = Template::parse(value.get_ref<const std::string&>());
            if (!text) {
                problem(text.error().reason(), place, text.error().message());
                return std::nullopt;
            }
            if (text->uses_secrets())
                problem("secret_misplaced", place, "secrets can be used in http headers, auth and query only");
            out.text = std::move(*text);
            return out;
        }
        if (!value.is_array()) {
            out.constant = Json::parse(dump(value));
            return out;
        }
        out.is_list = true;
        bool whole = true;
        for (std::size_t i = 0; i < value.size(); ++i) {
            auto entry = operand(value[i], place / i);
            whole = whole && entry;
            if (entry)
                out.entries.push_back(std::move(*entry));
        }
        return whole ? std::optional(std::move(out)) : std::nullopt;
    }

    // Written text beside a type of numbers or truth is read as that type now; patterns are compiled now.
    bool settle_types(Condition& condition) const
    {
        bool fine = true;
        for (auto* side : {&condition.left, condition.right ? &*condition.right : nullptr})
            if (side && (condition.type == OperandType::number || condition.type == OperandType::boolean))
                fine = read_as(*condition.type, *side) && fine;
        if (condition.op == Operator::matches && condition.right && !condition.right->constant &&
            condition.right->text.is_literal()) {
            auto pattern = compile_pattern(condition.right->text.literal(), condition.ignore_case);
            if (!pattern) {
                problem("condition_type", condition.right->place, pattern.error().message());
                return false;
            }
            condition.pattern = std::move(*pattern);
        }
        return fine;
    }

    bool read_as(OperandType type, Operand& operand) const
    {
        bool fine = true;
        for (auto& entry : operand.entries)
            fine = read_as(type, entry) && fine;
        if (operand.is_list || operand.constant || !operand.text.is_literal())
            return fine;
        auto value = Json::parse(operand.text.literal(), nullptr, false);
        if (type == OperandType::number ? !value.is_number() : !value.is_boolean()) {
            problem("condition_type", operand.place,
                    in_quotes(operand.text.literal()) + " is no " +
                        std::string(type_names[static_cast<std::size_t>(type)]));
            return false;
        }
        operand.constant = std::move(value);
        return fine;
    }
};

std::optional<ConditionGroup> ConditionGroup::compile(const OrderedJson& group, std::vector<std::string> place,
                                                      std::string_view node_id, Problems& problems)
{
    return ConditionCompiler{node_id, problems}.group(group, place, 1);
}

Result<bool> ConditionGroup::holds(const Scope& scope) const
{
    for (const auto& entry : state_->entries) {
        const auto* inner = std::get_if<ConditionGroup>(&entry);
        const auto one = inner ? inner->holds(scope) : condition_holds(std::get<Condition>(entry), scope);
        if (!one)
            return one.error();
        if (*one != state_->all)
            return *one;
    }
    return state_->all;
}

namespace {

void collect(const Operand& operand, std::vector<ConditionGroup::Used>& out)
{
    for (const auto& entry : operand.entries)
        collect(entry, out);
    if (!operand.constant && !operand.is_list)
        out.push_back({&operand.text, operand.place});
}

}  // namespace

std::vector<ConditionGroup::Used> ConditionGroup::templates() const
{
    std::vector<Used> out;
    for (const auto& entry : state_->entries) {
        if (const auto* inner = std::get_if<ConditionGroup>(&entry)) {
            const auto more = inner->templates();
            out.insert(out.end(), more.begin(), more.end());
            continue;
        }
        const auto& condition = std::get<Condition>(entry);
        collect(condition.left, out);
        if (condition.right)
            collect(*condition.right, out);
    }
    return out;
}

}  // namespace dure::flows
