// Speech: which of the texts that nodes tell while a flow runs are said to the user, so that what a stream says is what the flow
// answers: its replies, a blank line between two of them. Where a reply only hands on what a model's node says and surely follows
// it, that node's tokens are said as they come and the reply adds nothing. One voice at a time: of nodes that speak at once the first
// is said live, the others by their replies.
#pragma once

#include <map>
#include <set>
#include <string>

#include "executions/speakers.hpp"

namespace dure::executions {

class Speech {
public:
    explicit Speech(const flows::Document& document);

    // What is to be said of a piece of a node's text, of a reply's text, when a node begins, when it ends.
    std::string piece(const std::string& node_id, const std::string& text);
    std::string reply(const std::string& node_id, const std::string& text);
    void begins(const std::string& node_id);
    std::string ends(const std::string& node_id);
    // What is left of the whole answer at the end.
    std::string rest_of(const std::string& whole);
    // A text of its own, behind what was said.
    std::string paragraph(const std::string& text);

private:
    std::string take_told(const std::string& node_id, const std::string& text);

    Speakers speakers_;
    std::map<std::string, std::string> told_;  // by streaming node, until a reply hands it on
    std::string speaker_;  // who is being said live; empty: nobody
    std::set<std::string> unheard_;  // began to speak while another one spoke
    std::string held_;  // replies that came while somebody spoke
    std::string said_;
    bool replied_ = false;
};

}  // namespace dure::executions
