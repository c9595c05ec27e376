// check_settings(): what stands beside the drawing: inputs, state, limits, and the settings of chatflows and agentflows (§1, §8).
#include <algorithm>
#include <set>

#include "dure/flows/inputs.hpp"
#include "dure/flows/validation.hpp"
#include "flows/document/fields.hpp"

namespace dure::flows {

namespace {

constexpr double most_milliseconds = 86400000;

class SettingsCheck {
public:
    SettingsCheck(const Document& document, Problems& problems) : document_(document), problems_(problems) {}

    void run()
    {
        check_entries(document_.inputs, "inputs", {"name", "type", "label", "required", "default", "options"});
        check_entries(document_.state, "state", {"name", "type", "reducer", "default", "scope"});
        check_limits();
        if (document_.flow_type == FlowType::agentflow)
            check_agentflow();
        else
            check_chatflow();
    }

private:
    void check_entries(const OrderedJson& list, const char* key, const std::vector<std::string_view>& known)
    {
        std::set<std::string> names;
        for (std::size_t i = 0; i < list.size(); ++i) {
            const auto place = Location{key, std::to_string(i)};
            if (!list[i].is_object()) {
                problems_.add({"field_type", place, "must be an object"});
                continue;
            }
            const FieldReader fields(list[i], place, problems_);
            fields.only(known);
            fields.required("name");
            if (const auto name = fields.text("name", 1, 100); name && !names.insert(*name).second)
                fields.problem("id_duplicate", "name", "there is another one with the name " + in_quotes(*name));
            const auto type = fields.text("type", 1, 100);
            if (type && !value_type_allowed(*type))
                fields.problem("field_range", "type", "there is no type " + in_quotes(*type));
            fields.text("label", 0, 200);
            fields.boolean("required");
            fields.array("options");
            const auto reducer = fields.one_of("reducer", {"last", "append", "add", "merge"});
            fields.one_of("scope", {"run", "session"});
            const auto declared = type.value_or("any"), folded = reducer.value_or("last");
            if (!reducer_keeps_type(folded, declared))
                fields.problem("field_type", "reducer",
                               "a value of the type " + declared + " cannot be kept by " + folded);
            else if (const auto* otherwise = member(list[i], "default"))
                check_default(fields, Json(*otherwise), declared, folded);
        }
    }

    // What a reducer makes must be of the type: append a list, add a number, merge an object.
    static bool reducer_keeps_type(const std::string& reducer, const std::string& type)
    {
        const auto is_among = [&](std::initializer_list<std::string_view> types) {
            return type == "any" || std::find(types.begin(), types.end(), type) != types.end();
        };
        return reducer == "append"  ? is_among({"list", "messages", "documents"}) || type.starts_with("list<")
               : reducer == "add"   ? is_among({"number", "integer"})
               : reducer == "merge" ? is_among({"object", "message", "file", "image"})
                                    : true;
    }

    static void check_default(const FieldReader& fields, const Json& value, const std::string& type,
                              const std::string& reducer)
    {
        const bool foldable = reducer == "append"  ? value.is_array()
                              : reducer == "add"   ? value.is_number()
                              : reducer == "merge" ? value.is_object()
                                                   : true;
        if (!fits_type(type, value))
            fields.problem("field_type", "default", "must be of the type " + type);
        else if (!foldable)
            fields.problem("field_type", "default", "is nothing that the reducer " + reducer + " can begin with");
    }

    void check_limits()
    {
        if (document_.limits.is_null())
            return;
        const FieldReader limits(document_.limits, {"limits"}, problems_);
        limits.only({"max_steps", "timeout_ms", "max_parallel", "max_tokens", "max_cost_usd"});
        limits.integer("max_steps", 1, 10000);
        limits.integer("timeout_ms", 1, most_milliseconds);
        limits.integer("max_parallel", 1, 32);
        limits.integer("max_tokens", 1, 1000000000);
        limits.number("max_cost_usd", 0, 1000000);
    }

    // A setting of the other type of flow.
    void foreign(const OrderedJson& value, const char* key)
    {
        if (!value.is_null())
            problems_.add({"orchestration_invalid",
                           {key},
                           std::string("does not belong to ") + std::string(name_of(document_.flow_type)) + "s"});
    }

    void check_agentflow()
    {
        foreign(document_.chat_config, "chat_config");
        foreign(document_.memory_config, "memory_config");
        foreign(document_.rag_config, "rag_config");
        const auto& type = document_.orchestration_type;
        if (type && *type != "sequential" && *type != "parallel" && *type != "hierarchical" && *type != "adaptive")
            problems_.add({"orchestration_invalid",
                           {"orchestration_type"},
                           "must be one of: sequential, parallel, hierarchical, adaptive"});
        if (document_.supervisor_config.is_null())
            return;
        const FieldReader supervisor(document_.supervisor_config, {"supervisor_config"}, problems_);
        supervisor.only({"enabled", "llm_provider", "llm_model", "max_iterations", "decision_strategy"});
        const auto enabled = supervisor.boolean("enabled");
        supervisor.text("llm_provider", 0, 200);
        supervisor.text("llm_model", 0, 200);
        supervisor.integer("max_iterations", 1, 100);
        supervisor.one_of("decision_strategy", {"llm_based", "rule_based", "round_robin"});
        if (type && (*type == "hierarchical" || *type == "adaptive") && enabled == false)
            supervisor.problem("orchestration_invalid", "enabled", *type + " needs the supervisor");
    }

    void check_chatflow()
    {
        foreign(document_.supervisor_config, "supervisor_config");
        if (document_.orchestration_type)
            foreign(OrderedJson(*document_.orchestration_type), "orchestration_type");
        if (!document_.chat_config.is_null()) {
            const FieldReader chat(document_.chat_config, {"chat_config"}, problems_);
            chat.only({"llm_provider", "llm_model", "system_prompt", "temperature", "max_tokens", "streaming"});
            chat.text("llm_provider", 0, 200);
            chat.text("llm_model", 0, 200);
            chat.text("system_prompt", 0, 100000);
            chat.number("temperature", 0, 2);
            chat.integer("max_tokens", 1, 1000000);
            chat.boolean("streaming");
        }
        if (!document_.memory_config.is_null()) {
            const FieldReader memory(document_.memory_config, {"memory_config"}, problems_);
            memory.only({"type", "max_messages"});
            memory.one_of("type", {"buffer", "summary", "vector", "hybrid"});
            memory.integer("max_messages", 1, 1000);
        }
        if (!document_.rag_config.is_null())
            check_rag();
    }

    void check_rag()
    {
        const FieldReader rag(document_.rag_config, {"rag_config"}, problems_);
        rag.only({"enabled", "knowledgebase_ids", "retrieval_strategy", "top_k"});
        rag.boolean("enabled");
        rag.one_of("retrieval_strategy", {"vector", "keyword", "hybrid"});
        rag.integer("top_k", 1, 50);
        const auto* ids = rag.array("knowledgebase_ids");
        for (std::size_t i = 0; ids && i < ids->size(); ++i)
            if (!(*ids)[i].is_string())
                problems_.add({"field_type", {"rag_config", "knowledgebase_ids", std::to_string(i)}, "must be a text"});
    }

    const Document& document_;
    Problems& problems_;
};

}  // namespace

void check_settings(const Document& document, Problems& problems)
{
    SettingsCheck(document, problems).run();
}

}  // namespace dure::flows
