// check_types(): does what an edge carries fit where it leads (§2). Types that depend on the run are `any` and fit.
#include <string_view>

#include "dure/flows/kinds.hpp"
#include "dure/flows/validation.hpp"
#include "flows/document/fields.hpp"

namespace dure::flows {

namespace {

bool has_text(const Node& node, std::string_view key)
{
    const auto* value = member(node.config, key);
    return value && !value->empty() && *value != "";
}

// Of the handle `out` and the handles of cases; attach handles have types of their own.
std::string carried_type(const Node& node, std::string_view handle)
{
    if (node.kind == "supervisor" && handle == "workers")
        return "worker";
    if (node.disabled || handle == "error")
        return "any";
    if (node.kind == "start")
        return "message";
    if (node.kind == "prompt")
        return has_text(node, "messages") ? "messages" : "text";
    if (node.kind == "template") {
        const auto* as = member(node.config, "as");
        return as && *as == "json" ? "any" : "text";
    }
    if (node.kind == "iteration")
        return "list<any>";
    if (node.kind == "loop")
        return "object";
    const bool text = node.kind == "llm" || node.kind == "agent" || node.kind == "supervisor" ||
                      node.kind == "condition" || node.kind == "human_input" || node.kind == "subflow" ||
                      node.kind == "reply";
    return text ? "text" : "any";
}

// A node that is given no text of its own takes the one that comes in.
std::string wanted_type(const Node& node, std::string_view handle)
{
    if (handle == "tools")
        return "tool";
    if (handle == "worker")
        return "worker";
    if (node.disabled)
        return "any";
    const bool asks_model = node.kind == "llm" || node.kind == "agent" || node.kind == "supervisor";
    if (asks_model && !has_text(node, "prompt") && !has_text(node, "messages"))
        return "messages";
    return node.kind == "reply" && !has_text(node, "text") && !has_text(node, "files") ? "text" : "any";
}

bool becomes_text(std::string_view type)
{
    return type == "text" || type == "number" || type == "integer" || type == "boolean" || type == "message" ||
           type == "documents";
}

bool type_fits(const Node& source, std::string_view carried, std::string_view wanted)
{
    if (wanted == "tool")
        return source.kind == "tool";
    if (wanted == "worker" || carried == "worker")
        return carried == wanted;
    if (carried == wanted || carried == "any" || wanted == "any")
        return true;
    if (wanted == "messages")   // a text is asked as one message
        return becomes_text(carried);
    return wanted == "text" && becomes_text(carried);
}

}  // namespace

void check_types(const Document& document, Problems& problems)
{
    for (const auto& edge : document.edges) {
        const auto* source = document.find_node(edge.source);
        const auto* target = document.find_node(edge.target);
        if (!source || !target || !find_kind(source->kind) || !find_kind(target->kind))
            continue;
        const auto carried = carried_type(*source, edge.source_handle);
        const auto wanted = wanted_type(*target, edge.target_handle);
        if (!type_fits(*source, carried, wanted))
            problems.add({"type_mismatch",
                          {"edges", std::to_string(edge.index)},
                          "carries " + carried + ", but " + in_quotes(edge.target) + " takes " + wanted,
                          Level::error,
                          {},
                          edge.id});
    }
}

}  // namespace dure::flows
