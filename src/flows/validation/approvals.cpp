// check_approvals(): require_approval of an agent names tools that the agent has, its own and those attached to it. What is an expression
// is known when it runs.
#include "dure/flows/expression.hpp"
#include "dure/flows/validation.hpp"
#include "flows/document/fields.hpp"

namespace dure::flows {

namespace {

// The name of a tool: a text, or an object with name or tool. Nothing where it is an expression, or no name at all.
std::optional<std::string> tool_name(const OrderedJson& entry)
{
    const auto* name = &entry;
    if (entry.is_object())
        name = entry.contains("name") ? member(entry, "name") : member(entry, "tool");
    if (!name || !name->is_string())
        return std::nullopt;
    const auto text = Template::parse(name->get_ref<const std::string&>());
    return text && text->is_literal() ? std::optional(text->literal()) : std::nullopt;
}

// False: not all of them are known before it runs.
bool tools_of(const Document& document, const Node& agent, std::set<std::string>& names)
{
    bool known = true;
    const auto add = [&](const OrderedJson& entry) {
        auto name = tool_name(entry);
        known = known && name;
        if (name)
            names.insert(std::move(*name));
    };
    if (const auto* own = member(agent.config, "tools")) {
        known = own->is_array();
        for (std::size_t i = 0; known && i < own->size(); ++i)
            add((*own)[i]);
    }
    for (const auto& edge : document.edges) {
        if (edge.target != agent.id || edge.target_handle != "tools")
            continue;
        for (const auto& node : document.nodes)
            if (node.id == edge.source)
                add(node.config);
    }
    return known;
}

}  // namespace

void check_approvals(const Document& document, Problems& problems)
{
    for (const auto& node : document.nodes) {
        const auto* list = member(node.config, "require_approval");
        std::set<std::string> names;
        if (node.kind != "agent" || !list || !list->is_array() || !tools_of(document, node, names))
            continue;
        for (std::size_t i = 0; i < list->size(); ++i)
            if (const auto name = tool_name((*list)[i]); name && !names.contains(*name))
                problems.add(
                    {"field_range",
                     {"nodes", std::to_string(node.index), "data", "config", "require_approval", std::to_string(i)},
                     "names " + in_quotes(*name) + ", which is no tool of this agent",
                     Level::error,
                     node.id});
    }
}

}  // namespace dure::flows
