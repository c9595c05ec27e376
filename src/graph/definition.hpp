// A compiled graph as plain data. Nodes stand in byte order of their names, so that an index is also the place of a node
// in the order of folding (P1). END needs no node: an edge to it is left out.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dure/graph/graph.hpp"

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

struct Subgraph {
    CompiledGraph graph;
    Persistence persistence = Persistence::inherit;
    std::map<std::string, std::string> input_map;
    std::map<std::string, std::string> output_map;
};

struct NodeDefinition {
    std::string name;
    NodeFunction function;                       // empty for a sub-graph
    std::shared_ptr<const Subgraph> subgraph;
    NodeOptions options;
    std::vector<bool> visible;                   // channels of options.input; empty: all
    OutgoingEdges edges;
};

struct WaitingEdge {
    std::string name;                            // "a,b>c": in checkpoints
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
    std::vector<bool> stop_before;               // by node (I1)
    std::vector<bool> stop_after;
    ErrorHandler on_error;
    std::string version;                         // hash of nodes, edges and channels (D11)
    bool has_ephemeral = false;
    std::vector<std::string> memory_only;  // channels that no durable form of an update may hold (S8)

    std::optional<std::size_t> find(std::string_view name) const;
};

// By name or by "*".
bool names_node(const std::vector<std::string>& list, const std::string& node);

}  // namespace dure::graph
