// What the nodes of one agent run share (the context of the graph run), and the channels of their state:
//   candidates  names of the server's tools offered in this run
//   transcript  messages this run has added to the conversation: assistant turns with tool calls, tool results
//   calls       tool calls the executor has to run next: [{id, name, arguments}]
//   client_calls  calls of the client's own tools, with which the answer ends
//   action      what the router decided: execute_tool, direct_response, need_more_info, END
//   answered    the text of the final answer has gone out
//   progressed  a tool of the last round succeeded
//   plan, done  of the planner: steps that are left, and results of the others [{worker: step, text | error}]
//   rounds      rounds of tool calls so far
//   record      of a durable run: what it has said, used and run so far (AgentRecord)
#pragma once

#include <string>
#include <vector>

#include "agents/prompts.hpp"
#include "dure/agents/agent.hpp"
#include "dure/graph/graph.hpp"

namespace dure::agents {

struct AgentRun {
    llm::Gateway& gateway;
    tools::Registry& registry;
    tools::Selector& selector;
    Logger& logger;
    const Prompts& prompts;
    const config::Agent& settings;

    const AgentRequest& request;
    const llm::CallContext& call;
    const tools::Caller& caller;
    model::AnswerSink& sink;
    AgentRecord& record;

    std::string model;
    bool native_tools = false;    // the model calls tools by itself; else the router's JSON
    Language language = Language::english;
    std::vector<model::ToolDefinition> server_tools;   // candidates of tool_selector, in full
    bool keeps_record = false;    // the steps last: what is not in the state would be lost with the process
    bool takes_up = false;        // begun by a process that died: record and candidates are still to be read from the state
};

// The record as a value of the state, and back.
Json to_json(const AgentRecord& record);
AgentRecord record_from(const Json& kept);
// Does what takes_up asks for, once.
void take_up(AgentRun& run, const graph::State& state);

bool wants_json(const AgentRequest& request);              // a response_format other than text
bool is_client_tool(const AgentRun& run, std::string_view name);
bool is_candidate(const AgentRun& run, std::string_view name);

using NodeBody = Task<Result<graph::Update>> (*)(graph::NodeContext& context, AgentRun& run);

Task<Result<graph::Update>> select_tools(graph::NodeContext& context, AgentRun& run);
Task<Result<graph::Update>> route(graph::NodeContext& context, AgentRun& run);        // router
Task<Result<graph::Update>> think(graph::NodeContext& context, AgentRun& run);        // one model call with native tools
Task<Result<graph::Update>> execute_tools(graph::NodeContext& context, AgentRun& run);
Task<Result<graph::Update>> summarize(graph::NodeContext& context, AgentRun& run);

Task<Result<graph::Update>> plan_steps(graph::NodeContext& context, AgentRun& run);   // planner
Task<Result<graph::Update>> take_step(graph::NodeContext& context, AgentRun& run);    // its steps

// Ends the answer: calls of client tools go out, the finish reason is settled.
Task<Result<void>> finish_answer(AgentRun& run, const graph::State& state);

// The compiled graphs of the strategies.
graph::CompiledGraph make_agent_graph();    // "graph": tool_selector → router → executor → summarizer
graph::CompiledGraph make_chat_graph();     // "chat": tool_selector → model ⇄ tools
graph::CompiledGraph make_simple_graph();   // "simple": model
graph::CompiledGraph make_planner_graph();  // "planner": tool_selector → planner ⇄ step → answer

}  // namespace dure::agents
