// The flow document of flow-format §1: read from JSON text into a plain struct, written back in full or in canonical form.
//   auto reading = flows::read_document(text);        // {document, problems}: all problems of form at once
//   flows::validate(reading.document, …, problems);   // validation.hpp: what the drawing means
// Keys that are not ours are kept: of nodes and edges in `raw`, at the top under `extra`. A known key that is null counts as
// absent. The server's own fields (id, owner, version …) are ignored.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dure/base/json.hpp"
#include "dure/flows/problem.hpp"

namespace dure::flows {

inline constexpr std::int64_t newest_format_version = 1;

struct DocumentLimits {
    std::size_t bytes = 4u << 20;
    std::size_t depth = 64;
    std::size_t nodes = 500;
    std::size_t edges = 2000;
};

struct Node {
    std::string id;
    std::string kind;
    std::string parent;  // id of the container; empty: the flow itself
    bool disabled = false;
    OrderedJson config = OrderedJson::object();
    OrderedJson policy;  // null: none
    OrderedJson raw;  // the node as sent, without id, type, parentId, data.config, data.policy
    std::size_t index = 0;  // its place in `nodes` of the text
};

struct Edge {
    std::string id;
    std::string source, source_handle = "out";
    std::string target, target_handle = "in";
    OrderedJson raw;  // the edge as sent, without those five
    std::size_t index = 0;
};

enum class FlowType { agentflow, chatflow };
std::string_view name_of(FlowType type);
std::optional<FlowType> parse_flow_type(std::string_view name);

struct Document {
    std::int64_t format_version = newest_format_version;
    FlowType flow_type = FlowType::agentflow;
    std::string name;
    std::string description;
    std::string category;
    std::vector<std::string> tags;
    bool is_active = true;
    std::optional<std::string> orchestration_type;
    // inputs, state: arrays; supervisor_config, chat_config, memory_config, rag_config, viewport, limits: objects. Null:
    // absent.
    OrderedJson supervisor_config, chat_config, memory_config, rag_config, inputs, state, viewport, limits;
    std::vector<Node> nodes;
    std::vector<Edge> edges;
    OrderedJson extra = OrderedJson::object();  // unknown top-level keys

    const Node* find_node(std::string_view id) const;
};

struct Reading {
    Document document;  // as far as it could be read
    Problems problems;
};

// Text from anywhere. Codes: json_invalid, too_large, too_deep, duplicate_key (then nothing else is known), and those of
// read_tree(). `type`: what the route says; a document that says otherwise is a problem.
Reading read_document(std::string_view text, std::optional<FlowType> type = {}, const DocumentLimits& limits = {});
// A tree that has passed check_json. Codes: format_version_unsupported, field_…, too_large (nodes, edges), id_invalid.
Reading read_tree(const OrderedJson& tree, std::optional<FlowType> type = {}, const DocumentLimits& limits = {});
// The text checks alone: bytes, depth, UTF-8, keys twice. Empty problems: the text can be parsed.
Problems check_text(std::string_view text, const DocumentLimits& limits = {});

// Keys in the order of §1, nodes and edges in the order drawn: what is stored and answered.
OrderedJson to_json(const Document& document);
// As to_json with nodes and edges by id, two-space JSON, LF: reading it and writing it again gives the same bytes.
std::string canonical_text(const Document& document);

// The document with the top-level keys of `changes` in place of its own; null takes one away. Both are objects.
OrderedJson with_changes(OrderedJson document, const OrderedJson& changes);

}  // namespace dure::flows
