// router: what happens next. A model with native tools decides by answering or calling (think.cpp); any other is asked for
// the JSON {"action", "selected_tool", "arguments", "reasoning"}, malformed answers once more with a correction.
#include "agents/ask.hpp"
#include "agents/decision.hpp"
#include "dure/agents/lenient_json.hpp"
#include "dure/base/clock.hpp"

namespace dure::agents {
namespace {

constexpr int router_attempts = 2;
constexpr int most_questions_in_a_row = 3;

// What a decision may name: the server's candidates and the client's own tools; while the client demands a call, which its first
// decision answers, only those it may be answered with.
struct Offer {
    std::vector<model::ToolDefinition> tools;
    bool demanded = false;
};

Offer offer_of(const AgentRun& run, const graph::State& state)
{
    const auto& choice = run.request.tool_choice;
    Offer offer;
    offer.demanded = demands_call(run.request) && state.at("rounds") == Json(0);
    if (!offer.demanded)
        offer.tools = run.server_tools;
    for (const auto& tool : run.request.client_tools)
        if (is_client_tool(run, tool.name) &&
            (!offer.demanded || !choice.is_object() || choice.at("function").at("name") == tool.name))
            offer.tools.push_back(tool);
    return offer;
}

// How many of the newest answers were questions back to the user: the loop of need_more_info over the turns of a
// conversation. It is bound, because a user who is asked a fourth time has no better answer to give.
int questions_in_a_row(const std::vector<model::Message>& messages)
{
    int count = 0;
    for (auto message = messages.rbegin(); message != messages.rend(); ++message) {
        if (message->role != model::Role::assistant)
            continue;
        const auto text = message->text();
        const auto last = text.find_last_not_of(" \t\r\n");
        const std::string_view said = std::string_view(text).substr(0, last == std::string::npos ? 0 : last + 1);
        if (!said.ends_with("?") && !said.ends_with("？"))
            break;
        ++count;
    }
    return count;
}

std::string tool_lines(const Offer& offer)
{
    std::string lines;
    for (const auto& tool : offer.tools) {
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

// Of a demanded call the tool is what is left to decide.
std::variant<Decision, Misunderstood> read_demanded(std::string_view text, const Offer& offer,
                                                    const std::vector<std::string>& names)
{
    auto read = read_decision(text, names);
    if (const auto* decision = std::get_if<Decision>(&read);
        decision != nullptr && offer.demanded && decision->action != "execute_tool")
        return Misunderstood{"The user demands a call: \"action\" must be execute_tool."};
    return read;
}

Task<Result<Decision>> ask_for_decision(AgentRun& run, const graph::State& state, const Offer& offer)
{
    if (offer.demanded && offer.tools.size() == 1) {
        Decision only;
        only.action = "execute_tool";
        only.tool = offer.tools.front().name;
        co_return only;
    }
    const auto system = fill(run.prompts.get(run.language, "router"), {{"tools", tool_lines(offer)}});
    llm::CompletionRequest request;
    request.model = run.model;
    request.temperature = 0;
    request.messages = conversation_for(run, system, state);
    std::vector<std::string> names;
    for (const auto& tool : offer.tools)
        names.push_back(tool.name);
    for (int attempt = 0; attempt < router_attempts; ++attempt) {
        auto text = co_await ask_quietly(run, request);
        if (!text)
            co_return text.error();
        auto read = read_demanded(*text, offer, names);
        if (auto* decision = std::get_if<Decision>(&read))
            co_return std::move(*decision);
        const auto& problem = std::get<Misunderstood>(read).problem;
        request.messages.push_back(said(model::Role::assistant, std::move(*text)));
        request.messages.push_back(
            said(model::Role::system, fill(run.prompts.get(run.language, "repair"), {{"problem", problem}})));
    }
    if (offer.demanded)
        co_return Error(Errc::upstream_failed, "The model did not choose one of the tools, though a call is demanded.")
            .reason("upstream_protocol_error");
    run.logger.info("router answer unusable, answering directly", {{"request_id", run.call.request_id}});
    Decision direct;
    direct.action = "direct_response";
    co_return direct;
}

// A decision without arguments: the model is asked for them. Whatever it says goes to the tool, whose complaint it reads.
Task<Result<std::string>> ask_for_arguments(AgentRun& run, const graph::State& state, const Offer& offer,
                                            const std::string& tool)
{
    Json schema = Json::object();
    for (const auto& offered : offer.tools)
        if (offered.name == tool)
            schema = offered.parameters;
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

// A call of the client's own tool ends the answer; one whose arguments cannot be handed on is answered by the executor.
graph::Update requested(const AgentRun& run, model::ToolCall call)
{
    auto update = Json::object();
    update["action"] = "execute_tool";
    if (is_client_tool(run, call.name) && mend_arguments(call)) {
        update["client_calls"] = Json::array({call_to_json(call)});
        return update;
    }
    update["calls"] = Json::array({call_to_json(call)});
    update["transcript"] = Json::array({assistant_turn("", {call})});
    return update;
}

Task<Result<graph::Update>> route_by_json(graph::NodeContext& context, AgentRun& run)
{
    auto update = Json::object();
    update["action"] = "direct_response";
    const auto offer = offer_of(run, context.state());
    if (offer.tools.empty())
        co_return graph::Update(std::move(update));
    auto decision = co_await ask_for_decision(run, context.state(), offer);
    if (!decision)
        co_return decision.error();
    if (decision->action == "need_more_info" && questions_in_a_row(run.request.messages) >= most_questions_in_a_row)
        decision->action = "direct_response";
    update["action"] = decision->action;
    if (decision->action != "execute_tool")
        co_return graph::Update(std::move(update));
    if (decision->arguments.empty()) {
        auto arguments = co_await ask_for_arguments(run, context.state(), offer, decision->tool);
        if (!arguments)
            co_return arguments.error();
        decision->arguments = std::move(*arguments);
    }
    model::ToolCall call;
    call.id = "call_" + random_base62(24);
    call.name = decision->tool;
    call.arguments = decision->arguments;
    co_return requested(run, std::move(call));
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
