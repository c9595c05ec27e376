// Schemas of bodies and answers, written as JSON text: that is the form their readers know. A test checks that every name
// the route table uses is here, and that requests the validators accept fit.
#include "api/openapi_schemas.hpp"

namespace dure::api {

namespace {

constexpr std::string_view openai_schemas = R"json({
"ChatCompletionRequest": {"type":"object","required":["model","messages"],"additionalProperties":true,"properties":{
  "model":{"type":"string"},
  "messages":{"type":"array","minItems":1,"items":{"$ref":"#/components/schemas/ChatMessage"}},
  "stream":{"type":["boolean","null"],"default":false},
  "stream_options":{"type":["object","null"],"properties":{"include_usage":{"type":"boolean"}}},
  "temperature":{"type":["number","null"],"minimum":0,"maximum":2},
  "top_p":{"type":["number","null"],"minimum":0,"maximum":1},
  "max_tokens":{"type":["integer","null"],"minimum":1},
  "max_completion_tokens":{"type":["integer","null"],"minimum":1},
  "n":{"type":["integer","null"],"minimum":1},
  "stop":{"type":["string","array","null"],"items":{"type":"string"},"maxItems":4},
  "tools":{"type":["array","null"],"items":{"type":"object"}},
  "tool_choice":{"type":["string","object","null"]},
  "response_format":{"type":["object","null"]},
  "dure_strategy":{"type":["string","null"],"description":"Agent only: how it works"}}},
"ChatMessage": {"type":"object","required":["role"],"additionalProperties":true,"properties":{
  "role":{"type":"string","enum":["system","developer","user","assistant","tool","function"]},
  "content":{"type":["string","array","null"],"items":{"type":"object"}},
  "tool_calls":{"type":["array","null"],"items":{"$ref":"#/components/schemas/ToolCall"}},
  "tool_call_id":{"type":"string"}}},
"ToolCall": {"type":"object","required":["id","type","function"],"properties":{
  "id":{"type":"string"},"type":{"type":"string","const":"function"},
  "function":{"type":"object","required":["name","arguments"],"properties":{"name":{"type":"string"},"arguments":{"type":"string"}}}}},
"ChatCompletion": {"type":"object","required":["id","object","created","model","choices"],"properties":{
  "id":{"type":"string"},"object":{"type":"string","const":"chat.completion"},"created":{"type":"integer"},"model":{"type":"string"},
  "choices":{"type":"array","items":{"type":"object","required":["index","message","finish_reason"],"properties":{
    "index":{"type":"integer"},"message":{"type":"object"},"logprobs":{},"finish_reason":{"type":["string","null"]}}}},
  "usage":{"$ref":"#/components/schemas/Usage"}}},
"Usage": {"type":"object","properties":{"prompt_tokens":{"type":"integer"},"completion_tokens":{"type":"integer"},"total_tokens":{"type":"integer"}}},
"Model": {"type":"object","required":["id","object","created","owned_by"],"properties":{
  "id":{"type":"string"},"object":{"type":"string","const":"model"},"created":{"type":"integer"},"owned_by":{"type":"string"},
  "name":{"type":"string"},"info":{"type":"object"}}},
"ModelList": {"type":"object","required":["object","data"],"properties":{
  "object":{"type":"string","const":"list"},"data":{"type":"array","items":{"$ref":"#/components/schemas/Model"}}}},
"EmbeddingRequest": {"type":"object","required":["model","input"],"properties":{
  "model":{"type":"string"},"input":{"type":["string","array"]},
  "encoding_format":{"type":["string","null"],"enum":["float","base64",null]},"dimensions":{"type":["integer","null"],"minimum":1}}},
"EmbeddingList": {"type":"object","required":["object","data","model","usage"],"properties":{
  "object":{"type":"string","const":"list"},"model":{"type":"string"},"usage":{"type":"object"},
  "data":{"type":"array","items":{"type":"object","required":["object","index","embedding"],"properties":{
    "object":{"type":"string"},"index":{"type":"integer"},"embedding":{"type":["array","string"]}}}}}},
"OpenAiError": {"type":"object","required":["error"],"properties":{"error":{"type":"object","required":["message","type","param","code"],
  "properties":{"message":{"type":"string"},"type":{"type":"string"},"param":{"type":["string","null"]},"code":{"type":["string","null"]}}}}}
})json";

