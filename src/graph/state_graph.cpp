// The builder and its checks (E7); see graph.hpp. compile() first names every mistake of the draft, then turns names
// into indices.
#include <algorithm>
#include <set>

#include "dure/base/text.hpp"
#include "dure/graph/graph.hpp"
#include "graph/definition.hpp"

namespace dure::graph {
namespace {

struct DraftNode {
    NodeFunction function;
    NodeOptions options;
    std::shared_ptr<const Subgraph> subgraph;
};

struct DraftEdge {
    std::vector<std::string> from;   // more than one: a waiting edge
    std::string to;
};

struct DraftConditional {
    std::string from;
    ConditionalEdges edges;
};

// The marks of an `updates` event stand where nodes' names do (T1).
bool reserved(std::string_view name)
{
    return name.empty() || name == start || name == end || name == "START" || name == "END" ||
           name == "__interrupt__" || name == "__metadata__" || name.find_first_of("|:") != std::string_view::npos;
}

// What a checkpoint of this graph depends on (D11): names of channels with their reducers, of nodes, and edges.
std::string version_of(const Definition& definition)
{
    std::string text;
    for (std::size_t i = 0; i < definition.reducers.size(); ++i)
        text += "c " + (*definition.channel_names)[i] + " " + definition.reducers[i].name + "\n";
    const auto add_edges = [&](const OutgoingEdges& edges) {
        for (const auto to : edges.plain)
            text += "e " + definition.nodes[to].name + "\n";
        for (const auto& conditional : edges.conditional) {
            text += "?\n";
            for (const auto& [label, target] : conditional.labels)
                text += "l " + label + " " + target + "\n";
        }
    };
    add_edges(definition.entry);
    for (const auto& node : definition.nodes) {
        text += "n " + node.name + (node.subgraph ? " " + node.subgraph->graph.version() : "") + "\n";
        add_edges(node.edges);
    }
    for (const auto& edge : definition.waiting)
        text += "w " + edge.name + "\n";
    return hex(sha256(text)).substr(0, 32);
}

}  // namespace

bool names_node(const std::vector<std::string>& list, const std::string& node)
{
    return std::any_of(list.begin(), list.end(), [&](const std::string& name) { return name == "*" || name == node; });
}

struct StateGraph::Draft {
    std::map<std::string, Reducer> channels;
    std::map<std::string, DraftNode> nodes;
    std::vector<DraftEdge> edges;
    std::vector<DraftConditional> conditionals;
    std::vector<std::string> problems;

