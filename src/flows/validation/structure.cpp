// check_structure(): one pass over nodes, one over edges, then what only the whole drawing shows.
#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>

#include "dure/flows/kinds.hpp"
#include "dure/flows/validation.hpp"
#include "flows/document/arrangement.hpp"
#include "flows/document/fields.hpp"

namespace dure::flows {

namespace {

constexpr std::size_t deepest_container = 4;

bool holds(const std::vector<std::string>& list, std::string_view wanted)
{
    return std::find(list.begin(), list.end(), wanted) != list.end();
}

class StructureCheck {
public:
    StructureCheck(const Document& document, Problems& problems)
        : document_(document), problems_(problems), arranged_(arranged_agents(document))
    {}

    void run()
    {
        check_nodes();
        check_parents();
        check_edges();
        check_starts();
        check_bodies();
        if (broken_)   // orders of a drawing that does not hold together say nothing
            return;
        check_cycles();
        check_reach();
    }

private:
    void node_problem(const Node& node, std::string code, std::string_view key, std::string message,
                      Level level = Level::error)
    {
        Location place{"nodes", std::to_string(node.index)};
        if (!key.empty())
            place.emplace_back(key);
        problems_.add({std::move(code), std::move(place), std::move(message), level, node.id});
    }

    void edge_problem(const Edge& edge, std::string code, std::string_view key, std::string message)
    {
        problems_.add({std::move(code),
                       {"edges", std::to_string(edge.index), std::string(key)},
                       std::move(message),
                       Level::error,
                       {},
                       edge.id});
        broken_ = true;
    }

    void check_nodes()
    {
        for (const auto& node : document_.nodes) {
            if (!node.id.empty() && !nodes_.emplace(node.id, &node).second) {
                node_problem(node, "id_duplicate", "id", "another node has the id " + in_quotes(node.id));
                broken_ = true;
            }
            const auto* kind = find_kind(node.kind);
            if (!kind && !node.kind.empty())
                node_problem(node, "kind_unknown", "type", "there is no kind " + in_quotes(node.kind));
            else if (kind && !kind->available)
                node_problem(node, "kind_not_available", "type",
                             "the kind " + node.kind + " is not available in this server");
            else if (kind && kind->name == "unsupported")
                node_problem(node, "unsupported_node", "type",
                             "stands for a node that could not be imported; the flow cannot run", Level::warning);
        }
    }

    const Node* find(const std::string& id) const
    {
        const auto found = nodes_.find(id);
        return found == nodes_.end() ? nullptr : found->second;
    }

    void check_parents()
    {
        for (const auto& node : document_.nodes) {
            if (node.parent.empty())
                continue;
            const auto* parent = find(node.parent);
            const auto* kind = parent ? find_kind(parent->kind) : nullptr;
            if (!parent || parent == &node || !kind || !kind->container) {
                node_problem(node, "parent_invalid", "parentId",
                             in_quotes(node.parent) + " is no iteration or loop of this flow");
                broken_ = true;
                continue;
            }
            bodies_.insert(node.parent);
            std::size_t depth = 1;
            std::set<std::string> seen{node.id};
            for (; parent && !parent->parent.empty() && seen.insert(parent->id).second; parent = find(parent->parent))
                ++depth;
            if (parent && seen.contains(parent->id)) {
                node_problem(node, "parent_invalid", "parentId", "containers stand inside each other in a circle");
                broken_ = true;
            } else if (depth > deepest_container) {
                node_problem(node, "nesting", "parentId",
                             "containers may be nested " + std::to_string(deepest_container) + " deep");
            }
        }
    }

    void check_edges()
    {
        std::set<std::string> ids;
        std::set<std::tuple<std::string, std::string, std::string, std::string>> joined;
        for (const auto& edge : document_.edges) {
            if (!ids.insert(edge.id).second)
                edge_problem(edge, "id_duplicate", "id", "another edge has the id " + in_quotes(edge.id));
            const auto* source = find(edge.source);
            const auto* target = find(edge.target);
            if (!source && !edge.source.empty())
                edge_problem(edge, "edge_dangling", "source", "there is no node " + in_quotes(edge.source));
            if (!target && !edge.target.empty())
                edge_problem(edge, "edge_dangling", "target", "there is no node " + in_quotes(edge.target));
            if (!source || !target) {  // also of an end that is missing or no text: told by the reader
                broken_ = true;
                continue;
            }
            if (source == target)
                edge_problem(edge, "edge_self", "target", "an edge cannot lead back to its own node");
            else if (!joined.emplace(edge.source, edge.source_handle, edge.target, edge.target_handle).second)
                edge_problem(edge, "edge_duplicate", "id", "another edge joins the same handles");
            if (source->parent != target->parent)
                edge_problem(edge, "border_crossed", "target", "edges cannot cross the border of a container");
            check_handles(edge, *source, *target);
        }
    }

