// See operations.hpp.
#include "flows/compiler/operations.hpp"

#include <cmath>
#include <limits>

#include "dure/graph/state.hpp"

namespace dure::flows {

namespace {

Error cannot_set(std::string message)
{
    return Error(Errc::invalid_argument, std::move(message)).reason("set_value");
}

bool is_small_integer(const Json& value)
{
    constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
    return value.is_number_integer() && (!value.is_number_unsigned() || value.get<std::uint64_t>() <= most);
}

Result<Json> computed(const Json& before, const std::string& op, const Json& value)
{
    if (!before.is_number() || !value.is_number())
        return cannot_set("'" + op + "' needs numbers.");
    if (op == "divide" && value == 0)
        return cannot_set("Division by zero.");
    if (is_small_integer(before) && is_small_integer(value)) {
        const auto a = before.get<std::int64_t>();
        const auto b = value.get<std::int64_t>();
        std::int64_t result = 0;
        const bool overflow = op == "add"        ? __builtin_add_overflow(a, b, &result)
                              : op == "subtract" ? __builtin_sub_overflow(a, b, &result)
                              : op == "multiply" ? __builtin_mul_overflow(a, b, &result)
                                                 : (b == -1 && a == std::numeric_limits<std::int64_t>::min());
        if (overflow)
            return cannot_set("The result of '" + op + "' is too large.");
        if (op != "divide")
            return Json(result);
        if (a % b == 0)
            return Json(a / b);
    }
    const auto a = before.get<double>();
    const auto b = value.get<double>();
    const auto result = op == "add" ? a + b : op == "subtract" ? a - b : op == "multiply" ? a * b : a / b;
    if (!std::isfinite(result))
        return cannot_set("The result of '" + op + "' is too large.");
    return Json(result);
}

Json cleared(const std::optional<Json>& before)
{
    if (!before)
        return {};
    switch (before->type()) {
    case Json::value_t::array: return Json::array();
    case Json::value_t::object: return Json::object();
    case Json::value_t::string: return "";
    case Json::value_t::boolean: return false;
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
    case Json::value_t::number_float: return 0;
    default: return {};
    }
}

Result<Json> appended(const std::optional<Json>& before, const Json& value)
{
    if (!before || before->is_null())
        return Json::array({value});
    auto after = *before;
    if (after.is_array())
        after.push_back(value);
    else if (after.is_string())
        after = after.get<std::string>() + text_of(value);
    else
        return cannot_set("'append' needs a list or a text.");
    return after;
}

Result<Json> extended(const std::optional<Json>& before, const Json& value)
{
    if (!before || before->is_null())
        return value;
    auto after = *before;
    if (after.is_array() && value.is_array())
        after.insert(after.end(), value.begin(), value.end());
    else if (after.is_object() && value.is_object())
        after.update(value);
    else
        return cannot_set("'extend' needs two lists or two objects.");
    return after;
}

const Json* overwritten(const Json& update)
{
    if (!update.is_object() || update.size() != 1)
        return nullptr;
    const auto found = update.find("__overwrite__");
    return found == update.end() ? nullptr : &*found;
}

// One update as another one after it would leave it.
Json combined(const std::string& reducer, Json first, const Json& second)
{
    if (overwritten(second))
        return second;
    const auto* base = overwritten(first);
    auto value = base ? *base : first;
    if (reducer == "append" && value.is_array() && second.is_array())
        value.insert(value.end(), second.begin(), second.end());
    else if (reducer == "merge" && value.is_object() && second.is_object())
        value.update(second);
    else if (reducer == "add") {
        auto sum = computed(value, "add", second);
        value = sum ? *sum : second;
    } else
        return second;
    return base ? graph::overwrite(std::move(value)) : value;
}

// A variable's entry of session_channel after one more update.
Json with_update(Json change, const std::string& reducer, const Json& update)
{
    const Json replaced{{"replaced", true}};
    if (change == replaced || reducer == "last" || overwritten(update))
        return replaced;
    const auto before = change.is_null() ? std::nullopt : std::optional(change.at("added"));
    if (reducer == "append")
        return Json{{"added", (before ? before->get<std::size_t>() : 0) + (update.is_array() ? update.size() : 1)}};
    if (reducer == "merge")
        return Json{{"added", before ? combined(reducer, *before, update) : update}};
    const auto sum = computed(before.value_or(0), "add", update);
    return sum ? Json{{"added", *sum}} : replaced;
}

// The update of the reducer's own kind; nothing where the whole value has to be written.
std::optional<Json> own_update(const std::string& reducer, const std::string& op, const Json& value)
{
    if (reducer == "append" && op == "append")
        return Json::array({value});
    if (reducer == "append" && op == "extend" && value.is_array())
        return value;
    if (reducer == "add" && op == "add")
        return value;
    if (reducer == "add" && op == "subtract")
        if (auto negative = computed(Json(0), "subtract", value))
            return *negative;
    if (reducer == "merge" && op == "extend" && value.is_object())
        return value;
    return std::nullopt;
}

}  // namespace

Result<Json> after_operation(const std::optional<Json>& before, const std::string& op, const Json& value)
{
    if (op == "set")
        return value;
    if (op == "clear")
        return cleared(before);
    if (op == "append")
        return appended(before, value);
    if (op == "extend")
        return extended(before, value);
    if (op == "remove_first" || op == "remove_last") {
        if (!before || !before->is_array())
            return cannot_set("'" + op + "' needs a list.");
        auto after = *before;
        if (!after.empty())
            after.erase(op == "remove_first" ? after.begin() : after.end() - 1);
        return after;
    }
    return computed(before && !before->is_null() ? *before : Json(0), op, value);
}

Result<void> StateChanges::add(const std::string& root, const std::string& name, const std::string& op,
                               const Json& value, const Json& after)
{
    auto update = own_update(reducer_of(root, name), op, value);
    return put(root, name, update ? std::move(*update) : graph::overwrite(after));
}

Result<void> StateChanges::add_told(const Json& told, std::map<std::string, std::size_t>* last_writers,
                                    std::size_t item)
{
    for (const auto& change : told) {
        const auto root = change.at("root").get<std::string>();
        const auto name = change.at("name").get<std::string>();
        const bool replaces = reducer_of(root, name) == "last" || overwritten(change.at("update")) != nullptr;
        if (last_writers && replaces) {   // else all but one would be lost without a word (graph-semantics S4, S5)
            const auto [writer, first] = last_writers->try_emplace(root + "." + name, item);
            if (!first && writer->second != item)
                return cannot_set(root + "." + name +
                                  " was set by several items at once; give it a reducer, or run the items one by one.");
        }
        if (auto added = put(root, name, change.at("update")); !added)
            return added;
    }
    return {};
}

Result<void> StateChanges::put(std::string root, std::string name, Json update)
{
    for (auto& change : changes_)
        if (change.root == root && change.name == name) {
            change.update = combined(reducer_of(root, name), std::move(change.update), update);
            return {};
        }
    changes_.push_back({std::move(root), std::move(name), std::move(update)});
    return {};
}

std::string StateChanges::reducer_of(const std::string& root, const std::string& name) const
{
    if (root == "loop")
        return "last";
    const auto* variable = stage_.find_state(name, root == "session");
    return variable ? variable->reducer : "last";
}

void StateChanges::add_said(const Json& round)
{
    if (const auto replies = round.find("replies"); replies != round.end())
        replies_.insert(replies_.end(), replies->begin(), replies->end());
    if (const auto outputs = round.find("outputs"); outputs != round.end())
        outputs_.update(*outputs);
}

void StateChanges::write_to(Json& values) const
{
    if (!replies_.empty())
        values["r"] = replies_;
    if (!outputs_.empty())
        values["o"] = outputs_;
    auto told = Json::array();
    auto of_session = Json::array();
    for (const auto& change : changes_) {
        if (stage_.kind == Stage::Kind::flow && change.root == "session")
            of_session.push_back(Json{{"name", change.name}, {"update", change.update}});
        const bool of_loop = change.root == "loop";
        if (!of_loop)
            values["s." + change.name] = change.update;
        else if (stage_.kind == Stage::Kind::loop)
            values["v." + change.name] = change.update;
        const bool stays = of_loop && stage_.kind == Stage::Kind::loop;
        if (stage_.is_body() && !stays)
            told.push_back(Json{{"root", change.root}, {"name", change.name}, {"update", change.update}});
    }
    if (!told.empty())
        values["ops"] = std::move(told);
    if (!of_session.empty())
        values[std::string(session_channel)] = std::move(of_session);
}

graph::Reducer session_changes(const std::vector<StateVariable>& variables)
{
    std::map<std::string, std::string> reducers;
    for (const auto& variable : variables)
        reducers[variable.name] = variable.reducer;
    const auto fold = [reducers = std::move(reducers)](const Json& before, const Json& told) {
        auto changes = before;
        for (const auto& one : told) {
            const auto& name = one.at("name").get_ref<const std::string&>();
            changes[name] = with_update(std::move(changes[name]), reducers.at(name), one.at("update"));
        }
        return changes;
    };
    return graph::reducers::custom("session changes", Json::object(), fold);
}

}  // namespace dure::flows
