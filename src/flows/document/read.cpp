// read_document() and read_tree(): text -> checks of the text -> migration of older formats -> Document, collecting every problem of form.
#include <algorithm>
#include <limits>
#include <unordered_set>

#include "dure/base/text.hpp"
#include "dure/flows/document.hpp"
#include "dure/schema/json_check.hpp"
#include "flows/document/fields.hpp"
#include "flows/document/keys.hpp"
#include "flows/document/migrate.hpp"

namespace dure::flows {

namespace {

constexpr double any_size = 9007199254740992.0;

bool id_allowed(std::string_view id)
{
    return !id.empty() && id.size() <= 128 && std::all_of(id.begin(), id.end(), [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
               c == ':' || c == '-';
    });
}

// Null members of an object whose keys are ours count as absent, at every depth of it but below `kept`, where they are values.
OrderedJson without_nulls(const OrderedJson& value, std::string_view kept = {})
{
    if (!value.is_object())
        return value;
    auto out = OrderedJson::object();
    for (const auto& [key, inner] : value.items())
        if (!inner.is_null())
            out[key] = key == kept ? inner : without_nulls(inner, kept);
    return out;
}

// The fields of one object alone: what stands below them are values.
OrderedJson without_null_fields(const OrderedJson& value)
{
    if (!value.is_object())
        return value;
    auto out = OrderedJson::object();
    for (const auto& [key, inner] : value.items())
        if (!inner.is_null())
            out[key] = inner;
    return out;
}

OrderedJson each_without_null_fields(const OrderedJson& list)
{
    auto out = OrderedJson::array();
    for (const auto& entry : list)
        out.push_back(without_null_fields(entry));
    return out;
}

OrderedJson without_keys(const OrderedJson& object, std::initializer_list<std::string_view> keys)
{
    auto out = OrderedJson::object();
    for (const auto& [key, value] : object.items())
        if (std::find(keys.begin(), keys.end(), key) == keys.end())
            out[key] = value;
    return out;
}

class Reader {
public:
    Reader(const OrderedJson& tree, const DocumentLimits& limits, Reading& out)
        : tree_(tree), limits_(limits), out_(out), fields_(tree, {}, out.problems)
    {}

    void read(std::optional<FlowType> type)
    {
        read_type(type);
        read_names();
        auto& document = out_.document;
        if (auto orchestration = fields_.text("orchestration_type", 0, 100))
            document.orchestration_type = std::move(*orchestration);
        document.supervisor_config = object_of("supervisor_config");
        document.chat_config = object_of("chat_config");
        document.memory_config = object_of("memory_config");
        document.rag_config = object_of("rag_config");
        document.viewport = object_of("viewport");
        document.limits = object_of("limits");
        if (const auto* inputs = fields_.array("inputs"))
            document.inputs = each_without_null_fields(*inputs);
        if (const auto* state = fields_.array("state"))
            document.state = each_without_null_fields(*state);
        if (const auto* nodes = list_within("nodes", limits_.nodes))
            for (std::size_t i = 0; i < nodes->size(); ++i)
                read_node((*nodes)[i], i);
        if (const auto* edges = list_within("edges", limits_.edges))
            for (std::size_t i = 0; i < edges->size(); ++i)
                read_edge((*edges)[i], i);
        name_edges();
        read_extra();
    }

private:
    void read_type(std::optional<FlowType> type)
    {
        auto& document = out_.document;
        if (const auto* format = member(tree_, "format"); format && *format != "dure.flow")
            fields_.problem("field_range", "format", "must be dure.flow");
        const auto told = fields_.one_of("flow_type", {"agentflow", "chatflow"});
        if (type)
            document.flow_type = *type;
        else if (told)
            document.flow_type = *parse_flow_type(*told);
        else if (!member(tree_, "flow_type"))
            fields_.required("flow_type");
        if (type && told && *parse_flow_type(*told) != *type)
            fields_.problem("field_range", "flow_type",
                            "must be " + std::string(name_of(*type)) + " and cannot change");
    }

