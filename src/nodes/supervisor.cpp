// Kind `supervisor`: a team of the attached agents. {"text", "route", "results", "usage"}
// `orchestration_type` (hierarchical when absent) comes from flows that are drawn by their settings.
#include <algorithm>

#include "dure/base/text.hpp"
#include "nodes/agent_tools.hpp"

namespace dure::nodes {
namespace {

constexpr std::size_t longest_description = 500;
constexpr std::size_t longest_history = 16 * 1024;

// Only for one after another the order of questions to a person is certain.
bool works_in_turn(agents::Pattern pattern)
{
    return pattern == agents::Pattern::sequential || pattern == agents::Pattern::hierarchical;
}

std::string history_text(const Question& question)
{
    std::string text;
    for (std::size_t i = 0; i + 1 < question.messages.size(); ++i)
        text += std::string(name_of(question.messages[i].role)) + ": " + question.messages[i].text() + "\n";
    if (text.size() <= longest_history)
        return text;
    // The newest part, from a whole character on.
    auto from = text.size() - longest_history;
    while (from < text.size() && (static_cast<unsigned char>(text[from]) & 0xc0) == 0x80)
        ++from;
    return text.substr(from);
}

// The task: what is asked, behind the conversation it belongs to.
std::string task_of(const Question& question)
{
    const auto asked = question.messages.empty() ? std::string() : question.messages.back().text();
    const auto before = history_text(question);
    return before.empty() ? asked : before + "\n" + asked;
}

// Every field of `llm` in a worker's config works as in an agent of its own, or is refused.
Result<agents::Worker> worker_from(const Shared& shared, const flows::RunFacts& facts, const Json& entry)
{
    const auto& config = entry.at("config");
    ConfigReader reader(config);
    auto question = read_model_fields(shared, facts, config);
    if (!question)
        return question.error();
    agents::Worker worker;
    worker.name = entry.at("id").get<std::string>();
    const auto instructions = reader.text("instructions");
    for (const auto& part : {question->system, instructions, reader.text("prompt")})
        worker.instructions += (worker.instructions.empty() || part.empty() ? "" : "\n") + part;
    const auto label = entry.value("label", std::string());
    worker.description = label + (label.empty() || worker.instructions.empty() ? "" : ". ") +
                         std::string(utf8_prefix(worker.instructions, longest_description));
    worker.model = question->model;
    worker.temperature = question->temperature;
    worker.max_tokens = question->max_tokens;
    worker.extra = question->extra;
    worker.max_iterations = reader.integer("max_iterations", 1, 100);
    for (const char* field : {"output_schema", "memory", "images", "messages"})
        if (reader.find(field))
            reader.problem(field, "is not available for workers");
    const auto strategy = reader.text("strategy");
    if (!strategy.empty() && strategy != "chat" && strategy != "graph" && strategy != "function_calling")
        reader.problem("strategy", "'" + strategy + "' is not available for workers");
    if (auto fine = reader.done(); !fine)
        return fine.error();
    return worker;
}

Task<Result<void>> add_workers(const Shared& shared, flows::NodeCall& call, agents::Team& team, DurableCalls& calls,
                               tools::Caller& caller)
{
    const auto none = Json::array();
    const auto found = call.attached.is_object() ? call.attached.find("workers") : call.attached.end();
    const auto& list = call.attached.is_object() && found != call.attached.end() ? *found : none;
    for (const auto& entry : list) {
        auto worker = worker_from(shared, call.facts, entry);
        if (!worker)
            co_return worker.error();
        auto tools =
            co_await tools_for(shared, call.facts, entry.at("config"), entry.value("attached", Json()), caller);
        if (!tools)
            co_return tools.error();
        if (!tools->rules.approval.empty() && !works_in_turn(team.pattern))
            co_return unfit("require_approval", "is possible only for workers that work one after another");
        worker->definitions = std::move(tools->definitions);
        calls.set_rules(worker->name, std::move(tools->rules));
        team.workers.push_back(std::move(*worker));
    }
    if (team.workers.empty())
        co_return unfit("workers", "are missing: attach agents to the supervisor");
    co_return Result<void>();
}

Result<agents::Team> read_team(const flows::NodeCall& call, const Question& question)
{
    ConfigReader reader(call.config);
    agents::Team team;
    const auto type = reader.text("orchestration_type");
    const auto pattern = agents::pattern_named(type.empty() ? "hierarchical" : type);
    if (!pattern)
        reader.problem("orchestration_type", "must be sequential, parallel, hierarchical or adaptive");
    else
        team.pattern = *pattern;
    auto& supervisor = team.supervisor;
    supervisor.enabled = reader.boolean("enabled", true);
    supervisor.max_iterations = reader.integer("max_iterations", 1, 100).value_or(supervisor.max_iterations);
    const auto strategy = reader.text("decision_strategy");
    const auto decides = agents::decision_strategy_named(strategy.empty() ? "llm_based" : strategy);
    if (!decides)
        reader.problem("decision_strategy", "must be llm_based, rule_based or round_robin");
    else
        supervisor.decision_strategy = *decides;
    const auto* finish = reader.find("finish_when");
    if (finish && !finish->is_string())
        reader.problem("finish_when", "must be a text for the supervisor");
    if (question.form)
        reader.problem("output_schema", "is not available for supervisors");
    if (reader.find("images"))
        reader.problem("images", "are not available for supervisors");
    if (auto fine = reader.done(); !fine)
        return fine.error();
    supervisor.model = question.model;
    supervisor.instructions = question.system;
    if (finish && !finish->get_ref<const std::string&>().empty())
        supervisor.instructions +=
            (supervisor.instructions.empty() ? "" : "\n") + std::string("FINISH: ") + finish->get<std::string>();
    supervisor.temperature = question.temperature;
    supervisor.max_tokens = question.max_tokens;
    supervisor.extra = question.extra;
    return team;
}

// The workers as they were called.
Json route_of(const agents::Team& team, const agents::AgentRecord& record)
{
    auto route = Json::array();
    for (const auto& node : record.path)
        if (std::any_of(team.workers.begin(), team.workers.end(),
                        [&](const auto& worker) { return worker.name == node; }))
            route.push_back(node);
    return route;
}

// A stream that is not wanted: steps are told all the same.
class StepsOnly final : public model::AnswerSink {
public:
    explicit StepsOnly(NodeSink& sink) : sink_(sink) {}
    bool reads_along() const override { return false; }
    Task<Result<void>> piece(const model::Piece&) override { co_return Result<void>(); }
    Task<Result<void>> rendered(std::string_view) override { co_return Result<void>(); }
    Task<Result<void>> progress(const model::Progress& progress) override
    {
        co_return co_await sink_.progress(progress);
    }
    Task<Result<void>> still_alive() override { co_return co_await sink_.still_alive(); }

private:
    NodeSink& sink_;
};

}  // namespace

Task<Result<Json>> run_supervisor(const Shared& shared, flows::NodeCall& call)
{
    auto question = read_question(shared, call);
    if (!question)
        co_return question.error();
    auto team = read_team(call, *question);
    if (!team)
        co_return team.error();
    DurableCalls calls(shared, call);
    tools::Caller caller;
    if (auto added = co_await add_workers(shared, call, *team, calls, caller); !added)
        co_return added.error();
    const auto context = call_context(shared, call);
    NodeSink words(call.context);
    StepsOnly steps(words);
    agents::AgentRecord record;
    agents::TeamRun run(context, caller, question->stream ? static_cast<model::AnswerSink&>(words) : steps, record,
                        &calls);
    agents::TeamOutcome outcome;
    if (auto ran = co_await shared.orchestrator.run(*team, task_of(*question), run, &outcome); !ran)
        co_return ran.error();
    auto output = Json::object();
    output["text"] = std::move(outcome.answer);
    output["route"] = route_of(*team, record);
    output["results"] = std::move(outcome.results);
    output["usage"] = calls.usage();
    co_return output;
}

}  // namespace dure::nodes
