// The schemas of flows in /openapi.json. A document is written once, as it is stored; what a request may leave out or send as
// null is derived from that. Nodes: openapi_node_schemas.cpp.
#include "api/openapi_schemas.hpp"

namespace dure::api {

namespace {

// Members of a stored document (flow-format §1).
constexpr std::string_view document_text = R"json({
  "format":{"type":"string","const":"dure.flow"},"format_version":{"type":"integer","minimum":0,"maximum":1},
  "flow_type":{"type":"string","enum":["agentflow","chatflow"]},"name":{"type":"string","minLength":1,"maxLength":200},
"description":{"type":"string","maxLength":4000},"category":{"type":"string","maxLength":100},
"tags":{"type":"array","maxItems":32,"items":{"type":"string","minLength":1,"maxLength":50}},
"is_active":{"type":"boolean","description":"absent: true; an inactive flow does not run"},
"orchestration_type":{"type":"string","enum":["sequential","parallel","hierarchical","adaptive"],"description":"agentflows"},
"supervisor_config":{"$ref":"#/components/schemas/SupervisorConfig"},"chat_config":{"$ref":"#/components/schemas/ChatConfig"},
"memory_config":{"$ref":"#/components/schemas/MemoryConfig"},"rag_config":{"$ref":"#/components/schemas/RagConfig"},
"inputs":{"type":"array","items":{"$ref":"#/components/schemas/FlowInput"}},
"state":{"type":"array","items":{"$ref":"#/components/schemas/FlowState"}},
"nodes":{"type":"array","items":{"$ref":"#/components/schemas/FlowNode"}},
"edges":{"type":"array","items":{"$ref":"#/components/schemas/FlowEdge"}},
"viewport":{"type":"object","additionalProperties":true},"limits":{"$ref":"#/components/schemas/FlowLimits"},
"extra":{"type":"object","additionalProperties":true,"description":"members that are not ours, kept"}
})json";

constexpr std::string_view part_schemas = R"json({
"SupervisorConfig": {"type":"object","additionalProperties":false,"properties":{
  "enabled":{"type":["boolean","null"]},"llm_provider":{"type":["string","null"],"maxLength":200},"llm_model":{"type":["string","null"],"maxLength":200},
  "max_iterations":{"type":["integer","null"],"minimum":1,"maximum":100},
  "decision_strategy":{"type":["string","null"],"enum":["llm_based","rule_based","round_robin",null]}}},
"ChatConfig": {"type":"object","additionalProperties":false,"properties":{
  "llm_provider":{"type":["string","null"],"maxLength":200},"llm_model":{"type":["string","null"],"maxLength":200},
  "system_prompt":{"type":["string","null"],"maxLength":100000},"temperature":{"type":["number","null"],"minimum":0,"maximum":2},
  "max_tokens":{"type":["integer","null"],"minimum":1,"maximum":1000000},"streaming":{"type":["boolean","null"]}}},
"MemoryConfig": {"type":"object","additionalProperties":false,"properties":{
  "type":{"type":["string","null"],"enum":["buffer","summary","vector","hybrid",null]},
  "max_messages":{"type":["integer","null"],"minimum":1,"maximum":1000}}},
"RagConfig": {"type":"object","additionalProperties":false,"properties":{
  "enabled":{"type":["boolean","null"]},"knowledgebase_ids":{"type":["array","null"],"items":{"type":"string"}},
  "retrieval_strategy":{"type":["string","null"],"enum":["vector","keyword","hybrid",null]},
  "top_k":{"type":["integer","null"],"minimum":1,"maximum":50}}},
"FlowInput": {"type":"object","additionalProperties":false,"required":["name"],"properties":{
  "name":{"type":"string","minLength":1,"maxLength":100},"type":{"type":["string","null"]},"label":{"type":["string","null"],"maxLength":200},
  "required":{"type":["boolean","null"]},"default":{},"options":{"type":["array","null"],"items":{}}}},
"FlowState": {"type":"object","additionalProperties":false,"required":["name"],"properties":{
  "name":{"type":"string","minLength":1,"maxLength":100},"type":{"type":["string","null"]},
  "reducer":{"type":["string","null"],"enum":["last","append","add","merge",null]},"default":{},
  "scope":{"type":["string","null"],"enum":["run","session",null]}}},
