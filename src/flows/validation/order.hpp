// Which nodes are certain to have run before a node starts (§2, §6): needed to say whether an expression can fail.
#pragma once

#include <unordered_map>
#include <vector>

#include "dure/flows/document.hpp"

namespace dure::flows {

// The nodes whose parent is `parent`, each after those whose edges lead to it (`before` and `next` by place in Document::nodes).
// Nodes in a circle, and those behind one, are left out.
template <class Before, class Visit>
void visit_in_order(const Document& document, const std::string& parent, const std::vector<Before>& before,
                    const std::vector<std::vector<std::size_t>>& next, Visit visit)
{
    std::vector<std::size_t> free;
    std::unordered_map<std::size_t, std::size_t> waits;
    for (std::size_t i = 0; i < document.nodes.size(); ++i)
        if (document.nodes[i].parent == parent) {
            waits[i] = before[i].size();
            if (before[i].empty())
                free.push_back(i);
        }
    while (!free.empty()) {
        const auto node = free.back();
        free.pop_back();
        visit(node);
        for (const auto other : next[node])
            if (const auto waiting = waits.find(other); waiting != waits.end() && --waiting->second == 0)
                free.push_back(other);
    }
}

class RunOrder {
public:
    explicit RunOrder(const Document& document);
    // Both are places in Document::nodes. Nodes in a circle have nothing before them.
    bool certain_before(std::size_t earlier, std::size_t later) const { return certain_[later][earlier]; }

private:
    struct Step {
        std::size_t source;
        bool always;  // taken whenever its source has run
    };
    using Marks = std::vector<bool>;

    void arrange(const std::string& parent, const Marks& base);
    void settle(std::size_t node, const Marks& base);

    const Document& document_;
    std::unordered_map<std::string, std::size_t> places_;
    std::vector<std::vector<Step>> before_;
    std::vector<std::vector<std::size_t>> next_;
    std::vector<Marks> certain_, ancestors_;
};

}  // namespace dure::flows
