// check_flow(): what needs the whole run in view: writers of one value that may run at the same time, and where loop_back jumps to.
#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "dure/flows/kinds.hpp"
#include "dure/flows/validation.hpp"
#include "flows/document/fields.hpp"
#include "flows/validation/order.hpp"

namespace dure::flows {

namespace {

using Guards = std::set<std::pair<std::size_t, std::string>>;  // branches that were taken: node, handle

class ControlCheck {
public:
    ControlCheck(const Document& document, Problems& problems)
        : document_(document), problems_(problems), next_(document.nodes.size()), before_(document.nodes.size()),
          guards_(document.nodes.size())
    {
        for (std::size_t i = 0; i < document.nodes.size(); ++i)
            places_.emplace(document.nodes[i].id, i);
        for (const auto& edge : document.edges) {
            const auto source = places_.find(edge.source);
            const auto target = places_.find(edge.target);
            if (source == places_.end() || target == places_.end() || edge.target_handle != "in")
                continue;
            next_[source->second].push_back(target->second);
            before_[target->second].emplace_back(source->second, edge.source_handle);
        }
    }

    void run()
    {
        find_guards({}, {}, 0);
        check_writers();
        for (std::size_t i = 0; i < document_.nodes.size(); ++i)
            if (document_.nodes[i].kind == "loop_back")
                check_target(i);
    }

private:
    static bool branches(const Node& node)
    {
        const auto* kind = find_kind(node.kind);
        const auto* on_error = member(node.policy, "on_error");
        return (kind && !kind->cases.empty()) || (on_error && *on_error == "branch");
    }

    // In the order of the edges: what every way to a node has in common.
    void find_guards(const std::string& parent, const Guards& base, std::size_t depth)
    {
        if (depth > document_.nodes.size())
            return;  // containers in a circle: told elsewhere
        visit_in_order(document_, parent, before_, next_, [&](std::size_t node) {
            guards_[node] = guards_of(node, base);
            const auto* kind = find_kind(document_.nodes[node].kind);
            if (kind && kind->container)
                find_guards(document_.nodes[node].id, guards_[node], depth + 1);
        });
    }

    Guards guards_of(std::size_t node, const Guards& base) const
    {
        std::optional<Guards> common;
        for (const auto& [source, handle] : before_[node]) {
            auto way = guards_[source];
            if (branches(document_.nodes[source]))
                way.emplace(source, handle);
            if (!common) {
                common = std::move(way);
                continue;
            }
            std::erase_if(*common, [&](const auto& guard) { return !way.contains(guard); });
        }
        return common.value_or(base);
    }

    bool exclude_each_other(std::size_t a, std::size_t b) const
    {
        return std::any_of(guards_[a].begin(), guards_[a].end(), [&](const auto& one) {
            return std::any_of(guards_[b].begin(), guards_[b].end(), [&](const auto& other) {
                return one.first == other.first && one.second != other.second;
            });
        });
    }

    bool reaches(std::size_t from, std::size_t to) const
    {
        std::vector<bool> seen(document_.nodes.size());
        std::vector<std::size_t> open{from};
        while (!open.empty()) {
            const auto at = open.back();
            open.pop_back();
            if (at == to)
                return true;
            if (seen[at])
                continue;
            seen[at] = true;
            open.insert(open.end(), next_[at].begin(), next_[at].end());
        }
        return false;
    }

    // The node and the containers around it, outermost first.
    std::vector<std::size_t> chain_of(std::size_t node) const
    {
        std::vector<std::size_t> chain{node};
        while (chain.size() <= document_.nodes.size()) {
            const auto parent = places_.find(document_.nodes[chain.back()].parent);
            if (parent == places_.end())
                break;
            chain.push_back(parent->second);
        }
        std::reverse(chain.begin(), chain.end());
        return chain;
    }