    void read_names()
    {
        auto& document = out_.document;
        fields_.required("name");
        document.name = fields_.text("name", 1, 200).value_or("");
        document.description = fields_.text("description", 0, 4000).value_or("");
        document.category = fields_.text("category", 0, 100).value_or("");
        document.is_active = fields_.boolean("is_active").value_or(true);
        const auto* tags = fields_.array("tags");
        if (!tags)
            return;
        if (tags->size() > 32)
            fields_.problem("field_range", "tags", "must have at most 32 entries");
        const FieldReader each(*tags, {"tags"}, out_.problems);
        for (std::size_t i = 0; i < tags->size(); ++i) {
            const auto& tag = (*tags)[i];
            if (!tag.is_string())
                each.problem("field_type", std::to_string(i), "must be a text");
            else if (const auto length = utf8_characters(tag.get_ref<const std::string&>()); length < 1 || length > 50)
                each.problem("field_range", std::to_string(i), "must have 1 to 50 characters");
            else
                document.tags.push_back(tag.get<std::string>());
        }
    }

    OrderedJson object_of(std::string_view key)
    {
        const auto* value = fields_.object(key);
        return value ? without_nulls(*value) : OrderedJson();
    }

    const OrderedJson* list_within(std::string_view key, std::size_t most)
    {
        const auto* list = fields_.array(key);
        if (!list || list->size() <= most)
            return list;
        fields_.problem("too_large", key, "must have at most " + std::to_string(most) + " entries");
        return nullptr;
    }

    void read_node(const OrderedJson& value, std::size_t index)
    {
        const Location place{"nodes", std::to_string(index)};
        if (!value.is_object()) {
            out_.problems.add({"field_type", place, "must be an object"});
            return;
        }
        Node node;
        node.index = index;
        if (const auto* id = member(value, "id"); id && id->is_string())
            node.id = id->get<std::string>();
        const FieldReader fields(value, place, out_.problems, node.id);
        fields.required("id");
        if (member(value, "id") && !id_allowed(node.id))
            fields.problem("id_invalid", "id", "must be 1 to 128 of the characters A-Z a-z 0-9 _ . : -");
        fields.required("type");
        node.kind = fields.text("type", 1, 100).value_or("");
        // React Flow 11 says parentNode
        node.parent = fields.text(member(value, "parentId") ? "parentId" : "parentNode", 0, 128).value_or("");
        read_position(fields, place, node.id);
        node.raw = without_keys(value, {"id", "type", "parentId", "parentNode", "data"});
        if (const auto* data = fields.object("data")) {
            const FieldReader inner(*data, place / "data", out_.problems, node.id);
            inner.text("label", 0, 200);
            node.disabled = inner.boolean("disabled").value_or(false);
            if (const auto* config = inner.object("config"))
                node.config = without_null_fields(*config);
            if (const auto* policy = inner.object("policy"))
                node.policy = without_nulls(*policy, "default");
            node.raw["data"] = without_keys(*data, {"config", "policy"});
        }
        out_.document.nodes.push_back(std::move(node));
    }

    void read_position(const FieldReader& fields, const Location& place, const std::string& id)
    {
        const auto* position = fields.object("position");
        if (!position)
            return;
        const FieldReader inner(*position, place / "position", out_.problems, id);
        inner.number("x", -any_size, any_size);
        inner.number("y", -any_size, any_size);
    }

    void read_edge(const OrderedJson& value, std::size_t index)
    {
        const Location place{"edges", std::to_string(index)};
        if (!value.is_object()) {
            out_.problems.add({"field_type", place, "must be an object"});
            return;
        }
        Edge edge;
        edge.index = index;
        if (const auto* id = member(value, "id"); id && id->is_string())
            edge.id = id->get<std::string>();
        const FieldReader fields(value, place, out_.problems, {}, edge.id);
        fields.text("id", 1, 400);  // React Flow joins both ids and handles
        fields.required("source");
        fields.required("target");
        edge.source = fields.text("source", 1, 128).value_or("");
        edge.target = fields.text("target", 1, 128).value_or("");
        edge.source_handle = fields.text("sourceHandle", 0, 200).value_or("out");
        edge.target_handle = fields.text("targetHandle", 0, 200).value_or("in");
        edge.raw = without_keys(value, {"id", "source", "target", "sourceHandle", "targetHandle"});
        out_.document.edges.push_back(std::move(edge));
    }

