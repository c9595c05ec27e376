// Planning, routing and triggering; see algorithm.hpp. Folding is in fold.cpp.
#include "graph/algorithm.hpp"

#include <algorithm>

#include "graph/fold.hpp"

namespace dure::graph {
namespace {

Error bad_destination(std::string_view from, std::string_view target)
{
    return Error(Errc::internal, "Node '" + std::string(from) + "' leads to the unknown node '" + std::string(target) + "'.")
        .reason("INVALID_DESTINATION");
}

Result<void> add_destination(const Definition& definition, std::string_view from, const std::string& target,
                             const Value& argument, Destinations& into)
{
    if (target == end && !argument)
        return {};
    const auto node = definition.find(target);
    if (!node)
        return bad_destination(from, target);
    if (argument)
        into.sends.push_back(PlannedTask{*node, argument});
    else
        into.nodes.push_back(*node);
    return {};
}

Result<Routes> call_route(const ConditionalEdges& edges, std::string_view from, const State& state)
{
    try {
        return edges.route(state);
    } catch (const std::exception& error) {
        return Error(Errc::internal, "The routing after '" + std::string(from) + "' failed.")
            .reason("NODE_ERROR")
            .detail(error.what());
    }
}

Result<void> follow(const Definition& definition, const ConditionalEdges& edges, std::string_view from,
                    const State& state, Destinations& into)
{
    const auto routes = call_route(edges, from, state);
    if (!routes)
        return routes.error();
    for (const auto& route : *routes) {
        const auto label = edges.labels.find(route.node());
        const bool declared = !edges.labelled || route.argument() || label != edges.labels.end();
        if (!declared)
            return bad_destination(from, route.node());
        const auto& target = edges.labelled && !route.argument() ? label->second : route.node();
        if (auto added = add_destination(definition, from, target, route.argument(), into); !added)
            return added.error();
    }
    return {};
}

void arrive(const Definition& definition, Progress& progress, std::size_t node)
{
    for (std::size_t e = 0; e < definition.waiting.size(); ++e) {
        const auto& edge = definition.waiting[e];
        auto& arrived = progress.arrived[e];
        for (std::size_t i = 0; i < edge.from.size(); ++i)
            if (edge.from[i] == node)
                arrived[i] = true;
        if (std::find(arrived.begin(), arrived.end(), false) != arrived.end())
            continue;
        progress.triggered[edge.to] = true;
        arrived.assign(arrived.size(), false);   // it re-arms, for loops (E2)
    }
}

void trigger(Progress& progress, const OutgoingEdges& edges, const Destinations& destinations)
{
    for (const auto node : edges.plain)
        progress.triggered[node] = true;
    for (const auto node : destinations.nodes)
        progress.triggered[node] = true;
    progress.sent.insert(progress.sent.end(), destinations.sends.begin(), destinations.sends.end());
}

}  // namespace

std::optional<std::size_t> Definition::find(std::string_view name) const
{
    const auto at = std::lower_bound(nodes.begin(), nodes.end(), name,
                                     [](const NodeDefinition& node, std::string_view wanted) { return node.name < wanted; });
    if (at == nodes.end() || at->name != name)
        return std::nullopt;
    return static_cast<std::size_t>(at - nodes.begin());
}

Progress::Progress(const Definition& definition)
    : state(definition.channel_names), triggered(definition.nodes.size(), false)
{
    for (std::size_t i = 0; i < definition.reducers.size(); ++i)
        if (definition.reducers[i].initial)
            state.value(i) = std::make_shared<Json>(*definition.reducers[i].initial);
    for (const auto& edge : definition.waiting)
        arrived.emplace_back(edge.from.size(), false);
}

std::vector<PlannedTask> plan(const Definition& definition, Progress& progress)
{
    std::vector<PlannedTask> tasks;
    const auto take = [&](bool deferred) {
        for (std::size_t i = 0; i < progress.triggered.size(); ++i) {
            if (!progress.triggered[i] || definition.nodes[i].defer != deferred)
                continue;
            tasks.push_back(PlannedTask{i, nullptr});
            progress.triggered[i] = false;
        }
    };
    take(false);
    tasks.insert(tasks.end(), progress.sent.begin(), progress.sent.end());
    progress.sent.clear();
    if (tasks.empty())
        take(true);
    return tasks;
}

Result<Destinations> destinations_of(const Definition& definition, const State& snapshot, std::size_t node,
                                     const Update& update)
{
    const auto& from = definition.nodes[node];
    if (!update.values.is_null() && !update.values.is_object())
        return Error(Errc::internal, "Node '" + from.name + "' returned neither an object nor nothing.")
            .reason("INVALID_GRAPH_NODE_RETURN_VALUE");
    Destinations destinations;
    if (!from.edges.conditional.empty()) {
        State own = snapshot;
        Warnings ignored;   // apply() gives the same warnings for the run
        if (auto folded = fold(definition, own, {Write{from.name, &update.values}}, ignored); !folded)
            return folded.error();
        for (const auto& edges : from.edges.conditional)
            if (auto followed = follow(definition, edges, from.name, own, destinations); !followed)
                return followed.error();
    }
    for (const auto& target : update.go_to)
        if (auto added = add_destination(definition, from.name, target.node(), target.argument(), destinations); !added)
            return added.error();
    return destinations;
}

Result<bool> apply(const Definition& definition, Progress& progress, const std::vector<FinishedTask>& finished,
                   Warnings& warnings)
{
    std::vector<Write> writes;
    writes.reserve(finished.size());
    for (const auto& task : finished)
        writes.push_back(Write{definition.nodes[task.node].name, &task.update.values});
    const auto changed = fold(definition, progress.state, writes, warnings);
    if (!changed)
        return changed.error();
    for (const auto& task : finished)
        trigger(progress, definition.nodes[task.node].edges, task.destinations);
    for (const auto& task : finished)
        arrive(definition, progress, task.node);
    return *changed;
}

Result<void> accept_input(const Definition& definition, Progress& progress, const Json& input)
{
    auto known = Json::object();
    if (input.is_object())
        for (const auto& [key, value] : input.items())
            if (const auto index = progress.state.index_of(key); index != State::unknown && definition.input_channels[index])
                known[key] = value;
    if (known.empty())
        return Error(Errc::invalid_argument, "The input has no value for any channel of the graph.").reason("EMPTY_INPUT");
    Warnings none;
    if (auto folded = fold(definition, progress.state, {Write{start, &known}}, none); !folded)
        return folded.error();
    Destinations destinations;
    for (const auto& edges : definition.entry.conditional)
        if (auto followed = follow(definition, edges, start, progress.state, destinations); !followed)
            return followed.error();
    trigger(progress, definition.entry, destinations);
    return {};
}

}  // namespace dure::graph
