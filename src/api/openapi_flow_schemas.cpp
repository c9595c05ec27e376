// The schemas of flows in /openapi.json.
#include "api/openapi_schemas.hpp"

namespace dure::api {

namespace {

constexpr std::string_view flow_schema_text = R"json({
"FlowDocument": {"type":"object","additionalProperties":true,"required":["name"],"properties":{
  "format":{"type":"string","const":"dure.flow"},"format_version":{"type":"integer","minimum":0,"maximum":1},
  "flow_type":{"type":"string","enum":["agentflow","chatflow"]},"name":{"type":"string","minLength":1,"maxLength":200},
  "description":{"type":["string","null"],"maxLength":4000},"category":{"type":["string","null"],"maxLength":100},
  "tags":{"type":["array","null"],"maxItems":32,"items":{"type":"string","minLength":1,"maxLength":50}},
  "is_active":{"type":["boolean","null"],"default":true},
  "orchestration_type":{"type":["string","null"],"enum":["sequential","parallel","hierarchical","adaptive",null]},
  "supervisor_config":{"type":["object","null"]},"chat_config":{"type":["object","null"]},"memory_config":{"type":["object","null"]},
  "rag_config":{"type":["object","null"]},"inputs":{"type":["array","null"],"items":{"type":"object"}},
  "state":{"type":["array","null"],"items":{"type":"object"}},
  "nodes":{"type":["array","null"],"items":{"$ref":"#/components/schemas/FlowNode"}},
  "edges":{"type":["array","null"],"items":{"$ref":"#/components/schemas/FlowEdge"}},
  "viewport":{"type":["object","null"]},"limits":{"type":["object","null"]},"extra":{"type":["object","null"]}}},
"FlowNode": {"type":"object","additionalProperties":true,"required":["id","type"],"properties":{
  "id":{"type":"string","minLength":1,"maxLength":128},"type":{"type":"string"},"parentId":{"type":["string","null"]},
  "position":{"type":["object","null"]},"data":{"type":["object","null"],"properties":{
    "label":{"type":["string","null"]},"config":{"type":["object","null"]},"policy":{"type":["object","null"]},"disabled":{"type":["boolean","null"]}}}}},
"FlowEdge": {"type":"object","additionalProperties":true,"required":["source","target"],"properties":{
  "id":{"type":["string","null"]},"source":{"type":"string"},"target":{"type":"string"},
  "sourceHandle":{"type":["string","null"]},"targetHandle":{"type":["string","null"]}}},
"FlowChanges": {"type":"object","additionalProperties":true,"description":"keys of a flow document; each takes the place of the flow's own, null takes it away"},
"FlowEntry": {"type":"object","required":["id","slug","owner","flow_type","name","version","created_at","updated_at","etag"],"properties":{
  "id":{"type":"string"},"slug":{"type":"string"},"owner":{"type":"string"},"flow_type":{"type":"string","enum":["agentflow","chatflow"]},
  "name":{"type":"string"},"description":{"type":"string"},"category":{"type":"string"},"tags":{"type":"array","items":{"type":"string"}},
  "is_active":{"type":"boolean"},"version":{"type":"integer"},"published_version":{"type":["integer","null"]},
  "created_at":{"type":"string","format":"date-time"},"updated_at":{"type":"string","format":"date-time"},"etag":{"type":"string"}}},
"FlowPage": {"type":"object","required":["flows","total","page","page_size"],"properties":{
  "flows":{"type":"array","items":{"$ref":"#/components/schemas/FlowEntry"}},"total":{"type":"integer"},"page":{"type":"integer"},"page_size":{"type":"integer"}}},
"Flow": {"allOf":[{"$ref":"#/components/schemas/FlowDocument"},{"type":"object","required":["id","slug","owner","version","created_at","updated_at","etag"],"properties":{
  "id":{"type":"string"},"slug":{"type":"string"},"owner":{"type":"string"},"version":{"type":"integer"},
  "published_version":{"type":["integer","null"]},"created_at":{"type":"string","format":"date-time"},
  "updated_at":{"type":"string","format":"date-time"},"saved_at":{"type":"string","format":"date-time"},"etag":{"type":"string"},
  "warnings":{"type":"array","items":{"$ref":"#/components/schemas/FlowProblem"}}}}]},
"FlowProblem": {"type":"object","required":["code","type","loc","msg","level"],"properties":{
  "code":{"type":"string"},"type":{"type":"string"},"loc":{"type":"array","items":{"type":"string"}},"msg":{"type":"string"},
  "level":{"type":"string","enum":["error","warn"]},"node_id":{"type":"string"},"edge_id":{"type":"string"}}},
"FlowValidation": {"type":"object","required":["valid","problems"],"properties":{
  "valid":{"type":"boolean"},"problems":{"type":"array","items":{"$ref":"#/components/schemas/FlowProblem"}}}},
"FlowVersionPage": {"type":"object","required":["versions","total","page","page_size"],"properties":{
  "versions":{"type":"array","items":{"type":"object","required":["version","saved_by","created_at","published"],"properties":{
    "version":{"type":"integer"},"saved_by":{"type":"string"},"created_at":{"type":"string","format":"date-time"},"published":{"type":"boolean"}}}},
  "total":{"type":"integer"},"page":{"type":"integer"},"page_size":{"type":"integer"}}},
"FlowDifference": {"type":"object","required":["added","removed","changed"],"properties":{
  "added":{"type":"array","items":{"type":"string"}},"removed":{"type":"array","items":{"type":"string"}},
  "changed":{"type":"array","items":{"type":"object","required":["id","paths"],"properties":{
    "id":{"type":"string"},"paths":{"type":"array","items":{"type":"string"}}}}}}},
"FlowDiff": {"type":"object","required":["nodes","edges","settings","layout_only","patch"],"properties":{
  "nodes":{"$ref":"#/components/schemas/FlowDifference"},"edges":{"$ref":"#/components/schemas/FlowDifference"},
  "settings":{"$ref":"#/components/schemas/FlowDifference"},"layout_only":{"type":"boolean"},"patch":{"type":"array","items":{"type":"object"}}}},
"PublishFlow": {"type":"object","additionalProperties":false,"properties":{"version":{"type":["integer","null"],"minimum":1}}},
"FlowPublication": {"type":"object","required":["slug","version","model"],"properties":{
  "slug":{"type":"string"},"version":{"type":["integer","null"]},"model":{"type":"string"},
  "warnings":{"type":"array","items":{"$ref":"#/components/schemas/FlowProblem"}}}},
"SaveFlow": {"type":"object","additionalProperties":true,"required":["name","flow_data"],"properties":{
  "name":{"type":"string","minLength":1,"maxLength":200},"description":{"type":["string","null"],"maxLength":4000},
  "flow_type":{"type":["string","null"],"enum":["agentflow","chatflow",null],"default":"agentflow"},
  "flow_data":{"type":"object","additionalProperties":true}}},
"SavedFlow": {"type":"object","required":["status","flow_id","version"],"properties":{
  "status":{"type":"string","const":"success"},"flow_id":{"type":"string"},"version":{"type":"integer"},"slug":{"type":"string"},
  "file":{"type":["string","null"],"description":"null: the flow is stored, its copy could not be written"},
  "warnings":{"type":"array","items":{"$ref":"#/components/schemas/FlowProblem"}}}}
})json";

}  // namespace

OrderedJson flow_schemas()
{
    return OrderedJson::parse(flow_schema_text);
}

}  // namespace dure::api