    // Edges that came without an id get one that says what they join; a number behind it where that is taken.
    void name_edges()
    {
        std::unordered_set<std::string> taken;
        for (const auto& edge : out_.document.edges)
            taken.insert(edge.id);
        for (auto& edge : out_.document.edges) {
            if (!edge.id.empty())
                continue;
            const auto base = edge.source + ":" + edge.source_handle + "-" + edge.target + ":" + edge.target_handle;
            auto id = base;
            for (int i = 2; !taken.insert(id).second; ++i)
                id = base + "-" + std::to_string(i);
            edge.id = std::move(id);
        }
    }

    void read_extra()
    {
        auto& extra = out_.document.extra;
        for (const auto& [key, value] : tree_.items()) {
            if (is_document_key(key) || is_server_key(key))
                continue;
            if (key == "extra" && value.is_object())
                for (const auto& [inner_key, inner] : value.items())
                    extra[inner_key] = inner;
            else if (key != "extra" || !value.is_null())
                extra[key] = value;
        }
    }

    const OrderedJson& tree_;
    const DocumentLimits& limits_;
    Reading& out_;
    FieldReader fields_;
};

}  // namespace

std::string_view name_of(FlowType type)
{
    return type == FlowType::agentflow ? "agentflow" : "chatflow";
}

std::optional<FlowType> parse_flow_type(std::string_view name)
{
    if (name == "agentflow")
        return FlowType::agentflow;
    if (name == "chatflow")
        return FlowType::chatflow;
    return std::nullopt;
}

const Node* Document::find_node(std::string_view id) const
{
    const auto found = std::find_if(nodes.begin(), nodes.end(), [&](const Node& node) { return node.id == id; });
    return found == nodes.end() ? nullptr : &*found;
}

Problems check_text(std::string_view text, const DocumentLimits& limits)
{
    Problems problems;
    if (text.size() > limits.bytes) {
        problems.add({"too_large", {}, "A flow document may have " + std::to_string(limits.bytes) + " bytes."});
        return problems;
    }
    schema::JsonLimits strict;
    strict.depth = limits.depth;
    const auto checked = schema::check_json(text, strict);
    if (checked)
        return problems;
    // The checker says one word for every fault; with one of its rules off at a time it tells which it was.
    auto deep = strict;
    deep.depth = 1024;
    auto repeating = strict;
    repeating.refuse_duplicates = false;
    const auto* code = schema::check_json(text, deep)        ? "too_deep"
                       : schema::check_json(text, repeating) ? "duplicate_key"
                                                             : "json_invalid";
    problems.add({code, {}, checked.error().message()});
    return problems;
}

Reading read_document(std::string_view text, std::optional<FlowType> type, const DocumentLimits& limits)
{
    if (auto problems = check_text(text, limits); !problems.empty())
        return {{}, std::move(problems)};
    return read_tree(OrderedJson::parse(text), type, limits);
}

Reading read_tree(const OrderedJson& tree, std::optional<FlowType> type, const DocumentLimits& limits)
{
    Reading reading;
    if (!tree.is_object()) {
        reading.problems.add({"field_type", {}, "A flow document is an object."});
        return reading;
    }
    const FieldReader fields(tree, {}, reading.problems);
    const auto version =
        fields.integer("format_version", 0, static_cast<double>(std::numeric_limits<std::int32_t>::max()));
    if (version && *version > newest_format_version) {
        fields.problem("format_version_unsupported", "format_version",
                       "is newer than this server knows: " + std::to_string(newest_format_version));
        return reading;
    }
    if (version && *version < newest_format_version)
        Reader(migrated(tree, *version), limits, reading).read(type);
    else
        Reader(tree, limits, reading).read(type);
    return reading;
}

}  // namespace dure::flows
