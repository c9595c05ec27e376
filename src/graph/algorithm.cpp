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
                             const Destination& route, Destinations& into)
{
    if (target == end && !route.argument())
        return {};
    const auto node = definition.find(target);
    if (!node)
        return bad_destination(from, target);
    if (route.argument())
        into.sends.push_back(PlannedTask{*node, route.argument(), route.timeout()});
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
        if (auto added = add_destination(definition, from, target, route, into); !added)
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
            if (!progress.triggered[i] || definition.nodes[i].options.defer != deferred)
                continue;
            tasks.push_back(PlannedTask{i, nullptr, {}});
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

namespace {

Result<void> check_form(const std::string& node, const Update& update)
{
    if (!update.values.is_null() && !update.values.is_object())
        return Error(Errc::internal, "Node '" + node + "' returned neither an object nor nothing.")
            .reason("INVALID_GRAPH_NODE_RETURN_VALUE");
    for (const auto& further : update.then)
        if (auto fits = check_form(node, further); !fits)
            return fits;
    return {};
}

void add_writes(std::string_view node, const Update& update, std::vector<Write>& writes)
{
    writes.push_back(Write{node, &update.values});
    for (const auto& further : update.then)
        add_writes(node, further, writes);
}

Result<void> add_goto(const Definition& definition, std::string_view from, const Update& update, Destinations& into)
{
    for (const auto& target : update.go_to)
        if (auto added = add_destination(definition, from, target.node(), target, into); !added)
            return added.error();
    for (const auto& further : update.then)
        if (auto added = add_goto(definition, from, further, into); !added)
            return added.error();
    return {};
}

// S8: what an ephemeral channel held was for the superstep that has just ended.
void clear_ephemeral(const Definition& definition, State& state, Changes& changes)
{
    for (std::size_t i = 0; i < definition.reducers.size(); ++i) {
        if (!definition.reducers[i].ephemeral || !state.value(i))
            continue;
        if (std::any_of(changes.begin(), changes.end(), [&](const ChannelChange& one) { return one.channel == i; }))
            continue;
        state.value(i) = nullptr;
        changes.push_back(ChannelChange{i, true, {}});
    }
}

}  // namespace

Result<Destinations> destinations_of(const Definition& definition, State& state, std::size_t node,
                                     const Update& update, bool alone)
{
    const auto& from = definition.nodes[node];
    if (auto fits = check_form(from.name, update); !fits)
        return fits.error();
    Destinations destinations;
    if (!from.edges.conditional.empty()) {
        std::optional<State> copied;
        if (!alone)
            copied.emplace(state);
        State& own = copied ? *copied : state;
        std::vector<Write> writes;
        add_writes(from.name, update, writes);
        MomentaryFold folded(own);
        if (auto applied = folded.apply(definition, writes); !applied)
            return applied.error();
        for (const auto& edges : from.edges.conditional)
            if (auto followed = follow(definition, edges, from.name, own, destinations); !followed)
                return followed.error();
    }
    if (auto added = add_goto(definition, from.name, update, destinations); !added)
        return added.error();
    return destinations;
}

Result<Changes> apply(const Definition& definition, Progress& progress, const std::vector<const FinishedTask*>& finished,
                      Warnings& warnings)
{
    std::vector<Write> writes;
    writes.reserve(finished.size());
    for (const auto* task : finished)
        add_writes(definition.nodes[task->node].name, task->update, writes);
    auto changes = fold(definition, progress.state, writes, warnings);
    if (!changes)
        return changes;
    if (definition.has_ephemeral)
        clear_ephemeral(definition, progress.state, *changes);
    progress.wrote.clear();
    for (const auto* task : finished) {
        trigger(progress, definition.nodes[task->node].edges, task->destinations);
        if (progress.wrote.empty() || progress.wrote.back() != task->node)
            progress.wrote.push_back(task->node);
    }
    for (const auto* task : finished)
        arrive(definition, progress, task->node);
    return changes;
}

Result<Json> known_input(const Definition& definition, const Json& input)
{
    auto known = Json::object();
    if (input.is_object())
        for (std::size_t i = 0; i < definition.reducers.size(); ++i)
            if (const auto at = input.find((*definition.channel_names)[i]); at != input.end() && definition.input_channels[i])
                known[at.key()] = *at;
    if (known.empty())
        return Error(Errc::invalid_argument, "The input has no value for any channel of the graph.").reason("EMPTY_INPUT");
    return known;
}

Result<Changes> accept_input(const Definition& definition, Progress& progress, const Json& known, Warnings& warnings)
{
    auto changes = fold(definition, progress.state, {Write{start, &known}}, warnings);
    if (!changes)
        return changes;
    Destinations destinations;
    for (const auto& edges : definition.entry.conditional)
        if (auto followed = follow(definition, edges, start, progress.state, destinations); !followed)
            return followed.error();
    drop_open(progress);
    progress.wrote.clear();
    trigger(progress, definition.entry, destinations);
    return changes;
}

Result<Changes> apply_command(const Definition& definition, Progress& progress, const Update& update, Warnings& warnings)
{
    if (auto fits = check_form(std::string(start), update); !fits)
        return fits.error();
    Destinations destinations;
    if (auto added = add_goto(definition, start, update, destinations); !added)
        return added.error();
    std::vector<Write> writes;
    add_writes(start, update, writes);
    auto changes = fold(definition, progress.state, writes, warnings);
    if (!changes)
        return changes;
    drop_open(progress);
    progress.wrote.clear();
    trigger(progress, OutgoingEdges(), destinations);
    return changes;
}

Result<Changes> apply_as(const Definition& definition, Progress& progress, std::size_t node, const Update& update,
                         Warnings& warnings)
{
    auto destinations = destinations_of(definition, progress.state, node, update, true);
    if (!destinations)
        return destinations.error();
    std::vector<Write> writes;
    add_writes(definition.nodes[node].name, update, writes);
    auto changes = fold(definition, progress.state, writes, warnings);
    if (!changes)
        return changes;
    progress.wrote.assign(1, node);
    trigger(progress, definition.nodes[node].edges, *destinations);
    arrive(definition, progress, node);
    return changes;
}

void drop_open(Progress& progress)
{
    progress.triggered.assign(progress.triggered.size(), false);
    progress.sent.clear();
    for (auto& arrived : progress.arrived)
        arrived.assign(arrived.size(), false);
}

}  // namespace dure::graph