    bool may_run_together(std::size_t a, std::size_t b) const
    {
        const auto first = chain_of(a), second = chain_of(b);
        std::size_t i = 0;
        while (i < first.size() && i < second.size() && first[i] == second[i])
            ++i;
        if (i == first.size() || i == second.size())
            return false;  // one is the other, or around it
        return !reaches(first[i], second[i]) && !reaches(second[i], first[i]) && !exclude_each_other(a, b);
    }

    // Items of an iteration that run at the same time.
    bool runs_beside_itself(std::size_t node) const
    {
        for (const auto around : chain_of(node)) {
            const auto* parallel = document_.nodes[around].kind == "iteration"
                                       ? member(document_.nodes[around].config, "parallel")
                                       : nullptr;
            if (parallel && around != node && *parallel != 1)
                return true;
        }
        return false;
    }

    // "state.x" and "session.x" whose reducer is last: the declared ones.
    std::set<std::string> last_values() const
    {
        std::set<std::string> values;
        for (const auto& entry : document_.state) {
            const auto* name = member(entry, "name");
            const auto* reducer = member(entry, "reducer");
            const auto* scope = member(entry, "scope");
            if (name && name->is_string() && (!reducer || *reducer == "last"))
                values.insert((scope && *scope == "session" ? "session." : "state.") + name->get<std::string>());
        }
        return values;
    }

    void check_writers()
    {
        struct Writer {
            std::size_t node;
            std::size_t op;
        };
        const auto values = last_values();
        std::map<std::string, std::vector<Writer>> writers;
        for (std::size_t i = 0; i < document_.nodes.size() && !values.empty(); ++i) {
            const auto* ops = document_.nodes[i].kind == "set" ? member(document_.nodes[i].config, "ops") : nullptr;
            for (std::size_t k = 0; ops && ops->is_array() && k < ops->size(); ++k)
                if (const auto* target = member((*ops)[k], "target");
                    target && target->is_string() && values.contains(target->get<std::string>()))
                    writers[target->get<std::string>()].push_back({i, k});
        }
        for (const auto& [value, all] : writers)
            for (std::size_t i = 0; i < all.size(); ++i) {
                if (runs_beside_itself(all[i].node))
                    warn(all[i].node, all[i].op, value, "items that run at the same time");
                else
                    for (std::size_t k = 0; k < i; ++k)
                        if (may_run_together(all[k].node, all[i].node)) {
                            warn(all[i].node, all[i].op, value, in_quotes(document_.nodes[all[k].node].id));
                            break;
                        }
            }
    }

    void warn(std::size_t node, std::size_t op, const std::string& value, const std::string& others)
    {
        const auto& writer = document_.nodes[node];
        problems_.add(
            {"reducer_missing",
             Location{"nodes", std::to_string(writer.index), "data", "config", "ops", std::to_string(op), "target"},
             value + " may be written at the same time by " + others +
                 "; give it a reducer, or it fails when that happens",
             Level::warning, writer.id});
    }

    // The target of a jump has run before and stands beside the node (flow-format §6).
    void check_target(std::size_t node)
    {
        const auto& back = document_.nodes[node];
        const auto* target = member(back.config, "target");
        if (!target || !target->is_string())
            return;  // told by check_configs()
        const auto found = places_.find(target->get<std::string>());
        const bool fits = found != places_.end() && found->second != node &&
                          document_.nodes[found->second].parent == back.parent &&
                          document_.nodes[found->second].kind != "start" && reaches(found->second, node);
        if (!fits)
            problems_.add({"loop_target_invalid",
                           Location{"nodes", std::to_string(back.index), "data", "config", "target"},
                           in_quotes(target->get<std::string>()) +
                               " is not a node in the same container that always comes before this one",
                           Level::error, back.id});
    }

    const Document& document_;
    Problems& problems_;
    std::unordered_map<std::string, std::size_t> places_;
    std::vector<std::vector<std::size_t>> next_;
    std::vector<std::vector<std::pair<std::size_t, std::string>>> before_;
    std::vector<Guards> guards_;
};

}  // namespace

void check_flow(const Document& document, Problems& problems)
{
    ControlCheck(document, problems).run();
}

}  // namespace dure::flows
