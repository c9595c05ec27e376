// Kind `agent`: a model with tools works until it has an answer. {"text", "json", "steps", "usage"}
// Strategies: "chat" (also "graph", "function_calling", none): the model calls tools by itself, or by the router's JSON where it
// cannot · "react": always by the router's JSON · "simple": one answer without tools.
#include "dure/agents/work.hpp"
#include "dure/schema/json_check.hpp"
#include "dure/flows/config_values.hpp"
#include "nodes/agent_tools.hpp"

namespace dure::nodes {
namespace {

struct AgentSettings {
    Question question;
    bool uses_tools = true;
    bool by_decisions = false;
    std::int64_t rounds = 8;
};

Result<AgentSettings> read_agent(const Shared& shared, const flows::NodeCall& call)
{
    ConfigReader reader(call.config);
    AgentSettings settings;
    const auto strategy = reader.text("strategy");
    settings.uses_tools = strategy != "simple";
    settings.by_decisions = strategy == "react" || strategy == "ReAct";
    if (!flows::is_agent_strategy(strategy))
        reader.problem("strategy", flows::agent_strategies);
    settings.rounds = reader.integer("max_iterations", 1, 100).value_or(shared.parts.settings.agent.max_iterations);
    const auto instructions = reader.text("instructions");
    if (auto fine = reader.done(); !fine)
        return fine.error();
    auto question = read_question(shared, call);
    if (!question)
        return question.error();
    settings.question = std::move(*question);
    auto& system = settings.question.system;
    system += (system.empty() || instructions.empty() ? "" : "\n") + instructions;
    if (system.empty())
        system = shared.prompts.get(language_for(shared, settings.question.last_user_text()), "agent");
    demand_form(shared, settings.question);
    return settings;
}

Json steps_of(const agents::AgentRecord& record)
{
    auto steps = Json::array();
    for (const auto& use : record.tools_used)
        steps.push_back(
            Json{{"type", "tool"},
                 {"name", use.name},
                 {"arguments", schema::check_json(use.arguments) ? Json::parse(use.arguments) : Json(use.arguments)},
                 {"success", use.success},
                 {"result", use.result},
                 {"duration_ms", use.duration_ms}});
    return steps;
}

// The answer, and its JSON when the question demands a form: a model that misses it is corrected once.
Task<Result<Formed>> answer_of(const Shared& shared, const Question& question, agents::Workshop& shop,
                               agents::WorkOrder& order)
{
    Formed formed;
    std::string problem;
    for (int attempt = 0; attempt < 2; ++attempt) {
        auto text = co_await agents::work(shop, order);
        if (!text)
            co_return text.error();
        formed.completion.text = *text;
        if (!question.form)
            co_return formed;
        auto read = json_of_answer(question, *text);
        if (auto* json = std::get_if<Json>(&read)) {
            formed.json = std::move(*json);
            co_return formed;
        }
        problem = std::get<std::string>(read);
        order.rounds = 0;  // no more tools: only the form is wrong
        order.messages.push_back(agents::message_saying(model::Role::assistant, std::move(*text)));
        const auto& correction = shared.prompts.get(shop.language, "form");
        order.messages.push_back(
            agents::message_saying(model::Role::system, agents::fill(correction, {{"problem", problem}})));
    }
    co_return Error(Errc::upstream_failed, "The model's answer does not fit the schema: " + problem)
        .reason("output_schema");
}

}  // namespace

Task<Result<Json>> run_agent(const Shared& shared, flows::NodeCall& call)
{
    auto settings = read_agent(shared, call);
    if (!settings)
        co_return settings.error();
    auto& question = settings->question;
    const auto context = call_context(shared, call);
    tools::Caller caller;
    AgentTools tools;
    if (settings->uses_tools) {
        auto named = co_await tools_for(shared, call.facts, call.config, call.attached, caller);
        if (!named)
            co_return named.error();
        tools = std::move(*named);
    }
    DurableCalls calls(shared, call);
    calls.set_rules(call.node.id, std::move(tools.rules));
    NodeSink sink(call.context);
    agents::Teller teller(sink);
    agents::AgentRecord record;
    agents::Workshop shop{shared.parts.gateway,
                          calls,
                          shared.parts.logger,
                          shared.prompts,
                          context,
                          caller,
                          teller,
                          record,
                          language_for(shared, question.last_user_text())};
    agents::WorkOrder order;
    order.node = call.node.id;
    order.model = question.model;
    order.system = question.system;
    order.messages = question.messages;
    order.tools = std::move(tools.definitions);
    order.temperature = question.temperature;
    order.max_tokens = question.max_tokens;
    order.rounds = settings->rounds;
    order.extra = question.extra;
    order.words = question.stream && !question.form ? &sink : nullptr;
    order.by_decisions = settings->by_decisions;
    auto formed = co_await answer_of(shared, question, shop, order);
    if (!formed)
        co_return formed.error();
    auto output = Json::object();
    output["text"] = std::move(formed->completion.text);
    output["json"] = std::move(formed->json);
    output["steps"] = steps_of(record);
    output["usage"] = calls.usage();
    co_return output;
}

}  // namespace dure::nodes