constexpr std::string_view native_schemas = R"json({
"CreateSession": {"type":"object","additionalProperties":false,"properties":{
  "title":{"type":["string","null"],"maxLength":200},"model":{"type":["string","null"],"maxLength":200}}},
"CreatedSession": {"type":"object","required":["session_id","created_at","expires_at"],"properties":{
  "session_id":{"type":"string"},"created_at":{"type":"string","format":"date-time"},"expires_at":{"type":"string","format":"date-time"}}},
"Session": {"type":"object","required":["session_id","created_at","conversation_turns","max_turns"],"properties":{
  "session_id":{"type":"string"},"title":{"type":["string","null"]},"model":{"type":["string","null"]},
  "client_chat_id":{"type":["string","null"]},
  "created_at":{"type":"string","format":"date-time"},"updated_at":{"type":"string","format":"date-time"},
  "expires_at":{"type":"string","format":"date-time"},"is_active":{"type":"boolean"},
  "conversation_turns":{"type":"integer"},"max_turns":{"type":"integer"}}},
"SessionList": {"type":"object","required":["sessions","next"],"properties":{
  "sessions":{"type":"array","items":{"$ref":"#/components/schemas/Session"}},"next":{"type":["string","null"]}}},
"SendMessage": {"type":"object","required":["message"],"additionalProperties":false,"properties":{
  "message":{"type":"string","minLength":1},"session_id":{"type":["string","null"]},
  "use_tools":{"type":["boolean","null"],"default":true},"model":{"type":["string","null"]},"strategy":{"type":["string","null"]},
  "temperature":{"type":["number","null"],"minimum":0,"maximum":2,"default":0.7},
  "max_tokens":{"type":["integer","null"],"minimum":1,"maximum":4000,"default":1000}}},
"MessageAnswer": {"type":"object","required":["session_id","response","model","tools_used","usage","turn"],"properties":{
  "session_id":{"type":"string"},"response":{"type":"string"},"model":{"type":"string"},
  "tools_used":{"type":"array","items":{"type":"object"}},"usage":{"$ref":"#/components/schemas/Usage"},"turn":{"type":"integer"},
  "finish_reason":{"type":"string"}}},
"History": {"type":"object","required":["session_id","messages","summaries","next"],"properties":{
  "session_id":{"type":"string"},"next":{"type":["string","null"]},
  "messages":{"type":"array","items":{"type":"object","required":["id","role","content","turn","created_at","metadata"],"properties":{
    "id":{"type":"string"},"role":{"type":"string"},"content":{"type":"string"},"turn":{"type":"integer"},
    "created_at":{"type":"string","format":"date-time"},"metadata":{"type":"object"}}}},
  "summaries":{"type":"array","items":{"type":"object"}}}},
"Event": {"type":"object","required":["position","event_id","aggregate_id","aggregate_type","version","event_type","data","metadata","created_at"],"properties":{
  "position":{"type":"integer"},"event_id":{"type":"string"},"aggregate_id":{"type":"string"},"aggregate_type":{"type":"string"},
  "version":{"type":"integer"},"event_type":{"type":"string"},"data":{"type":"object"},"metadata":{"type":"object"},
  "created_at":{"type":"string","format":"date-time"}}},
"EventPage": {"type":"object","required":["events","next"],"properties":{
  "events":{"type":"array","items":{"$ref":"#/components/schemas/Event"}},"next":{"type":["integer","null"]}}},
"AuditPage": {"type":"object","required":["events","next"],"properties":{
  "events":{"type":"array","items":{"$ref":"#/components/schemas/Event"}},"next":{"type":["string","null"]}}},
"ReplayedState": {"type":"object","required":["aggregate_id","aggregate_type","version","state","at"],"properties":{
  "aggregate_id":{"type":"string"},"aggregate_type":{"type":"string"},"version":{"type":"integer"},"state":{"type":"object"},
  "at":{"type":"string","format":"date-time"}}},
