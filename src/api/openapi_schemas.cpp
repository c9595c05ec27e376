// Schemas of bodies and answers, written as JSON text: that is the form their readers know. A test checks that every name
// the route table uses is here; the client tests hold answers of the running server against them. There is no "default" in
// them: generators make such members required. Those of flows, nodes, executions and accounts have files of their own.
#include "api/openapi_schemas.hpp"

namespace dure::api {

namespace {

constexpr std::string_view openai_schemas = R"json({
"ChatCompletionRequest": {"type":"object","required":["model","messages"],"additionalProperties":true,"properties":{
  "model":{"type":"string"},
  "messages":{"type":"array","minItems":1,"items":{"$ref":"#/components/schemas/ChatMessage"}},
  "stream":{"type":["boolean","null"]},
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
"Usage": {"type":"object","properties":{"prompt_tokens":{"type":"integer"},"completion_tokens":{"type":"integer"},"total_tokens":{"type":"integer"},
  "prompt_tokens_details":{"type":"object","properties":{"cached_tokens":{"type":"integer"}}},
  "completion_tokens_details":{"type":"object","properties":{"reasoning_tokens":{"type":"integer"}}}}},
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
  "title":{"type":["string","null"],"maxLength":200},"model":{"type":["string","null"],"maxLength":200},
  "flow_id":{"type":["string","null"],"maxLength":128}}},
"CreatedSession": {"type":"object","required":["session_id","created_at","expires_at"],"properties":{
  "session_id":{"type":"string"},"created_at":{"type":"string","format":"date-time"},"expires_at":{"type":"string","format":"date-time"}}},
"Session": {"type":"object","required":["session_id","created_at","conversation_turns","max_turns"],"properties":{
  "session_id":{"type":"string"},"title":{"type":["string","null"]},"model":{"type":["string","null"]},
  "flow_id":{"type":["string","null"]},
  "client_chat_id":{"type":["string","null"]},
  "created_at":{"type":"string","format":"date-time"},"updated_at":{"type":"string","format":"date-time"},
  "expires_at":{"type":"string","format":"date-time"},"is_active":{"type":"boolean"},
  "conversation_turns":{"type":"integer"},"max_turns":{"type":"integer"}}},
"SessionList": {"type":"object","required":["sessions","next"],"properties":{
  "sessions":{"type":"array","items":{"$ref":"#/components/schemas/Session"}},"next":{"type":["string","null"]}}},
"SendMessage": {"type":"object","required":["message"],"additionalProperties":false,"properties":{
  "message":{"type":"string","minLength":1},"session_id":{"type":["string","null"]},
  "use_tools":{"type":["boolean","null"],"description":"absent: true"},"model":{"type":["string","null"]},"strategy":{"type":["string","null"]},
  "temperature":{"type":["number","null"],"minimum":0,"maximum":2,"description":"absent: 0.7"},
  "max_tokens":{"type":["integer","null"],"minimum":1,"maximum":4000,"description":"absent: 1000"}}},
"MessageAnswer": {"type":"object","required":["session_id","response","model","tools_used","usage","turn"],"properties":{
  "session_id":{"type":"string"},"response":{"type":"string"},"model":{"type":"string"},"answered_by":{"type":"string"},
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
  "query":{"type":"string","minLength":1,"maxLength":32768},"max_tools":{"type":"integer","minimum":1,"maximum":100,"description":"absent: 5"}}},
"SelectedTools": {"type":"object","required":["tools","model"],"properties":{
  "tools":{"type":"array","items":{"type":"object","required":["name","score"],"properties":{
    "name":{"type":"string"},"score":{"type":"number"}}}},"model":{"type":"string"}}},
"ToolReload": {"type":"object","required":["tools","failed"],"properties":{"tools":{"type":"integer"},
  "failed":{"type":"array","items":{"type":"object","properties":{
    "source":{"type":"string"},"name":{"type":["string","null"]},"error":{"type":"string"}}}}}},
"EventStream": {"type":"string","description":"server-sent events"},
"Text": {"type":"string"},
"Any": {"type":"object"},
"Root": {"type":"object","properties":{"name":{"type":"string"},"version":{"type":"string"},"links":{"type":"object"}}},
"Health": {"type":"object","required":["status"],"properties":{"status":{"type":"string"}}},
"Problem": {"type":"object","required":["type","title","status","detail"],"properties":{
  "type":{"type":"string"},"title":{"type":"string"},"status":{"type":"integer"},"detail":{"type":"string"},
  "code":{"type":"string"},"reason":{"type":"string"},"request_id":{"type":"string"},
  "errors":{"type":"array","items":{"type":"object","required":["loc","msg","type"],"properties":{
    "loc":{"type":"array","items":{"type":["string","integer"]}},"msg":{"type":"string"},"type":{"type":"string"},
    "code":{"type":"string"},"level":{"type":"string","enum":["error","warn"]},"node_id":{"type":"string"},"edge_id":{"type":"string"}}}}}}
})json";

