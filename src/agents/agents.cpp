// Agents: picks model, language and graph of a run, runs it, ends the answer; see agent.hpp.
#include "dure/agents/agent.hpp"

#include <algorithm>

#include "agents/ask.hpp"

namespace dure::agents {
namespace {

struct Strategy {
    std::string name;
    graph::CompiledGraph graph;
};

std::string last_user_text(const std::vector<model::Message>& messages)
{
    for (auto message = messages.rbegin(); message != messages.rend(); ++message)
        if (message->role == model::Role::user)
            return message->text();
    return {};
}

bool holds_tool(const std::vector<model::ToolDefinition>& tools, std::string_view name)
{
    return std::any_of(tools.begin(), tools.end(), [&](const auto& tool) { return tool.name == name; });
}

Error wrong(std::string param, std::string message)
{
    return Error(Errc::invalid_argument, std::move(message)).param(std::move(param)).reason("invalid_value");
}

// A demand for a call must be one that the client's own tools can fulfil; without any it is none of the agent's business, which
// uses its own tools as it sees fit.
Result<void> check_tool_choice(const AgentRequest& request)
{
    const auto& choice = request.tool_choice;
    if (choice.is_null() || choice == "auto" || choice == "none")
        return {};
    if (choice == "required")
        return {};
    const auto* function = choice.is_object() && choice.contains("function") ? &choice["function"] : nullptr;
    const bool named = function && function->is_object() && function->contains("name") && (*function)["name"].is_string();
    if (!named)
        return wrong("tool_choice", "'tool_choice' must be none, auto, required or name a function.");
    if (!request.client_tools.empty() &&
        !holds_tool(request.client_tools, (*function)["name"].get_ref<const std::string&>()))
        return wrong("tool_choice", "'tool_choice' names a tool that is not in 'tools'.");
    return {};
}

}  // namespace

struct Agents::State {
    State(llm::Gateway& models, tools::Registry& registered, tools::Selector& choice, Logger& log,
          const config::Agent& configured)
        : gateway(models), registry(registered), selector(choice), logger(log), settings(configured),
          prompts(configured.prompts, log)
    {
        strategies.push_back(Strategy{"graph", make_agent_graph()});
        strategies.push_back(Strategy{"chat", make_chat_graph()});
        strategies.push_back(Strategy{"simple", make_simple_graph()});
        strategies.push_back(Strategy{"planner", make_planner_graph()});
    }

    const Strategy* find(const std::string& name) const;
    std::string model_of(const AgentRequest& request) const;
    Result<void> check(const AgentRequest& request) const;
    Result<AgentRun> prepare(const AgentRequest& request, const llm::CallContext& context, const tools::Caller& caller,
                             model::AnswerSink& sink, AgentRecord& into) const;

    llm::Gateway& gateway;
    tools::Registry& registry;
    tools::Selector& selector;
    Logger& logger;
    const config::Agent settings;
    const Prompts prompts;
    std::vector<Strategy> strategies;
};

bool is_client_tool(const AgentRun& run, std::string_view name)
{
    return run.request.tool_choice != "none" && holds_tool(run.request.client_tools, name);
}

bool is_candidate(const AgentRun& run, std::string_view name)
{
    return holds_tool(run.server_tools, name);
}

const Strategy* Agents::State::find(const std::string& name) const
{
    const auto& wanted = name.empty() ? settings.strategy : name;
    const auto at = std::find_if(strategies.begin(), strategies.end(), [&](const auto& one) { return one.name == wanted; });
    return at == strategies.end() ? nullptr : &*at;
}

Result<AgentRun> Agents::State::prepare(const AgentRequest& request, const llm::CallContext& context,
                                        const tools::Caller& caller, model::AnswerSink& sink, AgentRecord& into) const
{
    AgentRun run{gateway, registry, selector, logger, prompts, settings, request, context, caller, sink, into,
                 {},      false,    Language::english, {}};
    if (auto checked = check(request); !checked)
        return checked.error();
    run.model = model_of(request);
    run.native_tools = gateway.find(run.model)->tools;
    run.language = language_of(settings.language, last_user_text(request.messages));
    return run;
}

std::string Agents::State::model_of(const AgentRequest& request) const
{
    return !request.model.empty() ? request.model : !settings.model.empty() ? settings.model : gateway.default_model();
}

Result<void> Agents::State::check(const AgentRequest& request) const
{
    if (!find(request.strategy))
        return wrong("strategy",
                     "There is no strategy '" + (request.strategy.empty() ? settings.strategy : request.strategy) + "'.");
    if (const auto model = model_of(request); !gateway.find(model))
        return Error(Errc::not_found, "The model '" + model + "' does not exist.").reason("model_not_found").param("model");
    if (auto checked = check_tool_choice(request); !checked)
        return checked;
    // Only the strategy with the router asks such a model for a call in JSON.
    if (demands_call(request) && !gateway.find(model_of(request))->tools && find(request.strategy)->name != "graph")
        return Error(Errc::invalid_argument, "The model '" + model_of(request) + "' cannot call tools.")
            .reason("tools_not_supported")
            .param("tools");
    return check_response_format(request);
}

Agents::Agents(llm::Gateway& gateway, tools::Registry& tools, tools::Selector& selector, Logger& logger,
               const config::Agent& settings)
    : state_(std::make_unique<State>(gateway, tools, selector, logger, settings))
{
}
Agents::~Agents() = default;

bool Agents::knows_strategy(std::string_view name) const
{
    return std::any_of(state_->strategies.begin(), state_->strategies.end(),
                       [&](const auto& one) { return one.name == name; });
}

std::vector<std::string> Agents::strategies() const
{
    std::vector<std::string> names;
    for (const auto& one : state_->strategies)
        names.push_back(one.name);
    return names;
}

bool Agents::reads_images() const
{
    const auto model = state_->gateway.find(state_->model_of({}));
    return model && model->vision;
}

Result<void> Agents::check(const AgentRequest& request) const
{
    return state_->check(request);
}

Task<Result<void>> Agents::run(const AgentRequest& request, const llm::CallContext& context, const tools::Caller& caller,
                               model::AnswerSink& sink, AgentRecord& into, const DurableRun* durable)
{
    auto run = state_->prepare(request, context, caller, sink, into);
    if (!run)
        co_return run.error();
    const auto* strategy = state_->find(request.strategy);
    const auto rounds = std::max<std::int64_t>(1, state_->settings.max_iterations);
    auto input = Json::object();
    input["max_rounds"] = rounds;
    input["native"] = run->native_tools;
    graph::RunOptions options;
    options.recursion_limit = 8 + 4 * rounds;   // selector, and at most summarizer, router, executor per round
    options.context = &*run;
    if (durable) {
        options.checkpointer = &durable->checkpointer;
        options.thread = durable->thread;
        options.run = durable->run;
        options.durability = durable->mode;
        options.recovers = run->takes_up = durable->recovers;
        run->keeps_record = durable->mode != graph::Durability::exit;
    }
    graph::RunResult result;
    co_await strategy->graph.run(std::move(input), options, result);
    if (!result.failures.empty())
        co_return result.failures.front().cause;
    if (result.error)
        co_return *result.error;
    take_up(*run, result.state);   // the process died behind the last step
    co_return co_await finish_answer(*run, result.state);
}

}  // namespace dure::agents
