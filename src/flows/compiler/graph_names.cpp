// Names of nodes in the graph, and back to the ids that were drawn: see stage.hpp.
#include <algorithm>
#include <optional>

#include "flows/compiler/stage.hpp"

namespace dure::flows {

std::string graph_name(char sort, std::string_view id)
{
    std::string name{sort, '.'};
    name.append(id);
    std::replace(name.begin(), name.end(), ':', '~');
    return name;
}

std::string id_of_graph_name(std::string_view name)
{
    std::string id(name.substr(std::min<std::size_t>(2, name.size())));
    std::replace(id.begin(), id.end(), '~', ':');
    return id;
}

std::string drawn_id(std::string_view graph_node)
{
    return graph_node.size() > 2 && graph_node[1] == '.' ? id_of_graph_name(graph_node) : std::string(graph_node);
}

namespace {

// "s.total" -> "State 'total'", for the beginning of a sentence.
std::string drawn_value(std::string_view channel)
{
    const bool drawn = channel.size() > 2 && channel[1] == '.';
    const auto name = drawn ? std::string(channel.substr(2)) : std::string(channel);
    if (drawn && channel.front() == 's')
        return "State '" + name + "'";
    if (drawn && channel.front() == 'v')
        return "Loop variable '" + name + "'";
    return "The output of '" + drawn_id(channel) + "'";
}

// "Channel 's.x' was written more than once in one superstep, by: n.a, n.b."
std::optional<std::string> drawn_conflict(std::string_view message)
{
    constexpr std::string_view before = "Channel '", between = "' was written more than once in one superstep, by: ";
    const auto end = message.find(between);
    if (!message.starts_with(before) || end == std::string_view::npos || !message.ends_with('.'))
        return std::nullopt;
    auto said =
        drawn_value(message.substr(before.size(), end - before.size())) + " was set by several nodes at the same time:";
    auto nodes = message.substr(end + between.size());
    nodes.remove_suffix(1);
    std::string_view comma = " ";
    while (!nodes.empty()) {
        const auto length = std::min(nodes.find(", "), nodes.size());
        said.append(comma).append(drawn_id(nodes.substr(0, length)));
        nodes.remove_prefix(std::min(length + 2, nodes.size()));
        comma = ", ";
    }
    return said + ".";
}

// "The update of 's.x' by 'n.a' was refused: …"
std::optional<std::string> drawn_refusal(std::string_view message)
{
    constexpr std::string_view before = "The update of '", between = "' by '";
    const auto end = message.find(between);
    const auto node = end + between.size();
    const auto last = end == std::string_view::npos ? end : message.find('\'', node);
    if (!message.starts_with(before) || last == std::string_view::npos)
        return std::nullopt;
    return drawn_value(message.substr(before.size(), end - before.size())) + ": the update by '" +
           drawn_id(message.substr(node, last - node)) + std::string(message.substr(last));
}

}  // namespace

std::string in_drawn_words(std::string message)
{
    if (auto said = drawn_conflict(message))
        return std::move(*said);
    if (auto said = drawn_refusal(message))
        return std::move(*said);
    constexpr std::string_view before = "Node '";
    const auto end = message.starts_with(before) ? message.find('\'', before.size()) : std::string::npos;
    if (end == std::string::npos)
        return message;
    const auto name = drawn_id(std::string_view(message).substr(before.size(), end - before.size()));
    return message.replace(before.size(), end - before.size(), name);
}

}  // namespace dure::flows
