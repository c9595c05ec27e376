// A compiled graph as plain data. Nodes stand in byte order of their names, so that an index is also the place of a node
// in the order of folding (P1). END needs no node: an edge to it is left out.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dure/graph/node.hpp"
#include "dure/graph/reducer.hpp"
#include "dure/graph/state.hpp"

namespace dure::graph {

struct ConditionalEdges {
    RouteFunction route;
    bool labelled = false;
    std::map<std::string, std::string> labels;   // label → node or END
};

struct OutgoingEdges {
    std::vector<std::size_t> plain;              // node indices
    std::vector<ConditionalEdges> conditional;
};

struct NodeDefinition {
    std::string name;
    NodeFunction function;
    bool defer = false;
    OutgoingEdges edges;
};

struct WaitingEdge {
    std::vector<std::size_t> from;
    std::size_t to = 0;
};

struct Definition {
    ChannelNames channel_names;
    std::vector<Reducer> reducers;               // in the order of channel_names
    std::vector<bool> input_channels;
    std::vector<bool> output_channels;
    std::vector<NodeDefinition> nodes;           // in byte order of the names
    std::vector<WaitingEdge> waiting;
    OutgoingEdges entry;                         // of START

    std::optional<std::size_t> find(std::string_view name) const;
};

}  // namespace dure::graph
