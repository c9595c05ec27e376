// `dure flow run`: file → checked document → graph → run with a checkpointer in memory, again with each answer. See flow_command.hpp.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>

#include "app/flow_command.hpp"
#include "app/flow_file.hpp"
#include "dure/auth/roles.hpp"
#include "dure/flows/compiler.hpp"
#include "dure/flows/evaluations.hpp"
#include "dure/flows/inputs.hpp"
#include "dure/graph/memory_checkpointer.hpp"
#include "dure/nodes/services.hpp"
#include "dure/runs/graph_body.hpp"

namespace dure::app {

namespace {

constexpr int run_done = 0;
constexpr int run_failed = 1;
constexpr int run_usage = 2;

// With every field that is wrong.
int run_refused(int code, const Error& error)
{
    std::cerr << "dure: " << error.message() << "\n";
    for (const auto& problem : error.extra().problems) {
        std::string place;
        for (const auto& part : problem.location)
            if (part != "body")
                place += (place.empty() ? "" : ".") + part;
        std::cerr << "dure: " << place << ": " << problem.message << "\n";
    }
    return code;
}

void print_line(const Json& line)
{
    std::cout << dump(line) << std::endl;
}

std::string problem_text(const flows::Problem& problem)
{
    std::string place;
    for (const auto& part : problem.location)
        place += (place.empty() ? "" : ".") + part;
    return problem.code + (place.empty() ? "" : " at " + place) + ": " + problem.message;
}

// The document when it can run; else its errors are printed.
const flows::Document* runnable(const flows::Reading& reading)
{
    for (const auto& problem : reading.problems.list())
        if (problem.level == flows::Level::error)
            std::cerr << "dure: " << problem_text(problem) << "\n";
    return reading.problems.has_errors() ? nullptr : &reading.document;
}

// Sub-flows by file. A name is looked for among the files of the folder: it never becomes a path.
class FlowFolder {
public:
    FlowFolder(const config::Settings& settings, const LocalHouse& house)
        : folder_(settings.flows.directory), house_(house)
    {}

    const flows::Document* find(std::string_view flow, std::string_view version)
    {
        if (!version.empty() && version != "published" && version != "draft")
            return nullptr;  // a file has no versions
        const std::string name(flow);
        if (!read_.contains(name))
            read_.emplace(name, read(name));
        const auto& reading = read_.at(name);
        return reading ? runnable(*reading) : nullptr;
    }

private:
    std::optional<flows::Reading> read(const std::string& name) const
    {
        std::error_code none;  // no such folder: no sub-flows
        for (const auto& entry : std::filesystem::directory_iterator(folder_, none))
            if (entry.path().filename().string() == name + ".json")
                if (auto reading = read_flow_file(entry.path().string(), house_, flows::Level::error))
                    return std::move(*reading);
        return std::nullopt;
    }

    const std::filesystem::path folder_;
    const LocalHouse& house_;
    std::map<std::string, std::optional<flows::Reading>> read_;
};

class FlowPrinter final : public graph::EventSink {
public:
    explicit FlowPrinter(const flows::CompiledFlow& flow) : flow_(flow) {}
    graph::Modes modes() const override { return graph::Mode::messages | graph::Mode::custom | graph::Mode::tasks; }
    bool subgraphs() const override { return true; }

    Task<Result<void>> event(const graph::Event& event) override
    {
        if (event.mode == graph::Mode::messages)
            print_line(Json{{"event", "message"},
                            {"node_id", flow_.flow_node(event.ns, event.data.at(1).at("node").get<std::string>())},
                            {"data", event.data.at(0)}});
        else if (event.mode == graph::Mode::custom)
            print_line(Json{{"event", "custom"}, {"data", event.data}});
        else if (event.data.at("event") == "end" && event.data.contains("result"))
            print_steps(event.data.at("result"));
        co_return std::cout ? Result<void>() : Error(Errc::cancelled, "Standard output is closed.");
    }

private:
    // Updates may be lists of commands; each carries its own records.
    static void print_steps(const Json& update)
    {
        if (update.is_array())
            for (const auto& part : update)
                print_steps(part);
        const auto found = update.is_object() ? update.find(flows::step_channel) : update.end();
        if (!update.is_object() || found == update.end())
            return;
        const auto records = found->is_array() ? *found : Json::array({*found});
        for (auto record : records) {
            if (const auto began = record.find("started_at"); began != record.end() && began->is_number_integer())
                *began = rfc3339(began->get<UnixMillis>());  // as executions show it
            print_line(Json{{"event", "step"}, {"data", std::move(record)}});
        }
    }

