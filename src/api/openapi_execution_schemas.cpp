// The schemas of executions in /openapi.json: bodies, answers, and what their log says as server-sent events and over the WebSocket.
#include "api/openapi_schemas.hpp"

namespace dure::api {

namespace {

constexpr std::string_view execution_schema_text = R"json({
"ExecuteFlow": {"type":"object","additionalProperties":false,"properties":{
  "message":{"type":["string","null"],"maxLength":1000000},"inputs":{"type":["object","null"],"additionalProperties":true},
  "user_id":{"type":["string","null"],"maxLength":256,"description":"a label; rights stay the caller's"},
  "session_id":{"type":["string","null"],"maxLength":128},
  "version":{"type":["integer","string","null"],"description":"a number, published or draft"},
  "webhook":{"type":["string","null"],"maxLength":2048,"description":"http or https address that the execution is posted to, without its steps, each time it ends or waits for a person; not shown again"}}},
"ExecutionStatus": {"type":"string","enum":["queued","running","waiting","succeeded","failed","cancelled"]},
"ExecutionError": {"type":"object","additionalProperties":true,"required":["code","message"],"properties":{
  "code":{"type":"string"},"message":{"type":"string"},"node_id":{"type":"string"}}},
"ExecutionOutput": {"type":"object","additionalProperties":false,"required":["text","outputs","replies"],"properties":{
  "text":{"type":"string","description":"what the replies said, else the last output"},
  "outputs":{"type":"object","additionalProperties":true,"description":"of the end nodes"},
  "replies":{"type":"array","items":{"type":"object","additionalProperties":true}},
  "session_state":{"type":"object","additionalProperties":true,"description":"state of scope session as the run left it"}}},
"ExecutionQuestion": {"type":"object","required":["id","node_id","value"],"properties":{
  "id":{"type":"string"},"node_id":{"type":"string"},
  "value":{"description":"what is asked: of human_input an object with prompt, actions, fields"}}},
"ExecutionStep": {"type":"object","required":["node_id","visit","step","status","input","output","started_at","duration_ms","tokens","cost","attempts","error"],"properties":{
  "node_id":{"type":"string"},"visit":{"type":"integer","minimum":1,"description":"how many times the node has run, with this one"},
  "step":{"type":"integer","description":"what fork takes"},
  "status":{"type":"string","enum":["succeeded","failed","skipped","waiting","cancelled"]},"input":{},"output":{},
  "started_at":{"type":"string","format":"date-time"},"duration_ms":{"type":"integer","minimum":0},
  "tokens":{"type":"integer","minimum":0},"cost":{"type":"number","minimum":0,"description":"USD"},
  "attempts":{"type":"integer"},"error":{"anyOf":[{"$ref":"#/components/schemas/ExecutionError"},{"type":"null"}]},
  "abridged":{"type":"boolean","description":"there and true where the steps before it hold 8 MiB: input and output are null, the stream has them"}}},
"Execution": {"type":"object","additionalProperties":false,"required":["id","flow_id","flow_slug","flow_version","flow_type","status","input","output","error","waiting","tokens","cost","user_id","session_id","forked_from","forked_step","created_at","started_at","ended_at"],"properties":{
  "id":{"type":"string"},"flow_id":{"type":"string"},"flow_slug":{"type":"string"},"flow_version":{"type":"integer"},
  "flow_type":{"type":"string","enum":["agentflow","chatflow"]},
  "status":{"$ref":"#/components/schemas/ExecutionStatus"},
  "input":{"type":["object","null"],"additionalProperties":false,"required":["message","inputs"],"properties":{
    "message":{"type":"string"},"inputs":{"type":"object","additionalProperties":true}}},
  "output":{"anyOf":[{"$ref":"#/components/schemas/ExecutionOutput"},{"type":"null"}]},
  "error":{"anyOf":[{"$ref":"#/components/schemas/ExecutionError"},{"type":"null"}]},
  "waiting":{"type":"array","items":{"$ref":"#/components/schemas/ExecutionQuestion"},"description":"open questions"},
  "tokens":{"type":"integer"},"cost":{"type":"number","description":"USD"},
  "user_id":{"type":["string","null"]},"session_id":{"type":["string","null"]},
  "forked_from":{"type":["string","null"]},"forked_step":{"type":["integer","null"]},"created_at":{"type":"string","format":"date-time"},
  "started_at":{"type":["string","null"],"format":"date-time"},"ended_at":{"type":["string","null"],"format":"date-time"},
  "abridged":{"type":"boolean","description":"there and true in a list whose entries before it hold 8 MiB: input and output are null, waiting is empty; GET of the execution has them"},
  "steps":{"type":"array","items":{"$ref":"#/components/schemas/ExecutionStep"},"description":"of one execution, not in lists"}}},
"ExecutionPage": {"type":"object","additionalProperties":false,"required":["executions","total","page","page_size"],"properties":{
  "executions":{"type":"array","items":{"$ref":"#/components/schemas/Execution"}},
  "total":{"type":"integer"},"page":{"type":"integer"},"page_size":{"type":"integer"}}},
"ResumeExecution": {"type":"object","additionalProperties":false,"properties":{
  "node_id":{"type":["string","null"],"maxLength":256,"description":"of the node that asks, or the id of the question; may be left out when one question is open"},
  "action":{"type":["string","null"],"maxLength":256},"answer":{}}},
"ForkExecution": {"type":"object","required":["step"],"additionalProperties":false,"properties":{
  "step":{"type":["integer","string"],"description":"number of a step, or the id of a node: its newest visit"},
  "patch":{"type":["object","null"],"additionalProperties":false,"properties":{
    "nodes":{"type":"object","additionalProperties":{"type":"object","additionalProperties":true}},
    "state":{"type":"object","additionalProperties":true}}},
  "webhook":{"type":["string","null"],"maxLength":2048,"description":"as of ExecuteFlow, of the new execution"}}},
"ExecutionEnd": {"type":"object","additionalProperties":false,"description":"data of the event end","required":["id","status","output","error","waiting"],"properties":{
  "id":{"type":"string"},"status":{"$ref":"#/components/schemas/ExecutionStatus"},
  "output":{"anyOf":[{"$ref":"#/components/schemas/ExecutionOutput"},{"type":"null"}]},
  "error":{"anyOf":[{"$ref":"#/components/schemas/ExecutionError"},{"type":"null"}]},
  "waiting":{"type":"array","items":{"$ref":"#/components/schemas/ExecutionQuestion"}}}},
"ExecutionLogEntry": {"description":"an event of the log: its name and its data","oneOf":[
  {"type":"object","required":["event","data"],"properties":{"event":{"type":"string","const":"status"},
    "data":{"type":"object","required":["status"],"properties":{"status":{"$ref":"#/components/schemas/ExecutionStatus"}}}}},
  {"type":"object","required":["event","data"],"properties":{"event":{"type":"string","const":"tasks"},"data":{"$ref":"#/components/schemas/ExecutionTask"}}},
  {"type":"object","required":["event","data"],"properties":{"event":{"type":"string","const":"updates"},
    "data":{"type":"object","additionalProperties":true,"description":"outputs by node; open questions under __interrupt__; __metadata__ {cached: true} beside one that is told again"}}},
  {"type":"object","required":["event","data"],"properties":{"event":{"type":"string","const":"messages"},
    "data":{"type":"array","minItems":2,"maxItems":2,"description":"a piece of text, and which node says it","prefixItems":[
      {"type":"object","additionalProperties":true,"properties":{"content":{},
        "reply":{"type":"boolean","description":"the whole text of a reply, whose pieces a model's node may have told before"}}},
      {"type":"object","required":["node_id","task","step"],"properties":{"node_id":{"type":"string"},"task":{"type":"string"},"step":{"type":"integer"}}}]}}},
  {"type":"object","required":["event","data"],"properties":{"event":{"type":"string","const":"custom"},"data":{}}},
  {"type":"object","required":["event","data"],"properties":{"event":{"type":"string","const":"end"},"data":{"$ref":"#/components/schemas/ExecutionEnd"}}}]},
"ExecutionTask": {"oneOf":[
  {"type":"object","additionalProperties":false,"required":["event","id","node_id","step","attempt"],"properties":{"event":{"type":"string","const":"start"},
    "id":{"type":"string"},"node_id":{"type":"string"},"step":{"type":"integer"},"attempt":{"type":"integer"},"replayed":{"type":"boolean","const":true}}},
  {"type":"object","additionalProperties":false,"required":["event","id","node_id","steps"],"properties":{"event":{"type":"string","const":"end"},
    "id":{"type":"string"},"node_id":{"type":"string"},"cached":{"type":"boolean","const":true},
    "usage":{"type":"object","required":["input_tokens","output_tokens"],"properties":{"input_tokens":{"type":"integer"},"output_tokens":{"type":"integer"}}},
    "steps":{"type":"array","items":{"type":"object","required":["node_id","step","status","input","output","started_at","duration_ms","tokens","cost","attempts","error"],
      "properties":{"node_id":{"type":"string"},"step":{"type":"integer"},"status":{"type":"string"},"input":{},"output":{}}}}}}]},
"ExecutionSocketFrame": {"description":"what the WebSocket says","oneOf":[
  {"type":"object","required":["type","seq","data"],"properties":{"type":{"type":"string","const":"execution_update"},"seq":{"type":"integer"},
    "data":{"$ref":"#/components/schemas/ExecutionLogEntry"}}},
  {"type":"object","required":["type","data"],"properties":{"type":{"type":"string","const":"error"},
    "data":{"type":"object","required":["code","message"],"properties":{"code":{"type":"string"},"message":{"type":"string"}}}}}]},
"ExecutionSocketCommand": {"description":"what the WebSocket takes","oneOf":[
  {"type":"object","additionalProperties":false,"required":["type"],"properties":{"type":{"type":"string","const":"cancel"}}},
  {"type":"object","additionalProperties":false,"required":["type"],"properties":{"type":{"type":"string","const":"resume"},
    "node_id":{"type":["string","null"]},"action":{"type":["string","null"]},"answer":{}}}]},
"Ticket": {"type":"object","required":["ticket","expires_in"],"properties":{"ticket":{"type":"string"},"expires_in":{"type":"integer","description":"seconds"}}}
})json";

}  // namespace

OrderedJson execution_schemas()
{
    return OrderedJson::parse(execution_schema_text);
}

}  // namespace dure::api
