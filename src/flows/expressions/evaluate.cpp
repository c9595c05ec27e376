// evaluate(): root from the scope, steps into the value, filters. Nothing is copied before the value is reached.
#include "dure/flows/expression.hpp"
#include "flows/expressions/filters.hpp"
#include "flows/expressions/parse.hpp"

namespace dure::flows {

namespace {

// Between two filters a text may be longer than a result, as a long body that is cut later. Without a bound each `json` would
// double it.
constexpr std::size_t results_between_filters = 8;

// Null: the step leads nowhere. Behind a list an index may be negative: from its end.
const Json* step_into(const Json& value, const PathStep& step)
{
    if (const auto* name = std::get_if<std::string>(&step)) {
        if (!value.is_object())
            return nullptr;
        const auto found = value.find(*name);
        return found == value.end() ? nullptr : &*found;
    }
    if (!value.is_array())
        return nullptr;
    const auto asked = std::get<std::int64_t>(step);
    const auto size = static_cast<std::int64_t>(value.size());
    const auto index = asked < 0 ? asked + size : asked;
    return index < 0 || index >= size ? nullptr : &value[static_cast<std::size_t>(index)];
}

const Json* look_up(const Expression& expression, const Scope& scope)
{
    const auto* value = scope.find(expression.root, expression.name());
    for (std::size_t i = names_something(expression.root) ? 1 : 0; value && i < expression.path.size(); ++i)
        value = step_into(*value, expression.path[i]);
    return value;
}

}  // namespace

Result<std::optional<Json>> evaluate(const Expression& expression, const Scope& scope, Secrets secrets,
                                     const EvaluationLimits& limits)
{
    if (expression.root == Root::secrets && secrets == Secrets::refused)
        return Error(Errc::invalid_argument, "A secret cannot be used here.").reason("secret_misplaced");
    const auto* found = look_up(expression, scope);
    auto& work = scope.work();
    if (!work.step(found ? cost_of(copying, *found, work.left()) : 0))
        return too_much_work();
    std::optional<Json> value = found ? std::optional<Json>(*found) : std::nullopt;
    for (const auto& filter : expression.filters) {
        auto next = apply_filter(filter, std::move(value), limits.result_bytes, work);
        if (!next)
            return next;
        value = std::move(*next);
        if (value && value->is_string() &&
            value->get_ref<const std::string&>().size() > results_between_filters * limits.result_bytes)
            return filter_result_too_large(results_between_filters * limits.result_bytes);
    }
    return value;
}

}  // namespace dure::flows
