// What is wrong with a flow document: a code of flow-format §9, the place, and what it means for the person who drew it. All
// of them are collected; an error blocks saving, a warning comes back with the saved flow.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dure/base/json.hpp"

namespace dure::flows {

enum class Level { error, warning };

struct Problem {
    std::string code;
    std::vector<std::string> location;  // from the document's root: {"nodes", "2", "data", "config", "prompt"}
    std::string message;
    Level level = Level::error;
    std::string node_id = {};  // empty: about no single node
    std::string edge_id = {};
};

// Collects problems, at most a thousand: a document that is wrong everywhere needs no longer list.
class Problems {
public:
    static constexpr std::size_t most = 1000;

    void add(Problem problem)
    {
        has_errors_ = has_errors_ || problem.level == Level::error;
        if (list_.size() < most)
            list_.push_back(std::move(problem));
    }
    bool has_errors() const { return has_errors_; }
    bool empty() const { return list_.empty(); }
    const std::vector<Problem>& list() const { return list_; }

private:
    std::vector<Problem> list_;
    bool has_errors_ = false;
};

// {code, type (= code), loc, msg, level, node_id?, edge_id?}
OrderedJson problem_json(const Problem& problem);
// All of them, or those of one level.
OrderedJson problems_json(const Problems& problems);
OrderedJson warnings_json(const Problems& problems);

}  // namespace dure::flows
