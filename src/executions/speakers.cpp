// See speakers.hpp.
#include "executions/speakers.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "dure/flows/drawing.hpp"
#include "dure/flows/expression.hpp"
#include "dure/flows/kinds.hpp"

namespace dure::executions {

namespace {

bool asks_a_model(const flows::Node& node)
{
    return node.kind == "llm" || node.kind == "agent" || node.kind == "supervisor";
}

// What comes after such a node surely comes, and nothing is said by it.
bool goes_straight_on(const flows::Node& node)
{
    return node.kind == "set" || node.kind == "template" || node.kind == "prompt";
}

const OrderedJson* member(const OrderedJson& object, const char* name)
{
    const auto found = object.is_object() ? object.find(name) : object.end();
    return object.is_object() && found != object.end() ? &*found : nullptr;
}

// The nodes whose text the template gives unchanged at the node `at`; empty: it says something of its own.
std::set<std::string> handed_on(const flows::Document& document, const std::string& text, const std::string& at)
{
    const auto parsed = flows::Template::parse(text.empty() ? "{{input}}" : text);
    if (!parsed || !parsed->is_single())
        return {};
    const auto& expression = *parsed->expressions().front();
    if (!expression.filters.empty())
        return {};
    const flows::PathStep text_member = std::string("text");
    if (expression.root == flows::Root::nodes && expression.path.size() == 2 && expression.path[1] == text_member)
        return {std::string(expression.name())};
    std::set<std::string> sources;
    if (expression.root == flows::Root::input && expression.path.empty())
        for (const auto& edge : document.edges)
            if (edge.target == at)
                sources.insert(edge.source);
    return sources;
}

std::set<std::string> handed_on_by_reply(const flows::Document& document, const flows::Node& reply)
{
    const auto* text = member(reply.config, "text");
    return handed_on(document, text != nullptr && text->is_string() ? text->get<std::string>() : std::string(), reply.id);
}

// Of one output the flow answers its text.
std::set<std::string> handed_on_by_end(const flows::Document& document, const flows::Node& end)
{
    const auto* outputs = member(end.config, "outputs");
    if (outputs == nullptr || outputs->is_null())
        return handed_on(document, "{{input}}", end.id);
    if (!outputs->is_object() || outputs->size() != 1 || !outputs->begin()->is_string())
        return {};
    return handed_on(document, outputs->begin()->get<std::string>(), end.id);
}

bool leads_straight_to(const flows::Document& document, const std::string& source, const std::string& target)
{
    std::set<std::string> seen{source};
    std::vector<std::string> open{source};
    while (!open.empty()) {
        const auto at = std::move(open.back());
        open.pop_back();
        for (const auto& edge : document.edges) {
            if (edge.source != at || edge.source_handle != "out")
                continue;
            if (edge.target == target)
                return true;
            const auto* next = document.find_node(edge.target);
            if (next != nullptr && goes_straight_on(*next) && seen.insert(edge.target).second)
                open.push_back(edge.target);
        }
    }
    return false;
}

// Items of an iteration that run side by side would speak at once, and all under its node's name.
bool is_among_parallel_items(const flows::Document& document, const flows::Node& node)
{
    for (const auto* at = document.find_node(node.parent); at != nullptr; at = document.find_node(at->parent)) {
        const auto* parallel = member(at->config, "parallel");
        if (at->kind == "iteration" && parallel != nullptr && !parallel->is_null() && *parallel != 1)
            return true;
    }
    return false;
}

void stream_sources(const flows::Document& document, const flows::Node& saying, const std::set<std::string>& sources,
                    std::set<std::string>& into)
{
    for (const auto& source : sources) {
        const auto* speaker = document.find_node(source);
        if (speaker != nullptr && asks_a_model(*speaker) && leads_straight_to(document, source, saying.id) &&
            !is_among_parallel_items(document, *speaker))
            into.insert(source);
    }
}

// A way out of a node that is taken instead of another one.
using Way = std::pair<std::string, std::string>;   // node, handle

std::set<std::string> reached_without(const flows::Document& document, const std::optional<Way>& closed)
{
    std::set<std::string> seen;
    std::vector<std::string> open;
    for (const auto& node : document.nodes)
        if (node.kind == "start" && seen.insert(node.id).second)
            open.push_back(node.id);
    while (!open.empty()) {
        const auto at = std::move(open.back());
        open.pop_back();
        for (const auto& edge : document.edges)
            if (edge.source == at && !(closed && closed->first == at && closed->second == edge.source_handle) &&
                seen.insert(edge.target).second)
                open.push_back(edge.target);
    }
    return seen;
}

std::set<Way> ways_taken_alone(const flows::Document& document)
{
    std::set<std::string> failing;
    for (const auto& edge : document.edges)
        if (edge.source_handle == "error")
            failing.insert(edge.source);
    std::set<Way> ways;
    for (const auto& edge : document.edges) {
        const auto* source = document.find_node(edge.source);
        const auto* kind = source == nullptr ? nullptr : flows::find_kind(source->kind);
        if ((kind != nullptr && !kind->cases.empty()) || failing.contains(edge.source))
            ways.emplace(edge.source, edge.source_handle);
    }
    return ways;
}

// No run comes to two of them: each pair lies behind different ways out of one node.
bool exclude_each_other(const flows::Document& document, const std::vector<const flows::Node*>& leaves)
{
    std::map<std::string, std::set<Way>> needed;   // ways without which a leaf is not come to
    for (const auto& way : ways_taken_alone(document)) {
        const auto reached = reached_without(document, way);
        for (const auto* leaf : leaves)
            if (!reached.contains(leaf->id))
                needed[leaf->id].insert(way);
    }
    const auto apart = [&](const flows::Node& one, const flows::Node& other) {
        return std::any_of(needed[one.id].begin(), needed[one.id].end(), [&](const Way& way) {
            return std::any_of(needed[other.id].begin(), needed[other.id].end(), [&](const Way& another) {
                return way.first == another.first && way.second != another.second;
            });
        });
    };
    for (std::size_t i = 0; i < leaves.size(); ++i)
        for (std::size_t j = 0; j < i; ++j)
            if (!apart(*leaves[i], *leaves[j]))
                return false;
    return true;
}

// Without a reply the flow answers what its last node gave: of several that may all run, nobody knows which that will be.
void stream_leaves(const flows::Document& document, std::set<std::string>& into)
{
    const auto reached = reached_without(document, std::nullopt);
    std::vector<const flows::Node*> leaves;
    for (const auto& node : document.nodes)
        if (node.parent.empty() && reached.contains(node.id) &&
            std::none_of(document.edges.begin(), document.edges.end(),
                         [&](const flows::Edge& edge) { return edge.source == node.id; }))
            leaves.push_back(&node);
    if (!exclude_each_other(document, leaves))
        return;
    for (const auto* leaf : leaves)
        if (asks_a_model(*leaf))
            into.insert(leaf->id);
        else if (leaf->kind == "end")
            stream_sources(document, *leaf, handed_on_by_end(document, *leaf), into);
}

}  // namespace

Speakers speakers_of(const flows::Document& document)
{
    const auto whole = flows::drawn(document);
    Speakers speakers;
    for (const auto& node : whole.nodes) {
        if (node.kind != "reply")
            continue;
        speakers.replies.insert(node.id);
        const auto& sources = speakers.sources[node.id] = handed_on_by_reply(whole, node);
        stream_sources(whole, node, sources, speakers.streaming);
    }
    if (speakers.replies.empty())
        stream_leaves(whole, speakers.streaming);
    return speakers;
}

}  // namespace dure::executions
