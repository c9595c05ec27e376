// The strategy "planner": planner → step → planner … → answer. The planner's model lists the steps that are left, reading the
// conversation (its memory and summaries stand there) and the results so far; each step is worked on behind the scenes with
// the server's tools; the answer streams. Bounded by agent.max_iterations steps.
#include "agents/ask.hpp"
#include "agents/decision.hpp"
#include "dure/agents/lenient_json.hpp"
#include "agents/team.hpp"

namespace dure::agents {
namespace {

constexpr std::size_t most_steps_listed = 16;
constexpr int planner_attempts = 2;

std::string question_of(const AgentRun& run)
{
    const auto& messages = run.request.messages;
    for (auto message = messages.rbegin(); message != messages.rend(); ++message)
        if (message->role == model::Role::user)
            return message->text();
    return {};
}

// The user message that shows the finished steps; results stay at the level of data.
std::string progress_text(const AgentRun& run, const graph::State& state, const std::string& part)
{
    const auto results = results_text(state.at("done"), false);
    return fill(run.prompts.get(run.language, "assignment"), {{"task", question_of(run)},
                                                              {"instruction", part.empty() ? "-" : part},
                                                              {"results", results.empty() ? "-" : results}});
}

std::variant<std::vector<std::string>, Misunderstood> read_steps(std::string_view text)
{
    const auto object = object_in(text, [](const Json& one) { return one.contains("steps"); });
    const auto listed = object ? object->find("steps") : Json::const_iterator();
    if (!object || listed == object->end() || !listed->is_array() || listed->size() > most_steps_listed)
        return Misunderstood{"\"steps\" must be a list of at most 16 sentences."};
    std::vector<std::string> steps;
    for (const auto& step : *listed) {
        if (!step.is_string() || step.get_ref<const std::string&>().empty())
            return Misunderstood{"Each of \"steps\" must be a sentence."};
        steps.push_back(step.get<std::string>());
    }
    return steps;
}

std::string tool_names(const AgentRun& run)
{
    std::string lines;
    for (const auto& tool : run.server_tools)
        lines += dump(Json{{"name", tool.name}, {"description", tool.description}}) + "\n";
    return lines;
}

// The steps that are left. A model whose plan stays unusable gets the question itself as the one step, so that it may still
// use tools; behind the first step it is answered with what there is.
Task<Result<std::vector<std::string>>> ask_for_steps(AgentRun& run, const graph::State& state)
{
    llm::CompletionRequest request;
    request.model = run.model;
    request.temperature = 0;
    request.messages =
        conversation_for(run, fill(run.prompts.get(run.language, "plan"), {{"tools", tool_names(run)}}), state);
    if (!state.at("done").empty())
        request.messages.push_back(message_saying(model::Role::user, progress_text(run, state, "")));
    for (int attempt = 0; attempt < planner_attempts; ++attempt) {
        auto text = co_await ask_quietly(run, request);
        if (!text)
            co_return text.error();
        auto read = read_steps(*text);
        if (auto* steps = std::get_if<std::vector<std::string>>(&read))
            co_return std::move(*steps);
        request.messages.push_back(message_saying(model::Role::assistant, std::move(*text)));
        request.messages.push_back(
            message_saying(model::Role::system, fill(run.prompts.get(run.language, "repair"),
                                                     {{"problem", std::get<Misunderstood>(read).problem}})));
    }
    const bool begun = !state.at("done").empty() || run.server_tools.empty();
    run.logger.info(begun ? "planner's answer unusable, answering with what there is"
                          : "planner's answer unusable, taking the question as its one step",
                    {{"request_id", run.call.request_id}});
    std::vector<std::string> steps;
    if (auto question = begun ? std::string() : question_of(run); !question.empty())
        steps.push_back(std::move(question));
    co_return steps;
}

}  // namespace

Task<Result<graph::Update>> plan_steps(graph::NodeContext& context, AgentRun& run)
{
    const auto& state = context.state();
    auto update = Json::object();
    update["plan"] = Json::array();
    const auto done = state.at("done").size();
    if (done < state.at("max_rounds").get<std::size_t>()) {
        auto steps = co_await ask_for_steps(run, state);
        if (!steps)
            co_return steps.error();
        for (auto& step : *steps)
            update["plan"].push_back(std::move(step));
    }
    // Nothing is left: the results stand before the answering model as a message of the user.
    if (update["plan"].empty() && done > 0) {
        auto note = Json::object();
        note["role"] = "user";
        note["content"] = progress_text(run, state, run.prompts.get(run.language, "conclude"));
        update["transcript"] = Json::array();
        update["transcript"].push_back(std::move(note));
    }
    co_return graph::Update(std::move(update));
}

Task<Result<graph::Update>> take_step(graph::NodeContext& context, AgentRun& run)
{
    const auto& state = context.state();
    const auto step = state.at("plan").front().get<std::string>();
    Teller teller(run.sink);
    DirectCalls calls(run.gateway, run.registry);
    Workshop shop{run.gateway, calls, run.logger, run.prompts, run.call, run.caller, teller, run.record, run.language};
    WorkOrder order;
    order.node = context.node();
    order.task = context.task_id();
    order.model = run.model;
    auto messages = conversation_for(run, run.prompts.get(run.language, "agent"), state);
    order.system = messages.front().text();
    order.messages.assign(messages.begin() + 1, messages.end());
    order.messages.push_back(message_saying(model::Role::user, progress_text(run, state, step)));
    order.tools = run.server_tools;
    order.rounds = run.settings.max_iterations;
    auto text = co_await work(shop, order);
    if (!text && text.error().code() == Errc::cancelled)
        co_return text.error();
    auto result = Json::object();
    result["worker"] = step;
    result[text ? "text" : "error"] = text ? *text : text.error().message();
    auto update = Json::object();
    update["done"] = Json::array();
    update["done"].push_back(std::move(result));
    co_return graph::Update(std::move(update));
}

}  // namespace dure::agents