// Query parameters that are not just a text; a name means the same on every route.
constexpr std::string_view parameter_schemas = R"json({
"page":{"type":"integer","minimum":1},"page_size":{"type":"integer","minimum":1,"maximum":100},
"limit":{"type":"integer","minimum":1,"maximum":100},
"from_version":{"type":"integer","minimum":1,"maximum":9000000000000000},"to_version":{"type":"integer","minimum":1,"maximum":9000000000000000},
"after":{"type":"integer","minimum":0},
"wait":{"type":"boolean","description":"answer when it has ended, or waits for a person"},
"timeout":{"type":"number","minimum":0,"maximum":3600,"description":"seconds to wait; then the answer is 202"},
"is_active":{"type":"boolean"},"everywhere":{"type":"boolean"},
"flow_type":{"type":"string","enum":["agentflow","chatflow"]},
"search":{"type":"string","maxLength":200,"description":"part of the name or the description"},
"category":{"type":"string","maxLength":100},
"tags":{"type":"array","items":{"type":"string"},"description":"the flow must have them all"},
"sort_by":{"type":"string","enum":["updated_at","created_at","name"]},
"sort_order":{"type":"string","enum":["asc","desc"]},
"status":{"type":"string","enum":["queued","running","waiting","succeeded","failed","cancelled"]},
"modes":{"type":"string","description":"a list of status, updates, messages, custom, tasks; absent: all"},
"aggregate_type":{"type":"string","enum":["Workflow","Execution","Session","User","ApiKey","Role","Access","ToolRun","LoginAttempt"]},
"at":{"type":"string","description":"RFC 3339, or a day: its end"},
"group_by":{"type":"string","description":"a list of day, model, user, key"}
})json";

constexpr std::string_view header_schemas = R"json({
"If-Match":{"type":"string","description":"ETags the change may go over"},
"ETag":{"type":"string"},
"Location":{"type":"string"},
"Idempotency-Key":{"type":"string","maxLength":255,"description":"the same key starts one execution; with another body it is 409"},
"Idempotent-Replayed":{"type":"string","const":"true","description":"the key was known: nothing new was started"},
"Last-Event-ID":{"type":"string","pattern":"^[0-9]+$","description":"go on behind this event"}
})json";

}  // namespace

OrderedJson component_schemas()
{
    auto all = OrderedJson::parse(openai_schemas);
    all.update(OrderedJson::parse(native_schemas));
    all.update(account_schemas());
    all.update(flow_schemas());
    all.update(node_schemas());
    all.update(execution_schemas());
    return all;
}

OrderedJson query_schema(std::string_view parameter)
{
    static const auto known = OrderedJson::parse(parameter_schemas);
    const auto found = known.find(std::string(parameter));
    return found == known.end() ? OrderedJson{{"type", "string"}} : *found;
}

OrderedJson path_schema(std::string_view parameter)
{
    if (parameter == "n" || parameter == "a" || parameter == "b")  // numbers of versions
        return {{"type", "integer"}, {"minimum", 1}};
    return {{"type", "string"}};
}

OrderedJson header_schema(std::string_view header)
{
    static const auto known = OrderedJson::parse(header_schemas);
    return known.at(std::string(header));
}

}  // namespace dure::api
