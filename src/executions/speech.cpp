// See speech.hpp.
#include "executions/speech.hpp"

#include <algorithm>
#include <vector>

#include "dure/flows/drawing.hpp"
#include "dure/flows/expression.hpp"

namespace dure::executions {

namespace {

constexpr std::string_view between_paragraphs = "\n\n";

bool asks_a_model(const flows::Node& node)
{
    return node.kind == "llm" || node.kind == "agent" || node.kind == "supervisor";
}

// What comes after such a node surely comes.
bool goes_straight_on(const flows::Node& node)
{
    return node.kind == "reply" || node.kind == "set" || node.kind == "template" || node.kind == "prompt";
}

std::string_view trimmed(std::string_view text)
{
    constexpr std::string_view blank = " \t\r\n";
    const auto first = text.find_first_not_of(blank);
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

// The nodes whose text a reply hands on unchanged; empty: it says something of its own.
std::set<std::string> handed_on_by(const flows::Document& document, const flows::Node& reply)
{
    const auto given = reply.config.is_object() ? reply.config.find("text") : reply.config.end();
    const auto text = reply.config.is_object() && given != reply.config.end() && given->is_string()
                          ? given->get<std::string>()
                          : std::string("{{input}}");
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
            if (edge.target == reply.id)
                sources.insert(edge.source);
    return sources;
}

bool leads_straight_to(const flows::Document& document, const std::string& source, const std::string& reply)
{
    std::set<std::string> seen{source};
    std::vector<std::string> open{source};
    while (!open.empty()) {
        const auto at = std::move(open.back());
        open.pop_back();
        for (const auto& edge : document.edges) {
            if (edge.source != at || edge.source_handle != "out")
                continue;
            if (edge.target == reply)
                return true;
            const auto* target = document.find_node(edge.target);
            if (target != nullptr && goes_straight_on(*target) && seen.insert(edge.target).second)
                open.push_back(edge.target);
        }
    }
    return false;
}

bool ends_the_flow(const flows::Document& document, const flows::Node& node)
{
    return std::none_of(document.edges.begin(), document.edges.end(), [&](const flows::Edge& edge) {
        const auto* target =
            edge.source == node.id && edge.source_handle == "out" ? document.find_node(edge.target) : nullptr;
        return target != nullptr && target->kind != "end";
    });
}

}  // namespace

Speech::Speech(const flows::Document& document)
{
    const auto whole = flows::drawn(document);
    for (const auto& node : whole.nodes) {
        if (node.kind != "reply")
            continue;
        replies_.insert(node.id);
        auto& sources = sources_[node.id] = handed_on_by(whole, node);
        for (const auto& source : sources) {
            const auto* speaker = whole.find_node(source);
            if (speaker != nullptr && asks_a_model(*speaker) && leads_straight_to(whole, source, node.id))
                streaming_.insert(source);
        }
    }
    if (replies_.empty())
        for (const auto& node : whole.nodes)
            if (asks_a_model(node) && ends_the_flow(whole, node))
                streaming_.insert(node.id);
}

std::string Speech::piece(const std::string& node_id, const std::string& text)
{
    if (text.empty() || !streaming_.contains(node_id) || unheard_.contains(node_id))
        return {};
    if (!speaker_.empty() && speaker_ != node_id) {
        unheard_.insert(node_id);
        return {};
    }
    const bool begins_to_speak = speaker_.empty();
    speaker_ = node_id;
    told_[node_id] += text;
    if (begins_to_speak)
        return paragraph(text);
    said_ += text;
    return text;
}

// A node may have told more than its text: what it said between two calls of tools, or before it was tried again.
std::string Speech::take_told(const std::string& node_id, const std::string& text)
{
    for (const auto& source : sources_[node_id]) {
        const auto told = told_.find(source);
        if (told == told_.end() || !trimmed(told->second).ends_with(trimmed(text)))
            continue;
        told_.erase(told);
        return {};
    }
    return text;
}

std::string Speech::reply(const std::string& node_id, const std::string& text)
{
    if (!replies_.contains(node_id))   // of a sub-flow
        return {};
    replied_ = true;
    const auto rest = take_told(node_id, text);
    if (rest.empty())
        return {};
    if (speaker_.empty())
        return paragraph(rest);
    held_ += (held_.empty() ? "" : std::string(between_paragraphs)) + rest;
    return {};
}

void Speech::begins(const std::string& node_id)
{
    told_.erase(node_id);
    unheard_.erase(node_id);
}

std::string Speech::ends(const std::string& node_id)
{
    if (speaker_ != node_id)
        return {};
    speaker_.clear();
    const auto held = std::move(held_);
    held_.clear();
    return held.empty() ? held : paragraph(held);
}

std::string Speech::rest_of(const std::string& whole)
{
    if (replied_ || (!said_.empty() && trimmed(said_).ends_with(trimmed(whole))))
        return {};
    return paragraph(whole);
}

std::string Speech::paragraph(const std::string& text)
{
    auto out = (said_.empty() ? "" : std::string(between_paragraphs)) + text;
    said_ += out;
    return out;
}

}  // namespace dure::executions
