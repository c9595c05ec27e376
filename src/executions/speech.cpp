// See speech.hpp.
#include "executions/speech.hpp"

#include <algorithm>

#include "dure/flows/expression.hpp"

namespace dure::executions {

namespace {

bool asks_a_model(const flows::Node& node)
{
    return node.kind == "llm" || node.kind == "agent" || node.kind == "supervisor";
}

// The node whose text a reply hands on unchanged; empty: it says something of its own.
std::string handed_on_by(const flows::Document& document, const flows::Node& reply)
{
    const auto text = reply.config.is_object() ? reply.config.value("text", std::string()) : std::string();
    const auto parsed = flows::Template::parse(text);
    if (!parsed || !parsed->is_single())
        return {};
    const auto& expression = *parsed->expressions().front();
    if (!expression.filters.empty())
        return {};
    const flows::PathStep text_member = std::string("text");
    if (expression.root == flows::Root::nodes && expression.path.size() == 2 && expression.path[1] == text_member)
        return std::string(expression.name());
    if (expression.root != flows::Root::input || !expression.path.empty())
        return {};
    const auto into = std::find_if(document.edges.begin(), document.edges.end(),
                                   [&](const flows::Edge& edge) { return edge.target == reply.id; });
    return into == document.edges.end() ? std::string() : into->source;
}

bool ends_the_flow(const flows::Document& document, const flows::Node& node)
{
    return std::none_of(document.edges.begin(), document.edges.end(), [&](const flows::Edge& edge) {
        const auto* target = edge.source == node.id ? document.find_node(edge.target) : nullptr;
        return target != nullptr && target->kind != "end";
    });
}

}  // namespace

Speech::Speech(const flows::Document& document)
{
    all_stream_ = document.nodes.empty() && document.flow_type == flows::FlowType::chatflow;
    for (const auto& node : document.nodes) {
        if (node.kind != "reply")
            continue;
        replies_.insert(node.id);
        const auto source = handed_on_by(document, node);
        const auto* speaker = document.find_node(source);
        if (speaker != nullptr && asks_a_model(*speaker))
            streaming_.insert(source);
    }
    if (replies_.empty())
        for (const auto& node : document.nodes)
            if (asks_a_model(node) && ends_the_flow(document, node))
                streaming_.insert(node.id);
}

std::string Speech::heard(const std::string& node_id, const std::string& text)
{
    const auto same = std::find_if(told_.begin(), told_.end(), [&](const auto& told) { return told.second == text; });
    if (same != told_.end() && same->first != node_id) {
        told_.erase(same);   // handed on
        return {};
    }
    if (streams(node_id))
        told_[node_id] += text;
    else if (!replies_.contains(node_id))
        return {};
    said_ += text;
    return text;
}

std::string Speech::rest_of(const std::string& whole)
{
    if (!whole.starts_with(said_))
        return said_.empty() ? whole : std::string();   // it was said in another order
    auto rest = whole.substr(said_.size());
    said_ = whole;
    return rest;
}

}  // namespace dure::executions
