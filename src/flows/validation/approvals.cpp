// check_approvals(): require_approval of an agent names tools that the agent has, its own and those attached to it, no tool is attached
// to it twice with other arguments, and policies stand where they count. What is an expression is known when it runs.
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

// The model knows a tool by its name alone: of two with other arguments it could call one only.
void check_arguments(const Document& document, const Node& agent, Problems& problems)
{
    std::map<std::string, OrderedJson> arguments;
    for (const auto& edge : document.edges) {
        const auto* tool =
            edge.target == agent.id && edge.target_handle == "tools" ? document.find_node(edge.source) : nullptr;
        const auto name = tool && !tool->disabled ? tool_name(tool->config) : std::nullopt;
        if (!name)
            continue;
        const auto* given = member(tool->config, "arguments");
        const auto fixed = given && !given->empty() ? *given : OrderedJson();
        if (const auto [first, is_new] = arguments.emplace(*name, fixed); !is_new && first->second != fixed)
            problems.add({"field_range",
                          {"nodes", std::to_string(tool->index), "data", "config", "tool"},
                          "is the tool " + in_quotes(*name) + ", which is attached to " + in_quotes(agent.id) +
                              " with other arguments already; the agent could call only one of them",
                          Level::error,
                          tool->id});
    }
}

// Of tools and workers the policy of the agent or supervisor counts that calls them.
void check_unused_policies(const Document& document, Problems& problems)
{
    std::set<std::string> called, runs;
    for (const auto& edge : document.edges) {
        if (edge.target_handle == "tools")
            called.insert(edge.source);
        else if (edge.target_handle == "worker")
            called.insert(edge.target);
        else
            runs.insert(edge.target);
    }
    for (const auto& node : document.nodes)
        if (!node.policy.is_null() && !node.policy.empty() && called.contains(node.id) && !runs.contains(node.id))
            problems.add({"policy_unused",
                          {"nodes", std::to_string(node.index), "data", "policy"},
                          "has no effect: what counts is the policy of the node that calls " + in_quotes(node.id),
                          Level::warning,
                          node.id});
}

}  // namespace

void check_approvals(const Document& document, Problems& problems)
{
    check_unused_policies(document, problems);
    for (const auto& node : document.nodes) {
        if (node.kind == "agent")
            check_arguments(document, node, problems);
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