    void check_handles(const Edge& edge, const Node& source, const Node& target)
    {
        if (source.kind == "note" || target.kind == "note") {
            edge_problem(edge, "note_has_edge", source.kind == "note" ? "source" : "target", "a note has no edges");
            return;
        }
        if (target.kind == "start") {
            edge_problem(edge, "start_has_input", "target", "nothing leads to the start");
            return;
        }
        const auto* from = find_kind(source.kind);
        const auto* to = find_kind(target.kind);
        if (from && source.kind != "unsupported" && !holds(source_handles(*from, source), edge.source_handle))
            edge_problem(edge, "handle_unknown", "sourceHandle",
                         in_quotes(source.id) + " has no handle " + in_quotes(edge.source_handle));
        if (to && target.kind != "unsupported" && !holds(to->in, edge.target_handle))
            edge_problem(edge, "handle_unknown", "targetHandle",
                         in_quotes(target.id) + " has no handle " + in_quotes(edge.target_handle));
        if (edge.target_handle == "worker" && !workers_.insert(edge.target).second)
            edge_problem(edge, "handle_single", "targetHandle", "a worker has one supervisor");
    }

    void check_starts()
    {
        std::size_t starts = 0;
        bool any = false;
        for (const auto& node : document_.nodes) {
            any = any || node.kind != "note";
            if (node.kind != "start")
                continue;
            if (++starts > 1)
                node_problem(node, "start_multiple", "type", "a flow has one start");
            if (!node.parent.empty())
                node_problem(node, "parent_invalid", "parentId", "the start stands outside of containers");
        }
        // a flow of agents that its settings arrange (§8), and their tools, has a start drawn for it
        const auto drawn = [&](const Node& node) {
            return node.kind == "agent" || node.kind == "note" || node.kind == "tool";
        };
        const bool alone = !arranged_.empty() && std::all_of(document_.nodes.begin(), document_.nodes.end(), drawn);
        if (any && starts == 0 && !alone)
            problems_.add({"start_missing", {"nodes"}, "a flow with nodes has a start"});
    }

    void check_bodies()
    {
        for (const auto& node : document_.nodes) {
            const auto* kind = find_kind(node.kind);
            if (kind && kind->container && !bodies_.contains(node.id))
                node_problem(node, "body_empty", "", "has no nodes inside");
        }
    }

    // Kahn's order; what it leaves stands in a circle or behind one. Only those that lead back to themselves are named.
    void check_cycles()
    {
        std::unordered_map<std::string, std::size_t> waits;
        for (const auto& edge : document_.edges) {
            next_[edge.source].push_back(edge.target);
            before_[edge.target].push_back(edge.source);
            ++waits[edge.target];
        }
        const auto strip = [](auto& degrees, auto& along, std::set<std::string>& left) {
            std::vector<std::string> free;
            for (const auto& id : left)
                if (degrees[id] == 0)
                    free.push_back(id);
            while (!free.empty()) {
                const auto id = std::move(free.back());
                free.pop_back();
                left.erase(id);
                for (const auto& other : along[id])
                    if (left.contains(other) && --degrees[other] == 0)
                        free.push_back(other);
            }
        };
        std::set<std::string> left;
        for (const auto& [id, node] : nodes_)
            left.insert(id);
        strip(waits, next_, left);
        std::unordered_map<std::string, std::size_t> leads;
        for (const auto& id : left)
            for (const auto& other : next_[id])
                leads[id] += left.contains(other) ? 1 : 0;
        strip(leads, before_, left);
        for (const auto& node : document_.nodes)
            if (left.contains(node.id))
                node_problem(node, "cycle", "", "stands in a circle of edges; only loops and iterations repeat");
    }

    void check_reach()
    {
        std::set<std::string> reached;
        std::vector<std::string> open;
        const auto visit = [&](const std::string& id) {
            if (reached.insert(id).second)
                open.push_back(id);
        };
        for (const auto& node : document_.nodes)
            if (node.kind == "start")
                visit(node.id);
        for (const auto& id : arranged_)
            visit(id);
        if (open.empty())
            return;
        bool output = !arranged_.empty();  // a reply is drawn behind them
        while (!open.empty()) {
            const auto id = std::move(open.back());
            open.pop_back();
            const auto* node = find(id);
            if (!node)  // one without a proper id, which the reader has told
                continue;
            output = output || node->kind == "reply" || node->kind == "end";
            for (const auto& other : next_[id])
                visit(other);
            for (const auto& other : before_[id])  // a tool hangs on the agent that uses it
                if (hangs_on(other, id))
                    visit(other);
            if (bodies_.contains(id))
                for (const auto& inner : document_.nodes)
                    if (inner.parent == id && before_[inner.id].empty())
                        visit(inner.id);
        }
        for (const auto& node : document_.nodes)
            if (node.kind != "note" && !reached.contains(node.id))
                node_problem(node, "unreachable", "", "is never reached from the start", Level::warning);
        if (!output)
            problems_.add({"no_output", {"nodes"}, "no reply or end is reached from the start", Level::warning});
    }

    bool hangs_on(const std::string& tool, const std::string& agent) const
    {
        return std::any_of(document_.edges.begin(), document_.edges.end(), [&](const Edge& edge) {
            return edge.source == tool && edge.target == agent && edge.target_handle == "tools";
        });
    }

    const Document& document_;
    Problems& problems_;
    std::map<std::string, const Node*> nodes_;
    std::set<std::string> bodies_;  // containers with something inside
    std::set<std::string> workers_;
    std::unordered_map<std::string, std::vector<std::string>> next_, before_;
    bool broken_ = false;
    const std::vector<std::string> arranged_;  // agents
};

}  // namespace

void check_structure(const Document& document, Problems& problems)
{
    StructureCheck(document, problems).run();
}

}  // namespace dure::flows
