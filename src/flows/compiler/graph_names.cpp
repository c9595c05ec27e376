// Names of nodes in the graph, and back to the ids that were drawn: see stage.hpp.
#include <algorithm>

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

std::string in_drawn_words(std::string message)
{
    constexpr std::string_view before = "Node '";
    const auto end = message.starts_with(before) ? message.find('\'', before.size()) : std::string::npos;
    if (end == std::string::npos)
        return message;
    const auto name = drawn_id(std::string_view(message).substr(before.size(), end - before.size()));
    return message.replace(before.size(), end - before.size(), name);
}

}  // namespace dure::flows
