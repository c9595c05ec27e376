// Document -> JSON: as stored and answered, and canonical for exports.
#include <algorithm>
#include <tuple>

#include "dure/flows/document.hpp"
#include "flows/document/keys.hpp"

namespace dure::flows {

namespace {

// Where a key of ours stands among those of the designer: first, as §2 writes nodes.
OrderedJson node_json(const Node& node)
{
    OrderedJson out{{"id", node.id}, {"type", node.kind}};
    if (!node.parent.empty())
        out["parentId"] = node.parent;
    auto data = OrderedJson::object();
    for (const auto& [key, value] : node.raw.items())
        if (key == "data")
            data = value;
        else
            out[key] = value;
    data["config"] = node.config;
    if (!node.policy.is_null())
        data["policy"] = node.policy;
    out["data"] = std::move(data);
    return out;
}

OrderedJson edge_json(const Edge& edge)
{
    OrderedJson out{{"id", edge.id},
                    {"source", edge.source},
                    {"sourceHandle", edge.source_handle},
                    {"target", edge.target},
                    {"targetHandle", edge.target_handle}};
    for (const auto& [key, value] : edge.raw.items())
        out[key] = value;
    return out;
}

template <class Parts, class ToJson>
OrderedJson list_json(const Parts& parts, ToJson to_json)
{
    auto out = OrderedJson::array();
    for (const auto& part : parts)
        out.push_back(to_json(part));
    return out;
}

}  // namespace

OrderedJson to_json(const Document& document)
{
    OrderedJson out{
        {"format", "dure.flow"}, {"format_version", newest_format_version}, {"flow_type", name_of(document.flow_type)},
        {"name", document.name}, {"description", document.description},     {"category", document.category},
        {"tags", document.tags}, {"is_active", document.is_active}};
    const auto keep = [&](const char* key, const OrderedJson& value) {
        if (!value.is_null())
            out[key] = value;
    };
    if (document.orchestration_type)
        out["orchestration_type"] = *document.orchestration_type;
    keep("supervisor_config", document.supervisor_config);
    keep("chat_config", document.chat_config);
    keep("memory_config", document.memory_config);
    keep("rag_config", document.rag_config);
    keep("inputs", document.inputs);
    keep("state", document.state);
    out["nodes"] = list_json(document.nodes, node_json);
    out["edges"] = list_json(document.edges, edge_json);
    keep("viewport", document.viewport);
    keep("limits", document.limits);
    if (!document.extra.empty())
        out["extra"] = document.extra;
    return out;
}

std::string canonical_text(const Document& document)
{
    auto sorted = document;
    const auto by_id = [](const auto& a, const auto& b) { return std::tie(a.id, a.index) < std::tie(b.id, b.index); };
    std::sort(sorted.nodes.begin(), sorted.nodes.end(), by_id);
    std::sort(sorted.edges.begin(), sorted.edges.end(), by_id);
    return to_json(sorted).dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

OrderedJson with_changes(OrderedJson document, const OrderedJson& changes)
{
    for (const auto& [key, value] : changes.items()) {
        document[key] = value;   // null counts as absent when it is read
        if (!value.is_null() || is_document_key(key))
            continue;
        document.erase(key);   // keys that are not ours stand in `extra`, where null is a value
        if (const auto extra = document.find("extra"); extra != document.end() && extra->is_object())
            extra->erase(key);
    }
    return document;
}

}  // namespace dure::flows
