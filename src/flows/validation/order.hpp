// Which nodes are certain to have run before a node starts (§2, §6): needed to say whether an expression can fail.
#pragma once

#include <unordered_map>
#include <vector>

#include "dure/flows/document.hpp"

namespace dure::flows {

class RunOrder {
public:
    explicit RunOrder(const Document& document);
    // Both are places in Document::nodes. Nodes in a circle have nothing before them.
    bool certain_before(std::size_t earlier, std::size_t later) const { return certain_[later][earlier]; }

private:
    struct Step {
        std::size_t source;
        bool always;   // taken whenever its source has run
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