"FlowLimits": {"type":"object","additionalProperties":false,"properties":{
  "max_steps":{"type":["integer","null"],"minimum":1,"maximum":10000},"timeout_ms":{"type":["integer","null"],"minimum":1,"maximum":86400000},
  "max_parallel":{"type":["integer","null"],"minimum":1,"maximum":32},"max_tokens":{"type":["integer","null"],"minimum":1,"maximum":1000000000},
  "max_cost_usd":{"type":["number","null"],"minimum":0,"maximum":1000000}}},
"FlowEdge": {"type":"object","additionalProperties":true,"required":["source","target"],"properties":{
  "id":{"type":["string","null"],"minLength":1,"maxLength":400,"description":"made when absent"},
  "source":{"type":"string","minLength":1,"maxLength":128},"target":{"type":"string","minLength":1,"maxLength":128},
  "sourceHandle":{"type":["string","null"],"maxLength":200,"description":"absent: out"},
  "targetHandle":{"type":["string","null"],"maxLength":200,"description":"absent: in"}}},
"FlowProblem": {"type":"object","additionalProperties":false,"required":["code","type","loc","msg","level"],"properties":{
  "code":{"type":"string"},"type":{"type":"string"},"loc":{"type":"array","items":{"type":"string"}},"msg":{"type":"string"},
  "level":{"type":"string","enum":["error","warn"]},"node_id":{"type":"string"},"edge_id":{"type":"string"}}},
"FlowValidation": {"type":"object","additionalProperties":false,"required":["valid","problems"],"properties":{
  "valid":{"type":"boolean"},"problems":{"type":"array","items":{"$ref":"#/components/schemas/FlowProblem"}}}}
})json";

constexpr std::string_view answer_schemas = R"json({
"FlowEntry": {"type":"object","additionalProperties":false,"required":["id","slug","owner","flow_type","name","description","category","tags","is_active","version","published_version","created_at","updated_at","etag"],"properties":{
  "id":{"type":"string"},"slug":{"type":"string"},"owner":{"type":"string"},"flow_type":{"type":"string","enum":["agentflow","chatflow"]},
  "name":{"type":"string"},"description":{"type":"string"},"category":{"type":"string"},"tags":{"type":"array","items":{"type":"string"}},
  "is_active":{"type":"boolean"},"version":{"type":"integer"},"published_version":{"type":["integer","null"]},
  "created_at":{"type":"string","format":"date-time"},"updated_at":{"type":"string","format":"date-time"},"etag":{"type":"string"}}},
"FlowPage": {"type":"object","additionalProperties":false,"required":["flows","total","page","page_size"],"properties":{
  "flows":{"type":"array","items":{"$ref":"#/components/schemas/FlowEntry"}},"total":{"type":"integer"},"page":{"type":"integer"},"page_size":{"type":"integer"}}},
"FlowVersionPage": {"type":"object","additionalProperties":false,"required":["versions","total","page","page_size"],"properties":{
  "versions":{"type":"array","items":{"type":"object","additionalProperties":false,"required":["version","saved_by","created_at","published"],"properties":{
    "version":{"type":"integer"},"saved_by":{"type":"string"},"created_at":{"type":"string","format":"date-time"},"published":{"type":"boolean"}}}},
  "total":{"type":"integer"},"page":{"type":"integer"},"page_size":{"type":"integer"}}},
"FlowDifference": {"type":"object","additionalProperties":false,"required":["added","removed","changed"],"properties":{
  "added":{"type":"array","items":{"type":"string"}},"removed":{"type":"array","items":{"type":"string"}},
  "changed":{"type":"array","items":{"type":"object","additionalProperties":false,"required":["id","paths"],"properties":{
    "id":{"type":"string"},"paths":{"type":"array","items":{"type":"string"}}}}}}},
"JsonPatchOperation": {"type":"object","additionalProperties":false,"required":["op","path"],"properties":{
  "op":{"type":"string","enum":["add","remove","replace"]},"path":{"type":"string"},"value":{}}},
"FlowDiff": {"type":"object","additionalProperties":false,"required":["nodes","edges","settings","layout_only","patch"],"properties":{
  "nodes":{"$ref":"#/components/schemas/FlowDifference"},"edges":{"$ref":"#/components/schemas/FlowDifference"},
  "settings":{"$ref":"#/components/schemas/FlowDifference"},"layout_only":{"type":"boolean"},
  "patch":{"type":"array","items":{"$ref":"#/components/schemas/JsonPatchOperation"},"description":"RFC 6902"}}},
