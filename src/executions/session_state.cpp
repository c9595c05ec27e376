// See session_state.hpp.
#include "executions/session_state.hpp"

#include <algorithm>

#include "dure/flows/inputs.hpp"
#include "dure/graph/reducer.hpp"

namespace dure::executions {

namespace {

constexpr const char* changes_key = "session_changes";

bool of_session(const Json& variable)
{
    return variable.value("scope", "run") == "session";
}

// What one execution added to `own`, added to what is there now. A sum that leaves the numbers is its own one: the end
// of an execution is no place to fail.
Json with_added(const std::string& reducer, Json now, const Json& own, const Json& added)
{
    if (reducer == "add")
        return graph::reducers::sum().apply(now, added) ? now : own;
    if (reducer == "merge") {
        now.update(added);
        return now;
    }
    const auto length = std::min(added.get<std::size_t>(), own.size());
    now.insert(now.end(), own.end() - static_cast<std::ptrdiff_t>(length), own.end());
    return now;
}

// `values`: as the execution has them, which did not see those that are there `now`.
void fold(Json& values, const Json& now, const Json& changes, const Json& state)
{
    for (const auto& variable : state) {
        const auto name = variable.value("name", "");
        const auto there = now.find(name);
        const auto change = changes.find(name);
        if (there == now.end() || change == changes.end())
            continue;
        if (const auto added = change->find("added"); added != change->end())
            values[name] = with_added(variable.value("reducer", "last"), *there, values[name], *added);
    }
}

// What stays as it is there, whatever this version can go on from: what it does not declare, and of what it had not seen
// what it did not change.
void keep(Json& values, const Json& left, const Json& changes, const Json& state, bool unseen)
{
    const auto declared = [&](const std::string& name) {
        return std::any_of(state.begin(), state.end(),
                           [&](const Json& one) { return of_session(one) && one.value("name", "") == name; });
    };
    for (const auto& [name, value] : left.items())
        if (!declared(name) || (unseen && !changes.contains(name)))
            values[name] = value;
}

}  // namespace

bool has_session_state(const Json& state)
{
    return state.is_array() && std::any_of(state.begin(), state.end(), of_session);
}

Json session_values(const LeftState& left, const Json& state, std::int64_t flow_version)
{
    // Another version may have declared another type; this one goes on from whatever it left itself.
    const auto fits = left.flow_version == flow_version ? flows::can_go_on_from : flows::fits_variable;
    auto values = Json::object();
    for (const auto& variable : state) {
        const auto name = variable.value("name", "");
        const auto value = left.values.find(name);
        if (of_session(variable) && value != left.values.end() && fits(variable, *value))
            values[name] = *value;
    }
    return values;
}

void tell_session_changes(Json& output, const Execution& execution, const Json& state)
{
    const auto changes = output.find(changes_key);
    if (changes == output.end())
        return;
    if (execution.session_id.empty()) {
        output.erase(changes);
        return;
    }
    *changes = Json{{"flow_id", execution.flow_id},
                    {"flow_version", execution.flow_version},
                    {"owner_id", execution.owner_id},
                    {"session_id", execution.session_id},
                    {"since", execution.facts.value("session_turn", Json())},
                    {"state", state},
                    {"changes", std::move(*changes)}};
}

Result<void> leave_session_state(ExecutionRows& rows, Outcome& outcome)
{
    if (!outcome.output || !outcome.output->contains(changes_key))
        return {};
    auto& output = *outcome.output;
    const auto told = std::move(output.at(changes_key));
    output.erase(changes_key);
    const SessionPlace place{told.at("flow_id").get<std::string>(), told.at("owner_id").get<std::string>(),
                             told.at("session_id").get<std::string>()};
    if (auto held = rows.hold_session(place); !held)
        return held;
    const auto left = rows.session_state(place);
    if (!left)
        return left.error();
    outcome.session_turn = left->turn + 1;
    // One that began before its start noted the turn may have changed what it does not list.
    const auto& since = told.at("since");
    const bool unseen = !since.is_null() && left->turn != since.get<std::int64_t>();
    const auto& state = told.at("state");
    const auto& changes = told.at("changes");
    auto values = output.value("session_state", Json::object());
    if (unseen)
        fold(values, session_values(*left, state, told.at("flow_version").get<std::int64_t>()), changes, state);
    keep(values, left->values, changes, state, unseen);
    if (!values.empty())
        output["session_state"] = std::move(values);
    return {};
}

}  // namespace dure::executions
