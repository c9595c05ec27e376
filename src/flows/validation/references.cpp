// See references.hpp.
#include "dure/flows/references.hpp"

#include "dure/flows/expression.hpp"
#include "flows/document/fields.hpp"

namespace dure::flows {

namespace {

// The text of a member when it is fixed: no expression in it, not empty.
std::string fixed_text(const OrderedJson& object, std::string_view key)
{
    const auto* value = member(object, key);
    if (!value || !value->is_string())
        return {};
    const auto text = Template::parse(value->get_ref<const std::string&>());
    return text && text->is_literal() ? text->literal() : std::string();
}

class ReferenceSearch {
public:
    std::vector<Reference> of(const Document& document)
    {
        model(document.chat_config, {"chat_config"}, "llm_provider", "llm_model");
        model(document.supervisor_config, {"supervisor_config"}, "llm_provider", "llm_model");
        memory(document.memory_config, {"memory_config"});
        retrieval(document.rag_config);
        for (const auto& node : document.nodes) {
            node_id_ = node.id;
            of_node(node, Location{"nodes", std::to_string(node.index), "data", "config"});
        }
        return std::move(found_);
    }

private:
    void of_node(const Node& node, const Location& config)
    {
        model(node.config, config, "provider", "model");
        if (const auto* own = member(node.config, "memory"))
            memory(*own, config / "memory");
        if (const auto* knowledge = member(node.config, "knowledge"); knowledge && knowledge->is_object())
            texts(ReferenceKind::knowledge, *knowledge, "ids", config / "knowledge");
        texts(ReferenceKind::knowledge, node.config, "knowledgebase_ids", config);
        if (node.kind == "agent")
            tools(node.config, config);
        if (node.kind == "tool")
            add(ReferenceKind::tool, fixed_text(node.config, "tool"), config / "tool");
        if (node.kind == "subflow")
            flow(node.config, config);
    }

    void add(ReferenceKind kind, std::string name, Location place)
    {
        if (!name.empty())
            found_.push_back({kind, std::move(name), {}, {}, std::move(place), node_id_});
    }

    void model(const OrderedJson& object, const Location& place, std::string_view provider, std::string_view name)
    {
        auto model = fixed_text(object, name);
        if (!model.empty())
            found_.push_back(
                {ReferenceKind::model, std::move(model), fixed_text(object, provider), {}, place / name, node_id_});
        else if (const auto* computed = member(object, name); !computed || *computed == "")
            add(ReferenceKind::provider, fixed_text(object, provider), place / provider);
    }

    void memory(const OrderedJson& object, const Location& place)
    {
        if (const auto type = fixed_text(object, "type"); type == "vector" || type == "hybrid")
            add(ReferenceKind::unavailable, "memory of the type " + type, place / "type");
    }

    // Where knowledge bases are named, they are what is not there.
    void retrieval(const OrderedJson& settings)
    {
        const auto* enabled = member(settings, "enabled");
        if (enabled && *enabled == false)
            return;
        const auto before = found_.size();
        texts(ReferenceKind::knowledge, settings, "knowledgebase_ids", {"rag_config"});
        if (enabled && *enabled == true && found_.size() == before)
            add(ReferenceKind::unavailable, "retrieval", {"rag_config", "enabled"});
    }

    void texts(ReferenceKind kind, const OrderedJson& object, std::string_view key, const Location& place)
    {
        const auto* list = member(object, key);
        for (std::size_t i = 0; list && list->is_array() && i < list->size(); ++i)
            if ((*list)[i].is_string())
                add(kind, (*list)[i].get<std::string>(), place / key / i);
    }

    // An agent's tools are names, or objects with one.
    void tools(const OrderedJson& object, const Location& place)
    {
        const auto* list = member(object, "tools");
        for (std::size_t i = 0; list && list->is_array() && i < list->size(); ++i) {
            const auto& entry = (*list)[i];
            if (entry.is_string())
                add(ReferenceKind::tool, entry.get<std::string>(), place / "tools" / i);
            else if (entry.is_object())
                add(ReferenceKind::tool, fixed_text(entry, entry.contains("name") ? "name" : "tool"),
                    place / "tools" / i);
        }
    }

    void flow(const OrderedJson& object, const Location& place)
    {
        auto name = fixed_text(object, "flow");
        if (name.empty())
            return;
        Reference one{ReferenceKind::flow, std::move(name), {}, {}, place / "flow", node_id_};
        if (const auto* version = member(object, "version"); version && version->is_number_integer())
            one.version = version->dump();
        else
            one.version = fixed_text(object, "version");
        found_.push_back(std::move(one));
    }

    std::vector<Reference> found_;
    std::string node_id_;
};

}  // namespace

std::vector<Reference> references_of(const Document& document)
{
    return ReferenceSearch().of(document);
}

void check_references(const std::vector<Reference>& references, const References& known, Level level,
                      Problems& problems)
{
    const auto unknown = [&](const Reference& one, const char* code, const char* what) {
        problems.add(
            {code, one.location, std::string("there is no ") + what + " " + in_quotes(one.name), level, one.node_id});
    };
    for (const auto& one : references)
        switch (one.kind) {
        case ReferenceKind::model:
            if (!known.has_model(one.provider, one.name))
                unknown(one, "model_unknown", "model");
            break;
        case ReferenceKind::provider:
            if (!known.has_provider(one.name))
                unknown(one, "model_unknown", "provider");
            break;
        case ReferenceKind::tool:
            if (!known.has_tool(one.name))
                unknown(one, "tool_unknown", "tool");
            break;
        case ReferenceKind::knowledge:
            if (!known.has_knowledge(one.name))
                unknown(one, "knowledge_unknown", "knowledge base");
            break;
        case ReferenceKind::unavailable:
            problems.add({"kind_not_available", one.location, one.name + " is not available in this server", level,
                          one.node_id});
            break;
        case ReferenceKind::flow: break;
        }
}

}  // namespace dure::flows
