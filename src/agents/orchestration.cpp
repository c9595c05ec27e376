// Compiles teams to graphs; see orchestration.hpp. Nodes: the workers, "supervisor" where one decides, "finish".
#include "dure/agents/orchestration.hpp"

#include <algorithm>
#include <set>

#include "agents/answer_tap.hpp"
#include "agents/team.hpp"
#include "agents/usage.hpp"
#include "dure/base/text.hpp"

namespace dure::agents {
namespace {

using SharedPlan = std::shared_ptr<const TeamPlan>;
using TeamBody = Task<Result<graph::Update>> (*)(graph::NodeContext& context, const TeamPlan& plan, TeamRun& run);

constexpr std::size_t most_workers = 32;
constexpr std::size_t longest_worker_name = 64;
constexpr std::size_t most_result_bytes = 16 * 1024;

bool supervised(const Team& team)
{
    return team.pattern == Pattern::hierarchical || team.pattern == Pattern::adaptive;
}

Error wrong_team(std::string param, std::string message)
{
    return Error(Errc::invalid_argument, std::move(message)).param(std::move(param)).reason("invalid_value");
}

Result<void> check_team(const Team& team)
{
    if (team.workers.empty() || team.workers.size() > most_workers)
        return wrong_team("workers", "A team has 1 to 32 workers.");
    if (team.supervisor.max_iterations < 1 || team.supervisor.max_iterations > 100)
        return wrong_team("supervisor.max_iterations", "'max_iterations' must be 1 to 100.");
    std::set<std::string> taken{"supervisor", "finish", std::string(graph::start), std::string(graph::end)};
    for (std::size_t i = 0; i < team.workers.size(); ++i) {
        const auto field = "workers[" + std::to_string(i) + "].name";
        const auto& name = team.workers[i].name;
        if (name.empty() || name.size() > longest_worker_name || !valid_utf8(name))
            return wrong_team(field, "A worker's name has 1 to 64 bytes of UTF-8.");
        if (!taken.insert(name).second)
            return wrong_team(field, "The name '" + name + "' is taken or reserved.");
    }
    return {};
}

std::string describe_node(const std::string& node, Language language)
{
    const bool korean = language == Language::korean;
    if (node == "supervisor")
        return korean ? "다음 작업자를 정하는 중" : "Deciding who works next";
    if (node == "finish")
        return korean ? "결과 정리 중" : "Putting the results together";
    return node + (korean ? " 작업 중" : " is working");
}

// As a node: the step enters the path and is told, then the body runs.
graph::NodeFunction team_step(SharedPlan plan, TeamBody body)
{
    return [plan = std::move(plan), body](graph::NodeContext& context) -> Task<Result<graph::Update>> {
        auto& run = plan->find_run(context);
        run.record.path.push_back(context.node());
        model::Progress progress;
        progress.node = context.node();
        progress.description = describe_node(context.node(), plan->workshop(run, context.state()).language);
        if (auto told = co_await run.teller().progress(progress); !told)
            co_return told.error();
        auto update = co_await body(context, *plan, run);
        progress.done = true;
        if (update)
            if (auto told = co_await run.teller().progress(progress); !told)
                co_return told.error();
        co_return update;
    };
}

const Worker& worker_named(const Team& team, const std::string& name)
{
    const auto at =
        std::find_if(team.workers.begin(), team.workers.end(), [&](const auto& one) { return one.name == name; });
    if (at == team.workers.end())
        throw InvariantBroken("the team has no worker '" + name + "'");
    return *at;
}

// The definitions of a worker's tools; a tool that is not there now, or that the caller may not use, is an error, not a
// worker without it.
Result<std::vector<model::ToolDefinition>> tools_of(const tools::Registry& registry, const Workshop& shop,
                                                    const Worker& worker)
{
    auto wanted = worker.definitions;
    if (worker.tools.empty())
        return wanted;
    if (!shop.caller.may_execute)
        return Error(Errc::permission_denied,
                     "Worker '" + worker.name + "' needs tools, which the caller may not use.");
    for (const auto& name : worker.tools) {
        const auto tool = registry.find(name);
        if (!tool || !tool->why_unavailable().empty() || tool->acts())
            return Error(Errc::not_found, "Worker '" + worker.name + "' has no tool '" + name + "'.").param("tools");
        if (!tools::why_not_allowed(*tool, shop.caller).empty())
            return Error(Errc::permission_denied,
                         "Worker '" + worker.name + "' needs the tool '" + name + "', which the caller may not use.")
                .param("tools");
        wanted.push_back(tool->definition());
    }
    return wanted;
}

Task<Result<std::string>> let_work(graph::NodeContext& context, const TeamPlan& plan, Workshop& shop,
                                   const Worker& worker, const std::string& instruction)
{
    const auto& state = context.state();
    auto tools = tools_of(plan.services->registry, shop, worker);
    if (!tools)
        co_return tools.error();
    WorkOrder order;
    order.node = worker.name;
    order.task = context.task_id();
    order.model = plan.model_or_default(worker.model);
    order.system =
        fill(shop.prompts.get(shop.language, "worker"),
             {{"name", worker.name}, {"description", worker.description}, {"instructions", worker.instructions}});
    const bool last_only = plan.team.pattern == Pattern::sequential;
    order.messages.push_back(message_saying(
        model::Role::user, assignment_text(shop, state, instruction, results_text(state.at("results"), last_only))));
    order.tools = std::move(*tools);
    order.temperature = worker.temperature;
    order.max_tokens = worker.max_tokens;
    order.rounds = worker.max_iterations.value_or(plan.services->settings.max_iterations);
    order.extra = worker.extra;
    co_return co_await work(shop, order);
}

Task<Result<graph::Update>> run_worker(graph::NodeContext& context, const TeamPlan& plan, TeamRun& run)
{
    const auto& state = context.state();
    const auto& queue = state.at("queue");
    const auto* sent = context.argument();
    const auto* assignment = sent ? sent : queue.empty() ? nullptr : &queue.front();
    auto update = Json::object();
    if (!sent && !queue.empty())
        update["queue"] = Json(queue.begin() + 1, queue.end());
    auto shop = plan.workshop(run, state);
    const auto instruction = assignment ? assignment->at("instruction").get<std::string>() : std::string();
    auto text = co_await let_work(context, plan, shop, worker_named(plan.team, context.node()), instruction);
    auto result = Json::object();
    result["worker"] = context.node();
    if (text) {
        result["text"] = std::move(*text);
    } else {
        if (plan.team.pattern == Pattern::sequential || text.error().code() == Errc::cancelled)
            co_return text.error();
        result["error"] = text.error().message();
    }
    update["results"] = Json::array();
    update["results"].push_back(std::move(result));
    co_return graph::Update(std::move(update));
}

Json steps_json(const std::vector<Assignment>& steps)
{
    auto list = Json::array();
    for (const auto& step : steps)
        list.push_back({{"worker", step.worker}, {"instruction", step.instruction}});
    return list;
}

Task<Result<graph::Update>> run_supervisor(graph::NodeContext& context, const TeamPlan& plan, TeamRun& run)
{
    auto shop = plan.workshop(run, context.state());
    const auto round = co_await decide_round(plan, shop, context.state());
    if (!round)
        co_return round.error();
    auto update = Json::object();
    update["finished"] = round->finish;
    update["queue"] = round->at_once ? Json::array() : steps_json(round->steps);
    update["at_once"] = round->at_once ? steps_json(round->steps) : Json::array();
    update["rounds"] = round->finish ? 0 : 1;
    co_return graph::Update(std::move(update));
}

graph::Routes after_supervisor(const graph::State& state)
{
    if (state.at("finished") == Json(true))
        return "finish";
    graph::Routes routes;
    for (const auto& step : state.at("at_once"))
        routes.emplace_back(graph::Send(step.at("worker").get<std::string>(), step));
    if (routes.empty())
        routes.emplace_back(state.at("queue").front().at("worker").get<std::string>());
    return routes;
}

graph::Routes after_worker(const graph::State& state)
{
    const auto& queue = state.at("queue");
    graph::Routes routes;
    routes.emplace_back(queue.empty() ? std::string("supervisor") : queue.front().at("worker").get<std::string>());
    return routes;
}

// The answer without a model: one after another ends with the last text, side by side gives all of them.
std::string joined(const Team& team, const std::vector<const Json*>& good)
{
    const bool last_stands = team.pattern == Pattern::sequential || team.pattern == Pattern::hierarchical;
    if (last_stands || good.size() == 1)
        return good.back()->at("text").get<std::string>();
    std::string text;
    for (const auto& worker : team.workers)  // their order, not that of the node names
        for (const auto* one : good)
            if (one->at("worker") == worker.name)
                text += (text.empty() ? "## " : "\n\n## ") + worker.name + "\n" + one->at("text").get<std::string>();
    return text;
}

// By the supervisor's model, streamed as it comes.
Task<Result<std::string>> merge(const TeamPlan& plan, TeamRun& run, const graph::State& state)
{
    const auto shop = plan.workshop(run, state);
    llm::CompletionRequest request;
    request.model = plan.model_or_default(plan.team.supervisor.model);
    request.temperature = plan.team.supervisor.temperature;
    request.max_tokens = plan.team.supervisor.max_tokens;
    request.extra = plan.team.supervisor.extra;
    request.messages.push_back(
        message_saying(model::Role::system, fill(shop.prompts.get(shop.language, "merge"),
                                                 {{"instructions", plan.team.supervisor.instructions}})));
    request.messages.push_back(
        message_saying(model::Role::user, assignment_text(shop, state, "", results_text(state.at("results"), false))));
    AnswerTap tap(run.sink, run.record, AnswerTap::Text::shown);
    model::Completion turn;
    const UsageOfCall usage(run.record, turn);
    auto asked = co_await shop.calls.ask("finish", request, shop.call, &tap, turn);
    if (!tap.reads_along())
        tap.keep(turn);
    if (!asked)
        co_return asked.error();
    run.record.completion.finish_reason = turn.finish_reason;
    co_return turn.text;
}

Task<Result<graph::Update>> run_finish(graph::NodeContext& context, const TeamPlan& plan, TeamRun& run)
{
    const auto& state = context.state();
    std::vector<const Json*> good;
    for (const auto& result : state.at("results"))
        if (result.contains("text"))
            good.push_back(&result);
    if (good.empty())
        co_return Error(Errc::upstream_failed, "No worker has a result; the last one failed: " +
                                                   state.at("results").back().at("error").get<std::string>())
            .reason("upstream_error");
    const bool by_model = plan.team.pattern != Pattern::sequential && plan.team.supervisor.enabled && good.size() > 1;
    auto update = Json::object();
    if (by_model) {
        auto text = co_await merge(plan, run, state);
        if (!text)
            co_return text.error();
        update["answer"] = std::move(*text);
        co_return graph::Update(std::move(update));
    }
    model::Piece whole;
    whole.text = joined(plan.team, good);
    update["answer"] = whole.text;
    AnswerTap tap(run.sink, run.record, AnswerTap::Text::shown);
    if (auto shown = co_await tap.piece(whole); !shown)
        co_return shown.error();
    run.record.completion.finish_reason = "stop";
    co_return graph::Update(std::move(update));
}

void add_team_channels(graph::StateGraph& graph)
{
    using namespace graph::reducers;
    graph.add_channel("task", last(), "")
        .add_channel("results", append())
        .add_channel("queue", last(), Json::array())
        .add_channel("at_once", last(), Json::array())
        .add_channel("finished", last(), false)
        .add_channel("rounds", sum())
        .add_channel("answer", last(), "");
}

void connect(graph::StateGraph& graph, const Team& team, const SharedPlan& plan)
{
    if (supervised(team)) {
        graph.add_node("supervisor", team_step(plan, run_supervisor)).add_edge(graph::start, "supervisor");
        graph.add_conditional_edges("supervisor", after_supervisor);
        for (const auto& worker : team.workers)
            graph.add_conditional_edges(worker.name, after_worker);
        return;
    }
    std::vector<std::string> names;
    for (const auto& worker : team.workers) {
        const bool chained = team.pattern == Pattern::sequential && !names.empty();
        graph.add_edge(chained ? std::string_view(names.back()) : graph::start, worker.name);
        names.push_back(worker.name);
    }
    if (team.pattern == Pattern::sequential)
        graph.add_edge(names.back(), "finish");
    else
        graph.add_edge(std::move(names), "finish");
}

}  // namespace

TeamRun::TeamRun(const llm::CallContext& about, const tools::Caller& who, model::AnswerSink& out, AgentRecord& into,
                 Calls* through)
    : call(about), caller(who), sink(out), record(into), calls(through), teller_(std::make_unique<Teller>(out))
{}
TeamRun::~TeamRun() = default;

std::string TeamPlan::model_or_default(const std::string& model) const
{
    const auto& configured = services->settings.model;
    return !model.empty() ? model : !configured.empty() ? configured : services->gateway.default_model();
}

Workshop TeamPlan::workshop(TeamRun& run, const graph::State& state) const
{
    const auto language = language_of(services->settings.language, state.at("task").get_ref<const std::string&>());
    auto& calls = run.calls ? *run.calls : services->calls;
    return Workshop{services->gateway, calls,        services->logger, services->prompts, run.call,
                    run.caller,        run.teller(), run.record,       language};
}

std::string results_text(const Json& results, bool last_only)
{
    std::string text;
    for (auto i = last_only && !results.empty() ? results.size() - 1 : 0; i < results.size(); ++i) {
        const auto& one = results[i];
        const auto said =
            one.contains("text") ? one.at("text").get<std::string>() : "(failed) " + one.at("error").get<std::string>();
        text += (text.empty() ? "### " : "\n\n### ") + one.at("worker").get<std::string>() + "\n";
        text += utf8_prefix(said, most_result_bytes);
        text += said.size() > most_result_bytes ? "\n[cut here]" : "";
    }
    return text;
}

std::string assignment_text(const Workshop& shop, const graph::State& state, const std::string& instruction,
                            const std::string& results)
{
    return fill(shop.prompts.get(shop.language, "assignment"),
                {{"task", state.at("task").get<std::string>()},
                 {"instruction", instruction.empty() ? "-" : instruction},
                 {"results", results.empty() ? "-" : results}});
}

std::optional<Pattern> pattern_named(std::string_view name)
{
    return name == "sequential"     ? std::optional(Pattern::sequential)
           : name == "parallel"     ? std::optional(Pattern::parallel)
           : name == "hierarchical" ? std::optional(Pattern::hierarchical)
           : name == "adaptive"     ? std::optional(Pattern::adaptive)
                                    : std::nullopt;
}

std::optional<DecisionStrategy> decision_strategy_named(std::string_view name)
{
    return name == "llm_based"     ? std::optional(DecisionStrategy::llm_based)
           : name == "rule_based"  ? std::optional(DecisionStrategy::rule_based)
           : name == "round_robin" ? std::optional(DecisionStrategy::round_robin)
                                   : std::nullopt;
}

Orchestrator::Orchestrator(llm::Gateway& gateway, tools::Registry& tools, Logger& logger, const config::Agent& settings)
    : state_(std::make_shared<const State>(gateway, tools, logger, settings))
{}
Orchestrator::~Orchestrator() = default;

Result<graph::CompiledGraph> Orchestrator::compile(const Team& team, FindRun find_run) const
{
    if (auto fine = check_team(team); !fine)
        return fine.error();
    if (!find_run)
        find_run = [](graph::NodeContext& context) -> TeamRun& { return context.context<TeamRun>(); };
    const auto plan = std::make_shared<const TeamPlan>(TeamPlan{state_, team, std::move(find_run)});
    graph::StateGraph graph;
    add_team_channels(graph);
    for (const auto& worker : team.workers)
        graph.add_node(worker.name, team_step(plan, run_worker));
    graph.add_node("finish", team_step(plan, run_finish)).add_edge("finish", graph::end);
    connect(graph, team, plan);
    return graph.compile();
}

std::int64_t Orchestrator::supersteps_of(const Team& team)
{
    constexpr std::int64_t steps_of_a_plan = 32;  // at most: 16 steps of a model, or every worker once
    const auto workers = static_cast<std::int64_t>(team.workers.size());
    switch (team.pattern) {
    case Pattern::sequential: return workers + 2;
    case Pattern::parallel: return 3;
    case Pattern::hierarchical: return 2 * team.supervisor.max_iterations + 3;
    case Pattern::adaptive: return (steps_of_a_plan + 1) * team.supervisor.max_iterations + 3;
    }
    throw InvariantBroken("a pattern without a name");
}

Task<Result<void>> Orchestrator::run(const Team& team, const std::string& task, TeamRun& run,
                                     TeamOutcome* outcome) const
{
    const auto graph = compile(team);
    if (!graph)
        co_return graph.error();
    graph::RunOptions options;
    options.recursion_limit = supersteps_of(team);
    options.context = &run;
    graph::RunResult result;
    co_await graph->run(Json{{"task", task}}, options, result);
    if (outcome && result.status == graph::RunStatus::success) {
        outcome->answer = result.state.at("answer").get<std::string>();
        outcome->results = result.state.at("results");
        outcome->rounds = result.state.at("rounds").get<std::int64_t>();
    }
    if (!result.failures.empty())
        co_return result.failures.front().cause;
    if (result.error)
        co_return *result.error;
    co_return Result<void>();
}

}  // namespace dure::agents