"ReloadedModels": {"type":"object","required":["models"],"properties":{"models":{"type":"integer"}}},
"UsageReport": {"type":"object","required":["from","to","rows"],"properties":{
  "from":{"type":"string","format":"date-time"},"to":{"type":"string","format":"date-time"},
  "rows":{"type":"array","items":{"type":"object","required":["requests","prompt_tokens","completion_tokens","total_tokens","cost_usd"],"properties":{
    "day":{"type":"string","format":"date"},"model":{"type":"string"},"user_id":{"type":"string"},"key_id":{"type":["string","null"]},
    "requests":{"type":"integer"},"prompt_tokens":{"type":"integer"},"completion_tokens":{"type":"integer"},"total_tokens":{"type":"integer"},
    "cached_tokens":{"type":"integer"},"reasoning_tokens":{"type":"integer"},"cost_usd":{"type":"number"}}}}}},
"Tool": {"type":"object","required":["name","description","schema","source","available","unavailable_reason"],"properties":{
  "name":{"type":"string"},"description":{"type":"string"},"schema":{"type":"object"},"source":{"type":"string"},
  "available":{"type":"boolean"},"unavailable_reason":{"type":["string","null"]},"pure":{"type":"boolean"},
  "needs_approval":{"type":"boolean"},"permission":{"type":"string"}}},
"ToolList": {"type":"object","required":["tools","total","page","page_size"],"properties":{
  "tools":{"type":"array","items":{"$ref":"#/components/schemas/Tool"}},"total":{"type":"integer"},"page":{"type":"integer"},"page_size":{"type":"integer"}}},
"ToolCallRequest": {"type":"object","additionalProperties":false,"properties":{"arguments":{"type":["object","null"]}}},
"ToolOutcome": {"type":"object","required":["success","duration_ms","cached"],"properties":{
  "success":{"type":"boolean"},"result":{},"error":{"type":"string"},"duration_ms":{"type":"integer"},"cached":{"type":"boolean"}}},
"SelectTools": {"type":"object","additionalProperties":false,"required":["query"],"properties":{
  "query":{"type":"string","minLength":1,"maxLength":32768},"max_tools":{"type":"integer","minimum":1,"maximum":100,"default":5}}},
"SelectedTools": {"type":"object","required":["tools","model"],"properties":{
  "tools":{"type":"array","items":{"type":"object","required":["name","score"],"properties":{
    "name":{"type":"string"},"score":{"type":"number"}}}},"model":{"type":"string"}}},
"ToolReload": {"type":"object","required":["tools","failed"],"properties":{"tools":{"type":"integer"},
  "failed":{"type":"array","items":{"type":"object","properties":{
    "source":{"type":"string"},"name":{"type":["string","null"]},"error":{"type":"string"}}}}}},
"ExecuteFlow": {"type":"object","additionalProperties":false,"properties":{
  "message":{"type":["string","null"]},"inputs":{"type":["object","null"]},"user_id":{"type":["string","null"],"description":"a label; rights stay the caller's"},
  "session_id":{"type":["string","null"]},"version":{"type":["integer","string","null"],"description":"a number, published or draft"}}},
"ExecutionStep": {"type":"object","required":["node_id","visit","step","status","input","output","started_at","duration_ms","tokens","cost","attempts","error"],"properties":{
  "node_id":{"type":"string"},"visit":{"type":"integer"},"step":{"type":"integer","description":"what fork takes"},
  "status":{"type":"string","enum":["succeeded","failed","skipped","waiting"]},"input":{},"output":{},
  "started_at":{"type":"string","format":"date-time"},"duration_ms":{"type":"integer"},"tokens":{"type":"integer"},"cost":{"type":"number"},
  "attempts":{"type":"integer"},"error":{"type":["object","null"]}}},
