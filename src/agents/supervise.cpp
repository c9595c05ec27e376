// The supervisor's decisions: by its model (JSON, mended, asked for once more, else by rule), by rule, or in turn.
#include <algorithm>
#include <cctype>
#include <set>

#include "agents/decision.hpp"
#include "dure/agents/lenient_json.hpp"
#include "agents/team.hpp"
#include "dure/base/text.hpp"

namespace dure::agents {
namespace {

constexpr std::size_t most_steps_of_a_plan = 16;
constexpr int supervisor_attempts = 2;

std::vector<std::string> worker_names(const Team& team)
{
    std::vector<std::string> names;
    for (const auto& worker : team.workers)
        names.push_back(worker.name);
    return names;
}

// Words of ASCII from four letters on, and pairs of neighbouring characters of every other script.
std::set<std::string> subjects_of(std::string_view text)
{
    constexpr std::size_t most_bytes = 8192;
    const auto lower = ascii_lower(utf8_prefix(text, most_bytes));
    std::set<std::string> subjects;
    std::string word;
    std::string previous;
    for (std::size_t at = 0; at <= lower.size();) {
        const auto first = at < lower.size() ? static_cast<unsigned char>(lower[at]) : ' ';
        const std::size_t width = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
        const auto character = at < lower.size() ? lower.substr(at, width) : std::string();
        at += width;
        const bool of_word = first < 0x80 && std::isalnum(first) != 0;
        if (!of_word && word.size() > 3)
            subjects.insert(word);
        word = of_word ? word + character : std::string();
        if (first >= 0x80 && !previous.empty())
            subjects.insert(previous + character);
        previous = first >= 0x80 ? character : std::string();
    }
    return subjects;
}

// Workers that have not worked yet, most fitting first; those that share nothing with the task are left out.
std::vector<std::string> fitting_workers(const Team& team, const graph::State& state, bool at_least_one)
{
    const auto wanted = subjects_of(state.at("task").get_ref<const std::string&>());
    struct Fit {
        std::ptrdiff_t shared;
        std::size_t place;
    };
    std::vector<Fit> ranking;
    for (std::size_t place = 0; place < team.workers.size(); ++place) {
        const auto& worker = team.workers[place];
        const auto& results = state.at("results");
        if (std::any_of(results.begin(), results.end(),
                        [&](const auto& one) { return one.at("worker") == worker.name; }))
            continue;
        const auto offered = subjects_of(worker.name + " " + worker.description);
        ranking.push_back(
            {std::count_if(offered.begin(), offered.end(), [&](const auto& one) { return wanted.contains(one); }),
             place});
    }
    std::sort(ranking.begin(), ranking.end(), [](const auto& a, const auto& b) {
        return a.shared != b.shared ? a.shared > b.shared : a.place < b.place;
    });
    std::vector<std::string> names;
    for (const auto& fit : ranking)
        if (fit.shared > 0 || (at_least_one && names.empty()))
            names.push_back(team.workers[fit.place].name);
    return names;
}

Round round_of(std::vector<std::string> workers, bool at_once)
{
    Round round;
    round.finish = workers.empty();
    round.at_once = at_once;
    for (auto& worker : workers)
        round.steps.push_back({std::move(worker), {}});
    return round;
}

// One worker per round; an adaptive team lets all that fit work at once, and is done.
Round round_by_rule(const Team& team, const graph::State& state)
{
    auto workers = fitting_workers(team, state, state.at("results").empty());
    if (team.pattern == Pattern::adaptive)
        return round_of(state.at("results").empty() ? std::move(workers) : std::vector<std::string>(), true);
    workers.resize(std::min<std::size_t>(workers.size(), 1));
    return round_of(std::move(workers), false);
}

Round round_in_turn(const Team& team, const graph::State& state)
{
    const auto round = state.at("rounds").get<std::size_t>();
    if (team.pattern == Pattern::adaptive)
        return round_of(round == 0 ? worker_names(team) : std::vector<std::string>(), false);
    return round_of(round < team.workers.size() ? std::vector<std::string>{team.workers[round].name}
                                                : std::vector<std::string>(),
                    false);
}

std::string word_of(const Json& object, const char* name)
{
    const auto at = object.find(name);
    return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

std::variant<Round, Misunderstood> read_choice(const Json& object, const std::vector<std::string>& names)
{
    const auto next = word_of(object, "next");
    Round round;
    if (ascii_lower(trim(next)) == "finish") {
        round.finish = true;
        return round;
    }
    const auto worker = nearest_tool(next, names);
    if (!worker)
        return Misunderstood{"\"next\" must be the name of a listed worker or \"FINISH\"."};
    round.steps.push_back({*worker, word_of(object, "instruction")});
    return round;
}

std::variant<Round, Misunderstood> read_plan(const Json& object, const std::vector<std::string>& names)
{
    const auto steps = object.find("steps");
    if (steps == object.end() || !steps->is_array())
        return Misunderstood{"\"steps\" must be a list of {\"worker\", \"instruction\"}."};
    Round round;
    round.finish = steps->empty();
    if (steps->size() > most_steps_of_a_plan)
        return Misunderstood{"\"steps\" may have at most 16 entries."};
    for (const auto& step : *steps) {
        const auto worker = step.is_object() ? nearest_tool(word_of(step, "worker"), names) : std::nullopt;
        if (!worker)
            return Misunderstood{"Each of \"steps\" must name a listed worker."};
        round.steps.push_back({*worker, word_of(step, "instruction")});
    }
    const auto mode = ascii_lower(word_of(object, "mode"));
    round.at_once = mode == "parallel";
    if (!round.at_once && mode != "sequential" && round.steps.size() > 1)
        return Misunderstood{"\"mode\" must be sequential or parallel."};
    return round;
}

std::variant<Round, Misunderstood> read_round(const TeamPlan& plan, std::string_view text, bool nothing_done)
{
    const auto object = object_in(text, [](const Json& one) { return one.contains("next") || one.contains("steps"); });
    if (!object)
        return Misunderstood{"The answer holds no JSON object."};
    const auto names = worker_names(plan.team);
    auto read = plan.team.pattern == Pattern::adaptive ? read_plan(*object, names) : read_choice(*object, names);
    if (const auto* round = std::get_if<Round>(&read); round && round->finish && nothing_done)
        return Misunderstood{"Nobody has worked yet: choose a worker."};
    return read;
}

std::string worker_lines(const Team& team)
{
    std::string lines;
    for (const auto& worker : team.workers) {
        auto tools = worker.tools;
        for (const auto& definition : worker.definitions)
            tools.push_back(definition.name);
        lines += dump(Json{{"name", worker.name}, {"description", worker.description}, {"tools", tools}}) + "\n";
    }
    return lines;
}

Task<Result<Round>> round_by_model(const TeamPlan& plan, Workshop& shop, const graph::State& state)
{
    const auto* const name = plan.team.pattern == Pattern::adaptive ? "adaptive" : "supervisor";
    const auto system =
        fill(shop.prompts.get(shop.language, name),
             {{"instructions", plan.team.supervisor.instructions}, {"workers", worker_lines(plan.team)}});
    llm::CompletionRequest request;
    request.model = plan.model_or_default(plan.team.supervisor.model);
    request.temperature = 0;
    request.messages.push_back(message_saying(model::Role::system, system));
    request.messages.push_back(
        message_saying(model::Role::user, assignment_text(shop, state, "", results_text(state.at("results"), false))));
    for (int attempt = 0; attempt < supervisor_attempts; ++attempt) {
        auto turn = co_await ask_behind(shop, "supervisor", request);
        if (!turn)
            co_return turn.error();
        auto read = read_round(plan, turn->text, state.at("results").empty());
        if (auto* round = std::get_if<Round>(&read))
            co_return std::move(*round);
        request.messages.push_back(message_saying(model::Role::assistant, std::move(turn->text)));
        request.messages.push_back(
            message_saying(model::Role::system, fill(shop.prompts.get(shop.language, "repair"),
                                                     {{"problem", std::get<Misunderstood>(read).problem}})));
    }
    shop.logger.info("supervisor's answer unusable, deciding by rule", {{"request_id", shop.call.request_id}});
    co_return round_by_rule(plan.team, state);
}

}  // namespace

Task<Result<Round>> decide_round(const TeamPlan& plan, Workshop& shop, const graph::State& state)
{
    const auto& supervisor = plan.team.supervisor;
    if (state.at("rounds") >= Json(supervisor.max_iterations))
        co_return round_of({}, false);
    const auto strategy = supervisor.enabled ? supervisor.decision_strategy : DecisionStrategy::rule_based;
    switch (strategy) {
    case DecisionStrategy::rule_based: co_return round_by_rule(plan.team, state);
    case DecisionStrategy::round_robin: co_return round_in_turn(plan.team, state);
    case DecisionStrategy::llm_based: break;
    }
    co_return co_await round_by_model(plan, shop, state);
}

}  // namespace dure::agents
