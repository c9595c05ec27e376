// RunOrder: scope by scope, in the order of the edges. A node runs when one of its edges was taken, so what every one of
// its sources implies is certain; what always follows from that and leads here has been waited for.
#include "flows/validation/order.hpp"

#include "dure/flows/kinds.hpp"
#include "flows/document/fields.hpp"

namespace dure::flows {

namespace {

bool always_taken(const Node& source, const Edge& edge)
{
    const auto* kind = find_kind(source.kind);
    const auto* on_error = member(source.policy, "on_error");
    return kind && kind->cases.empty() && edge.source_handle == "out" && !(on_error && *on_error == "branch");
}

}  // namespace

RunOrder::RunOrder(const Document& document)
    : document_(document), before_(document.nodes.size()), next_(document.nodes.size()),
      certain_(document.nodes.size(), Marks(document.nodes.size())),
      ancestors_(document.nodes.size(), Marks(document.nodes.size()))
{
    for (std::size_t i = 0; i < document.nodes.size(); ++i)
        places_.emplace(document.nodes[i].id, i);
    for (const auto& edge : document.edges) {
        const auto source = places_.find(edge.source);
        const auto target = places_.find(edge.target);
        if (source == places_.end() || target == places_.end() || edge.target_handle != "in")
            continue;  // tools and workers hang on a node, they do not run before it
        before_[target->second].push_back({source->second, always_taken(document.nodes[source->second], edge)});
        next_[source->second].push_back(target->second);
    }
    arrange({}, Marks(document.nodes.size()));
}

void RunOrder::arrange(const std::string& parent, const Marks& base)
{
    visit_in_order(document_, parent, before_, next_, [&](std::size_t node) {
        settle(node, base);
        const auto* kind = find_kind(document_.nodes[node].kind);
        if (kind && kind->container && document_.nodes[node].id != parent)
            arrange(document_.nodes[node].id, certain_[node]);
    });
}

void RunOrder::settle(std::size_t node, const Marks& base)
{
    auto& certain = certain_[node];
    auto& ancestors = ancestors_[node];
    const auto& steps = before_[node];
    if (steps.empty()) {
        certain = base;
        return;
    }
    certain.assign(certain.size(), true);
    for (const auto& step : steps) {
        for (std::size_t i = 0; i < certain.size(); ++i) {
            certain[i] = certain[i] && (certain_[step.source][i] || i == step.source);
            ancestors[i] = ancestors[i] || ancestors_[step.source][i] || i == step.source;
        }
    }
    for (bool grown = true; grown;) {
        grown = false;
        for (std::size_t i = 0; i < certain.size(); ++i)
            for (const auto& step : before_[i])
                if (!certain[i] && ancestors[i] && step.always && certain[step.source])
                    certain[i] = grown = true;
    }
}

}  // namespace dure::flows
