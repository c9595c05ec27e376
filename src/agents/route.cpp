// router: what happens next. A model with native tools decides by answering or calling (think.cpp); any other is asked for
// the JSON {"action", "selected_tool", "arguments", "reasoning"}, malformed answers once more with a correction.
#include "agents/ask.hpp"
#include "dure/base/clock.hpp"

namespace dure::agents {
namespace {

struct Decision {
    std::string action;
    std::string tool;
    std::string arguments;   // empty: the model gave none
};

std::string text_member(const Json& object, const char* name)
{
    const auto at = object.find(name);
    return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

std::optional<Decision> read_decision(const AgentRun& run, std::string_view text)
{
    const auto object = object_in(text);
    if (!object)
        return std::nullopt;
    Decision decision;
    decision.action = text_member(*object, "action");
    decision.tool = text_member(*object, "selected_tool");
    if (decision.action == "execute_tool") {
        if (!is_candidate(run, decision.tool))
            return std::nullopt;
        if (const auto at = object->find("arguments"); at != object->end() && at->is_object())
            decision.arguments = dump(*at);
        return decision;
    }
    const bool known = decision.action == "direct_response" || decision.action == "need_more_info" ||
                       decision.action == "END";
    return known ? std::optional(decision) : std::nullopt;
}

std::string tool_lines(const AgentRun& run)
{
    std::string lines;
    for (const auto& tool : run.server_tools) {
        OrderedJson line;
        line["name"] = tool.name;
        line["description"] = tool.description;
        line["parameters"] = tool.parameters;
        lines += dump(line) + "\n";
    }
    return lines;
}

model::Message said(model::Role role, std::string text)
{
    model::Message message;
    message.role = role;
    message.content = std::move(text);
    return message;
}

Task<Result<Decision>> ask_for_decision(AgentRun& run, const graph::State& state)
{
    const auto system = fill(run.prompts.get(run.language, "router"), {{"tools", tool_lines(run)}});
    llm::CompletionRequest request;
    request.model = run.model;
    request.temperature = 0;
    request.messages = conversation_for(run, system, state);
    for (int attempt = 0; attempt < 2; ++attempt) {
        auto text = co_await ask_quietly(run, request);
        if (!text)
            co_return text.error();
        if (auto decision = read_decision(run, *text))
            co_return std::move(*decision);
        request.messages.push_back(said(model::Role::assistant, std::move(*text)));
        request.messages.push_back(said(model::Role::system,
                                        "That was not the JSON object asked for. Answer with exactly one JSON object with "
                                        "\"action\" and \"selected_tool\", naming a listed tool or null."));
    }
    run.logger.info("router answer unusable twice, answering directly", {{"request_id", run.call.request_id}});
    Decision direct;
    direct.action = "direct_response";
    co_return direct;
}

// A decision without arguments: the model is asked for them. Whatever it says goes to the tool, whose complaint it reads.
Task<Result<std::string>> ask_for_arguments(AgentRun& run, const graph::State& state, const std::string& tool)
{
    Json schema = Json::object();
    for (const auto& candidate : run.server_tools)
        if (candidate.name == tool)
            schema = candidate.parameters;
    llm::CompletionRequest request;
    request.model = run.model;
    request.temperature = 0;
    request.messages = conversation_for(
        run, fill(run.prompts.get(run.language, "arguments"), {{"tool", tool}, {"schema", dump(schema)}}), state);
    auto text = co_await ask_quietly(run, request);
    if (!text)
        co_return text.error();
    const auto object = object_in(*text);
    co_return object ? dump(*object) : std::move(*text);
}

Task<Result<graph::Update>> route_by_json(graph::NodeContext& context, AgentRun& run)
{
    auto update = Json::object();
    update["action"] = "direct_response";
    if (run.server_tools.empty())
        co_return graph::Update(std::move(update));
    auto decision = co_await ask_for_decision(run, context.state());
    if (!decision)
        co_return decision.error();
    update["action"] = decision->action;
    if (decision->action != "execute_tool")
        co_return graph::Update(std::move(update));
    if (decision->arguments.empty()) {
        auto arguments = co_await ask_for_arguments(run, context.state(), decision->tool);
        if (!arguments)
            co_return arguments.error();
        decision->arguments = std::move(*arguments);
    }
    model::ToolCall call;
    call.id = "call_" + random_base62(24);
    call.name = decision->tool;
    call.arguments = decision->arguments;
    update["calls"] = Json::array({call_to_json(call)});
    update["transcript"] = Json::array({assistant_turn("", {call})});
    co_return graph::Update(std::move(update));
}

}  // namespace

Task<Result<graph::Update>> route(graph::NodeContext& context, AgentRun& run)
{
    // The summarizer's call asked for more tools: that decision stands.
    if (!context.state().at("calls").empty() || !context.state().at("client_calls").empty())
        co_return graph::Update();
    if (run.native_tools)
        co_return co_await think(context, run);
    co_return co_await route_by_json(context, run);
}

}  // namespace dure::agents