"Execution": {"type":"object","required":["id","flow_id","flow_version","status","input","output","error","created_at"],"properties":{
  "id":{"type":"string"},"flow_id":{"type":"string"},"flow_slug":{"type":"string"},"flow_version":{"type":"integer"},"flow_type":{"type":"string"},
  "status":{"type":"string","enum":["queued","running","waiting","succeeded","failed","cancelled"]},
  "input":{"type":"object","properties":{"message":{"type":"string"},"inputs":{"type":"object"}}},
  "output":{"type":["object","null"]},"error":{"type":["object","null"]},
  "waiting":{"type":"array","items":{"type":"object","properties":{"id":{"type":"string"},"node_id":{"type":"string"},"value":{}}}},
  "tokens":{"type":"integer"},"cost":{"type":"number"},"user_id":{"type":["string","null"]},"session_id":{"type":["string","null"]},
  "forked_from":{"type":["string","null"]},"forked_step":{"type":["integer","null"]},"created_at":{"type":"string","format":"date-time"},
  "started_at":{"type":["string","null"],"format":"date-time"},"ended_at":{"type":["string","null"],"format":"date-time"},
  "steps":{"type":"array","items":{"$ref":"#/components/schemas/ExecutionStep"}}}},
"ExecutionPage": {"type":"object","required":["executions","total","page","page_size"],"properties":{
  "executions":{"type":"array","items":{"$ref":"#/components/schemas/Execution"}},"total":{"type":"integer"},"page":{"type":"integer"},"page_size":{"type":"integer"}}},
"ResumeExecution": {"type":"object","additionalProperties":false,"properties":{
  "node_id":{"type":["string","null"]},"action":{"type":["string","null"]},"answer":{}}},
"ForkExecution": {"type":"object","required":["step"],"additionalProperties":false,"properties":{
  "step":{"type":["integer","string"]},"patch":{"type":["object","null"]}}},
"Ticket": {"type":"object","required":["ticket","expires_in"],"properties":{"ticket":{"type":"string"},"expires_in":{"type":"integer"}}},
"EventStream": {"type":"string","description":"server-sent events"},
"Text": {"type":"string"},
"Any": {"type":"object"},
"Root": {"type":"object","properties":{"name":{"type":"string"},"version":{"type":"string"},"links":{"type":"object"}}},
"Health": {"type":"object","required":["status"],"properties":{"status":{"type":"string"}}},
"Problem": {"type":"object","required":["type","title","status","detail"],"properties":{
  "type":{"type":"string"},"title":{"type":"string"},"status":{"type":"integer"},"detail":{"type":"string"},
  "code":{"type":"string"},"request_id":{"type":"string"},
  "errors":{"type":"array","items":{"type":"object","properties":{
    "loc":{"type":"array","items":{"type":"string"}},"msg":{"type":"string"},"type":{"type":"string"}}}}}}
})json";

}  // namespace

OrderedJson component_schemas()
{
    auto all = OrderedJson::parse(openai_schemas);
    all.update(OrderedJson::parse(native_schemas));
    all.update(account_schemas());
    all.update(flow_schemas());
    return all;
}

OrderedJson query_schema(std::string_view parameter)
{
    if (parameter == "page")
        return {{"type", "integer"}, {"minimum", 1}};
    if (parameter == "limit" || parameter == "page_size")
        return {{"type", "integer"}, {"minimum", 1}, {"maximum", 100}};
    if (parameter == "from_version" || parameter == "to_version")
        return {{"type", "integer"}, {"minimum", 1}};
    if (parameter == "wait" || parameter == "is_active")
        return {{"type", "boolean"}};
    if (parameter == "timeout")
        return {{"type", "number"}, {"minimum", 0}};
    if (parameter == "after")
        return {{"type", "integer"}, {"minimum", 0}};
    if (parameter == "sort_by")
        return {{"type", "string"}, {"enum", {"updated_at", "created_at", "name"}}};
    if (parameter == "sort_order")
        return {{"type", "string"}, {"enum", {"asc", "desc"}}};
    if (parameter == "flow_type")
        return {{"type", "string"}, {"enum", {"agentflow", "chatflow"}}};
    if (parameter == "tags")   // each one asks for a tag the flow must have
        return {{"type", "array"}, {"items", {{"type", "string"}}}};
    return {{"type", "string"}};
}

}  // namespace dure::api