    const flows::CompiledFlow& flow_;
};

// Who runs the command is the operator.
nodes::Parts local_parts(LocalHouse& house, const config::Settings& settings, const Clock& clock)
{
    return {house.gateway,
            house.tools,
            house.client,
            house.egress,
            house.logger,
            settings,
            clock,
            [](std::string owner) -> Task<Result<tools::Caller>> {
                tools::Caller caller;
                caller.user_id = std::move(owner);
                caller.may_execute = true;
                caller.permissions = auth::all_permissions();
                co_return caller;
            }};
}

Result<flows::RunFacts> facts_from(const FlowCommand& command, const flows::Document& document, const Clock& clock)
{
    const auto given = Json::parse(command.inputs, nullptr, false);
    if (!given.is_object())
        return Error(Errc::invalid_argument, "--inputs is no JSON object.");
    auto inputs = flows::check_inputs(document, given);
    if (!inputs)
        return inputs.error();
    flows::RunFacts facts;
    facts.execution_id = new_id();
    facts.owner = "local";
    facts.slug = std::filesystem::path(command.file).stem().string();
    facts.message = command.message;
    facts.inputs = std::move(*inputs);
    facts.started_at = clock.now();
    return facts;
}

Result<std::vector<Json>> answers_from(const FlowCommand& command)
{
    std::vector<Json> answers;
    for (const auto& text : command.answers) {
        answers.push_back(Json::parse(text, nullptr, false));
        if (answers.back().is_discarded())
            return Error(Errc::invalid_argument, "--answer is not JSON: " + text);
    }
    return answers;
}

// The outcome as a line; the exit code.
int print_outcome(const flows::CompiledFlow& flow, const graph::RunResult& result)
{
    if (result.status == graph::RunStatus::interrupted) {
        print_line(Json{{"status", "waiting"}});
        return run_done;
    }
    if (result.status == graph::RunStatus::success) {
        print_line(Json{{"status", "succeeded"}, {"result", flows::flow_result(result.output)}});
        return run_done;
    }
    auto error = result.error ? runs::error_json(*result.error, result.failures) : Json::object();
    if (result.error)
        error["message"] = flows::in_drawn_words(result.error->message());
    if (const auto node = error.find("node"); node != error.end())
        error["node_id"] = flow.flow_node("", node->get<std::string>());
    print_line(Json{{"status", "failed"}, {"error", std::move(error)}});
    return run_failed;
}

// Runs until it ends or nobody has an answer to its question.
Task<Result<void>> run_with_answers(const flows::CompiledFlow& flow, graph::RunInput input, std::vector<Json> answers,
                                    const graph::RunOptions& options, graph::RunResult& result)
{
    for (std::size_t next = 0;; ++next) {
        result = graph::RunResult();
        co_await flow.graph.run(std::move(input), options, result);
        for (const auto& open : result.interrupts)
            print_line(
                Json{{"event", "question"}, {"node_id", flow.flow_node(open.ns, open.node)}, {"value", open.value}});
        if (result.status != graph::RunStatus::interrupted || next >= answers.size())
            co_return Result<void>();
        auto answer = flows::check_answer(result.interrupts.front().value, answers[next]);
        if (!answer)
            co_return answer.error();
        graph::Command command;
        command.resume = Json{{result.interrupts.front().id, std::move(*answer)}};
        input = std::move(command);
    }
}

}  // namespace

int run_flow(const config::Settings& settings, const FlowCommand& command)
{
    const auto house = LocalHouse::make(settings);
    if (!house)
        return run_refused(run_failed, house.error());
    const auto reading = read_flow_file(command.file, **house, flows::Level::error);
    if (!reading)
        return run_refused(run_usage, reading.error());
    const auto* document = runnable(*reading);
    if (!document)
        return run_failed;
    FlowFolder folder(settings, **house);
    const auto flow =
        flows::compile_flow(*document, [&](auto name, auto version) { return folder.find(name, version); });
    if (!flow)
        return run_refused(run_failed, flow.error());
    const SystemClock clock;
    auto facts = facts_from(command, *document, clock);
    if (!facts)
        return run_refused(run_usage, facts.error());
    auto answers = answers_from(command);
    if (!answers)
        return run_refused(run_usage, answers.error());
    nodes::Services services(local_parts(**house, settings, clock));
    flows::Evaluations evaluations(1);
    flows::FlowRun run{std::move(*facts), &services, &clock};
    run.evaluations = &evaluations;
    FlowPrinter printer(*flow);
    graph::MemoryCheckpointer checkpointer;
    graph::RunOptions options;
    options.recursion_limit = std::min(settings.flows.max_steps, flow->max_steps);
    options.max_concurrency = static_cast<std::size_t>(settings.flows.max_parallel);
    options.deadline = Deadline::after(settings.flows.run_timeout);
    options.events = &printer;
    options.context = &run;
    options.checkpointer = &checkpointer;
    options.thread = run.facts.execution_id;
    options.clock = &clock;
    graph::RunResult result;
    const auto ran = boost::asio::co_spawn(
                         (*house)->cores.at(0),
                         run_with_answers(*flow, flows::flow_input(run.facts), std::move(*answers), options, result),
                         boost::asio::use_future)
                         .get();
    if (!ran)
        return run_refused(run_usage, ran.error());
    return print_outcome(*flow, result);
}

}  // namespace dure::app
