// Model calls of the agent: building the request out of the conversation and the run's transcript, counting usage.
#pragma once

#include <optional>
#include <string>

#include "agents/answer_tap.hpp"
#include "agents/run.hpp"

namespace dure::agents {

// One message list for the model: `system` and the client's leading system messages as one, the conversation, the
// transcript of this run.
std::vector<model::Message> conversation_for(const AgentRun& run, const std::string& system, const graph::State& state);

// A call whose text may be the answer: the client's sampling fields apply. response_format only when `final`.
llm::CompletionRequest answer_request(const AgentRun& run, const graph::State& state, const std::string& system,
                                      bool final);

// "required" or a function, and the client has tools: it demands a call of one of them.
bool demands_call(const AgentRequest& request);
// The client wants one call of a tool in a turn (parallel_tool_calls: false).
bool one_call_at_a_time(const AgentRequest& request);

// Offers the candidates and the client's tools; under a demand of the client for a call only the client's own.
void offer_tools(const AgentRun& run, bool first_call, llm::CompletionRequest& request);

// Both add the call's usage to the record, also when they are cancelled.
Task<Result<void>> ask_streamed(AgentRun& run, const llm::CompletionRequest& request, AnswerTap& tap,
                                model::Completion& into);
// For decisions: nothing of it reaches the client.
Task<Result<std::string>> ask_quietly(AgentRun& run, const llm::CompletionRequest& request);

// A response_format that the agent can hold an answer against; the error names what is wrong with the demand.
Result<void> check_response_format(const AgentRequest& request);
// The final answer in the demanded form: asked for without tools, checked (JSON; of json_schema: valid under the schema),
// asked for once more when it does not fit, and shown whole. upstream_failed: it does not fit then either.
Task<Result<void>> answer_in_form(AgentRun& run, const graph::State& state, const std::string& system);

// The transcript's form of an assistant turn with tool calls, and of a tool's result.
// `details`: reasoning_details of the turn, which go back unchanged; null: none.
Json assistant_turn(const std::string& text, const std::vector<model::ToolCall>& calls, const OrderedJson& details = {});
Json tool_result(const std::string& call_id, const std::string& text);
Json call_to_json(const model::ToolCall& call);
model::ToolCall call_from_json(const Json& call);
// The client parses the arguments of its calls; a model's slips are mended for it. False: no object can be read out of them.
bool mend_arguments(model::ToolCall& call);

}  // namespace dure::agents
