// Speech: which of the texts that nodes tell while a flow runs are said to the user. A reply says its text; where it only hands
// on what a model node says, the tokens of that node are said as they come, and the reply adds nothing.
#pragma once

#include <map>
#include <set>
#include <string>

#include "dure/flows/document.hpp"

namespace dure::executions {

class Speech {
public:
    explicit Speech(const flows::Document& document);

    // What of a told text is new to the user.
    std::string heard(const std::string& node_id, const std::string& text);
    // What is left of the whole answer at the end.
    std::string rest_of(const std::string& whole);

private:
    bool streams(const std::string& node_id) const { return all_stream_ || streaming_.contains(node_id); }

    std::set<std::string> replies_;
    std::set<std::string> streaming_;
    bool all_stream_ = false;  // drawn by its settings: the nodes are not in the document
    std::map<std::string, std::string> told_;  // by streaming node, until a reply hands it on
    std::string said_;
};

}  // namespace dure::executions