"PublishFlow": {"type":"object","additionalProperties":false,"properties":{"version":{"type":["integer","null"],"minimum":1}}},
"FlowPublication": {"type":"object","additionalProperties":false,"required":["slug","version","model","warnings"],"properties":{
  "slug":{"type":"string"},"version":{"type":["integer","null"],"description":"null: not published"},"model":{"type":"string"},
  "warnings":{"type":"array","items":{"$ref":"#/components/schemas/FlowProblem"}}}},
"SavedFlow": {"type":"object","additionalProperties":false,"required":["status","flow_id","version","slug","file","warnings"],"properties":{
  "status":{"type":"string","const":"success"},"flow_id":{"type":"string"},"version":{"type":"integer"},"slug":{"type":"string"},
  "file":{"type":["string","null"],"description":"null: the flow is stored, its copy could not be written"},
  "warnings":{"type":"array","items":{"$ref":"#/components/schemas/FlowProblem"}}}}
})json";

// What the server knows of a flow beside its document, and which members of a stored document are always there.
constexpr std::string_view flow_facts = R"json({"type":"object",
"required":["id","slug","owner","version","published_version","created_at","updated_at","saved_at","etag",
  "format","format_version","flow_type","name","description","category","tags","is_active","nodes","edges"],"properties":{
  "id":{"type":"string"},"slug":{"type":"string"},"owner":{"type":"string"},"version":{"type":"integer"},
  "published_version":{"type":["integer","null"]},"created_at":{"type":"string","format":"date-time"},
  "updated_at":{"type":"string","format":"date-time"},"saved_at":{"type":"string","format":"date-time","description":"when this version was"},
  "etag":{"type":"string"},"warnings":{"type":"array","items":{"$ref":"#/components/schemas/FlowProblem"},"description":"of a save"}}})json";

OrderedJson nullable(OrderedJson schema)
{
    if (schema.contains("const") || schema.contains("$ref"))
        return {{"anyOf", {std::move(schema), {{"type", "null"}}}}};
    schema["type"] = {schema["type"], "null"};
    if (schema.contains("enum"))
        schema["enum"].push_back(nullptr);
    return schema;
}

OrderedJson sent_members(const OrderedJson& stored)
{
    auto sent = OrderedJson::object();
    for (const auto& [name, schema] : stored.items())
        sent[name] = name == "name" ? schema : nullable(schema);
    return sent;
}

OrderedJson object_of(const OrderedJson& members, std::vector<std::string> required, const char* description)
{
    OrderedJson schema{{"type", "object"}, {"additionalProperties", true}, {"description", description}};
    if (!required.empty())
        schema["required"] = std::move(required);
    schema["properties"] = members;
    return schema;
}

OrderedJson save_schema(const OrderedJson& sent)
{
    auto members = OrderedJson::object();
    for (const auto* name : {"name", "description", "flow_type", "category", "tags", "is_active"})
        members[name] = sent.at(name);
    members["flow_data"] = {{"$ref", "#/components/schemas/FlowChanges"}};
    return object_of(members, {"name", "flow_data"}, "other members of a document may stand here or in flow_data");
}

}  // namespace

OrderedJson flow_schemas()
{
    const auto stored = OrderedJson::parse(document_text);
    const auto sent = sent_members(stored);
    auto all = OrderedJson::parse(part_schemas);
    all["FlowDocument"] =
        object_of(sent, {"name"}, "what a flow is made of; null counts as absent, unknown members are kept");
    auto of_type = sent;
    of_type["flow_type"] = stored.at("flow_type");
    all["FlowDocumentOfType"] = object_of(of_type, {"flow_type", "name"}, "a document that says which type it is");
    all["FlowChanges"] =
        object_of(sent, {}, "members of a document; each takes the place of the flow's own, null takes it away");
    auto facts = OrderedJson::parse(flow_facts);
    auto members = facts.at("properties");
    members.update(stored);
    all["Flow"] = object_of(members, facts.at("required").get<std::vector<std::string>>(),
                            "a flow with one version of its document");
    all["SaveFlow"] = save_schema(sent);
    all.update(OrderedJson::parse(answer_schemas));
    return all;
}

}  // namespace dure::api