    bool knows(const std::string& node) const { return nodes.find(node) != nodes.end(); }
    void check_edges(std::vector<std::string>& found) const;
    void check_conditionals(std::vector<std::string>& found) const;
    void check_reachable(std::vector<std::string>& found) const;
    void check_channels(const CompileOptions& options, std::vector<std::string>& found) const;
    void check_maps(std::vector<std::string>& found) const;
    std::set<std::string> successors(const std::string& node) const;
    Definition build(const CompileOptions& options) const;
    void build_edges(Definition& definition) const;
};

std::map<std::string, std::string> targets(std::initializer_list<std::string_view> nodes)
{
    std::map<std::string, std::string> labels;
    for (const auto node : nodes)
        labels.emplace(node, node);
    return labels;
}

StateGraph::StateGraph() : draft_(std::make_unique<Draft>()) {}
StateGraph::~StateGraph() = default;

StateGraph& StateGraph::add_channel(std::string name, Reducer reducer)
{
    if (name.empty() || !draft_->channels.emplace(name, std::move(reducer)).second)
        draft_->problems.push_back("channel '" + name + "' is there twice or has no name");
    return *this;
}

StateGraph& StateGraph::add_channel(std::string name, Reducer reducer, Json initial)
{
    if (reducer.check_value)
        if (const auto problem = reducer.check_value(initial))
            draft_->problems.push_back("the default of channel '" + name + "' " + *problem);
    reducer.initial = std::move(initial);
    return add_channel(std::move(name), std::move(reducer));
}

StateGraph& StateGraph::add_node(std::string name, NodeFunction function, NodeOptions options)
{
    if (reserved(name))
        draft_->problems.push_back("'" + name + "' is a reserved name");
    else if (!draft_->nodes.emplace(name, DraftNode{std::move(function), std::move(options), nullptr}).second)
        draft_->problems.push_back("node '" + name + "' is there twice");
    return *this;
}

StateGraph& StateGraph::add_subgraph(std::string name, CompiledGraph graph, SubgraphOptions options)
{
    add_node(name, nullptr, options);
    auto subgraph = std::make_shared<Subgraph>(
        Subgraph{std::move(graph), options.persistence, std::move(options.input_map), std::move(options.output_map)});
    if (const auto at = draft_->nodes.find(name); at != draft_->nodes.end())
        at->second.subgraph = std::move(subgraph);
    return *this;
}

StateGraph& StateGraph::add_edge(std::string_view from, std::string_view to)
{
    draft_->edges.push_back(DraftEdge{{std::string(from)}, std::string(to)});
    return *this;
}

StateGraph& StateGraph::add_edge(std::initializer_list<std::string_view> from, std::string_view to)
{
    return add_edge(std::vector<std::string>(from.begin(), from.end()), to);
}

StateGraph& StateGraph::add_edge(std::vector<std::string> from, std::string_view to)
{
    std::sort(from.begin(), from.end());
    from.erase(std::unique(from.begin(), from.end()), from.end());
    if (from.empty())
        draft_->problems.push_back("the waiting edge to '" + std::string(to) + "' comes from nowhere");
    draft_->edges.push_back(DraftEdge{std::move(from), std::string(to)});
    return *this;
}

StateGraph& StateGraph::add_conditional_edges(std::string_view from, RouteFunction route)
{
    ConditionalEdges edges;
    edges.route = std::move(route);
    draft_->conditionals.push_back(DraftConditional{std::string(from), std::move(edges)});
    return *this;
}

StateGraph& StateGraph::add_conditional_edges(std::string_view from, RouteFunction route,
                                              std::map<std::string, std::string> labels)
{
    ConditionalEdges edges;
    edges.route = std::move(route);
    edges.labelled = true;
    edges.labels = std::move(labels);
    draft_->conditionals.push_back(DraftConditional{std::string(from), std::move(edges)});
    return *this;
}

void StateGraph::Draft::check_edges(std::vector<std::string>& found) const
{
    for (const auto& edge : edges) {
        for (const auto& from : edge.from)
            if (!knows(from) && !(from == start && edge.from.size() == 1))
                found.push_back("an edge starts at the unknown node '" + from + "'");
        if (!knows(edge.to) && edge.to != end)
            found.push_back("an edge leads to the unknown node '" + edge.to + "'");
    }
}

void StateGraph::Draft::check_conditionals(std::vector<std::string>& found) const
{
    for (const auto& conditional : conditionals) {
        if (!knows(conditional.from) && conditional.from != start)
            found.push_back("a conditional edge starts at the unknown node '" + conditional.from + "'");
        if (!conditional.edges.route)
            found.push_back("the conditional edge of '" + conditional.from + "' has no function");
        for (const auto& [label, target] : conditional.edges.labels)
            if (!knows(target) && target != end)
                found.push_back("branch '" + label + "' of '" + conditional.from + "' leads to the unknown node '" + target + "'");
    }
    for (const auto& [name, node] : nodes) {
        if (!node.function && !node.subgraph)
            found.push_back("node '" + name + "' has no function");
        for (const auto& target : node.options.destinations)
            if (!knows(target) && target != end)
                found.push_back("node '" + name + "' declares the unknown destination '" + target + "'");
    }
}

std::set<std::string> StateGraph::Draft::successors(const std::string& node) const
{
    std::set<std::string> all;
    for (const auto& edge : edges)
        if (std::find(edge.from.begin(), edge.from.end(), node) != edge.from.end())
            all.insert(edge.to);
    for (const auto& conditional : conditionals) {
        if (conditional.from != node)
            continue;
        for (const auto& [label, target] : conditional.edges.labels)
            all.insert(target);
        if (!conditional.edges.labelled)   // may lead anywhere
            for (const auto& [name, unused] : nodes)
                all.insert(name);
    }
    if (const auto at = nodes.find(node); at != nodes.end())
        all.insert(at->second.options.destinations.begin(), at->second.options.destinations.end());
    return all;
}

void StateGraph::Draft::check_reachable(std::vector<std::string>& found) const
{
    std::set<std::string> seen;
    std::vector<std::string> open{std::string(start)};
    while (!open.empty()) {
        const auto node = std::move(open.back());
        open.pop_back();
        for (const auto& next : successors(node))
            if (knows(next) && seen.insert(next).second)
                open.push_back(next);
    }
    if (seen.empty()) {
        found.push_back("the graph has no entry");
        return;
    }
    for (const auto& [name, node] : nodes)
        if (seen.find(name) == seen.end())
            found.push_back("node '" + name + "' cannot be reached");
}

void StateGraph::Draft::check_channels(const CompileOptions& options, std::vector<std::string>& found) const
{
    const auto check = [&](const std::vector<std::string>& names, const std::string& who) {
        for (const auto& name : names)
            if (channels.find(name) == channels.end())
                found.push_back(who + " names the unknown channel '" + name + "'");
    };
    for (const auto& [name, reducer] : channels)
        if (reducer.in_place && !reducer.initial)
            found.push_back("channel '" + name + "' is changed in place and has no default");
    check(options.input, "the input");
    check(options.output, "the output");
    for (const auto& [name, node] : nodes)
        check(node.options.input, "the input of node '" + name + "'");
    for (const auto* list : {&options.interrupt_before, &options.interrupt_after})
        for (const auto& name : *list)
            if (name != "*" && !knows(name))
                found.push_back("an interrupt names the unknown node '" + name + "'");
}

void StateGraph::Draft::check_maps(std::vector<std::string>& found) const
{
    for (const auto& [name, node] : nodes) {
        if (!node.subgraph)
            continue;
        const auto& inner = *node.subgraph->graph.definition()->channel_names;
        const auto check_inner = [&](const std::string& channel, const char* map) {
            if (std::find(inner.begin(), inner.end(), channel) == inner.end())
                found.push_back(std::string(map) + " of node '" + name + "' names the unknown channel '" + channel +
                                "' of its sub-graph");
        };
        const auto check_own = [&](const std::string& channel, const char* map) {
            if (channels.find(channel) == channels.end())
                found.push_back(std::string(map) + " of node '" + name + "' names the unknown channel '" + channel +
                                "'");
        };
        for (const auto& [into, from] : node.subgraph->input_map) {
            check_inner(into, "the input map");
            if (!from.empty())
                check_own(from, "the input map");
        }
        for (const auto& [into, from] : node.subgraph->output_map) {
            check_own(into, "the output map");
            if (!from.empty())
                check_inner(from, "the output map");
        }
    }
}

Definition StateGraph::Draft::build(const CompileOptions& options) const
{
    Definition definition;
    std::vector<std::string> names;
    const auto listed = [](const std::vector<std::string>& list, const std::string& name) {
        return list.empty() || std::find(list.begin(), list.end(), name) != list.end();
    };
    for (const auto& [name, reducer] : channels) {
        names.push_back(name);
        definition.reducers.push_back(reducer);
        definition.input_channels.push_back(listed(options.input, name));
        definition.output_channels.push_back(listed(options.output, name));
    }
    definition.channel_names = std::make_shared<const std::vector<std::string>>(std::move(names));
    for (const auto& [name, node] : nodes) {
        std::vector<bool> visible;
        for (const auto& channel : *definition.channel_names)
            if (!node.options.input.empty())
                visible.push_back(listed(node.options.input, channel));
        definition.nodes.push_back(
            NodeDefinition{name, node.function, node.subgraph, node.options, std::move(visible), OutgoingEdges()});
        definition.stop_before.push_back(names_node(options.interrupt_before, name));
        definition.stop_after.push_back(names_node(options.interrupt_after, name));
    }
    for (const auto& [name, reducer] : channels) {
        definition.has_ephemeral = definition.has_ephemeral || reducer.ephemeral;
        if (!reducer.tracked && !reducer.in_results)
            definition.memory_only.push_back(name);
    }
    definition.on_error = options.on_error;
    build_edges(definition);
    definition.version = version_of(definition);
    return definition;
}

void StateGraph::Draft::build_edges(Definition& definition) const
{
    const auto outgoing = [&](const std::string& from) -> OutgoingEdges& {
        return from == start ? definition.entry : definition.nodes[*definition.find(from)].edges;
    };
    for (const auto& edge : edges) {
        if (edge.to == end)
            continue;
        const auto to = *definition.find(edge.to);
        if (edge.from.size() == 1) {
            outgoing(edge.from.front()).plain.push_back(to);
            continue;
        }
        WaitingEdge waiting;
        waiting.to = to;
        for (const auto& from : edge.from) {
            waiting.from.push_back(*definition.find(from));
            waiting.name += (waiting.name.empty() ? "" : ",") + from;
        }
        waiting.name += ">" + edge.to;
        definition.waiting.push_back(std::move(waiting));
    }
    for (const auto& conditional : conditionals)
        outgoing(conditional.from).conditional.push_back(conditional.edges);
}

Result<CompiledGraph> StateGraph::compile(const CompileOptions& options) const
{
    auto problems = draft_->problems;
    draft_->check_edges(problems);
    draft_->check_conditionals(problems);
    draft_->check_reachable(problems);
    draft_->check_channels(options, problems);
    draft_->check_maps(problems);
    if (problems.empty())
        return CompiledGraph(std::make_shared<const Definition>(draft_->build(options)));
    std::string text = "The graph is not valid: ";
    std::vector<FieldProblem> each;
    for (std::size_t i = 0; i < problems.size(); ++i) {
        text += (i == 0 ? "" : "; ") + problems[i];
        each.push_back(FieldProblem{{}, problems[i], "INVALID_GRAPH"});
    }
    return Error(Errc::invalid_argument, text + ".").reason("INVALID_GRAPH").problems(std::move(each));
}

}  // namespace dure::graph
