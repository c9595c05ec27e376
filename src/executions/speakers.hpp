// Which nodes of a flow speak to the user, by its drawing alone: its replies, and the nodes that ask a model whose text surely is,
// unchanged, what a reply says or what the flow answers at its end.
#pragma once

#include <map>
#include <set>
#include <string>

#include "dure/flows/document.hpp"

namespace dure::executions {

struct Speakers {
    std::set<std::string> replies;
    std::map<std::string, std::set<std::string>> sources;   // of a reply: the nodes whose text it may hand on
    std::set<std::string> streaming;   // their tokens may be said as they come
};

Speakers speakers_of(const flows::Document& document);

}  // namespace dure::executions
