// See arrangement.hpp.
#include "flows/document/arrangement.hpp"

#include <set>

namespace dure::flows {

std::vector<std::string> arranged_agents(const Document& document)
{
    if (document.flow_type != FlowType::agentflow)
        return {};
    std::set<std::string_view> touched;
    for (const auto& edge : document.edges) {
        if (edge.target_handle == "tools")
            continue;
        touched.insert(edge.source);
        touched.insert(edge.target);
    }
    std::vector<std::string> agents;
    for (const auto& node : document.nodes) {
        if (node.kind == "start" && touched.contains(node.id))
            return {};
        if (node.kind == "agent" && !node.disabled && node.parent.empty() && !touched.contains(node.id))
            agents.push_back(node.id);
    }
    return agents;
}

std::string orchestration_of(const Document& document)
{
    return document.orchestration_type.value_or("sequential");
}

}  // namespace dure::flows
