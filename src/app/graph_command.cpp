// Files are read and checked → graph compiled → run: in memory, or on a durable thread (graph_thread). See graph_command.hpp.
#include "app/graph_command.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "app/command_signals.hpp"
#include "app/graph_thread.hpp"
#include "app/storage.hpp"
#include "app/webhook_post.hpp"
#include "dure/graph/json_graph.hpp"
#include "dure/runs/graph_body.hpp"
#include "dure/schema/json_check.hpp"

namespace dure::app {

namespace {

constexpr int graph_done = 0;
constexpr int graph_failed = 1;
constexpr int graph_usage = 2;

int wrong_graph_command(const std::string& text)
{
    std::cerr << "dure: " << text << "\n";
    return graph_usage;
}

// As deep as a value of a graph may be: what walks it does so by recursion.
enum class Repeated { last_counts, refused };

Result<Json> json_of_text(const std::string& text, const std::string& where, Repeated keys = Repeated::last_counts)
{
    const schema::JsonLimits limits{.depth = 1024,
                                    .keys_per_object = 1'000'000,
                                    .refuse_duplicates = keys == Repeated::refused,
                                    .refuse_nul = false};
    if (auto checked = schema::check_json(text, limits); !checked)
        return Error(Errc::invalid_argument, where + " is not JSON: " + checked.error().message());
    return Json::parse(text);
}

Result<Json> json_of_file(const std::string& path, Repeated keys = Repeated::last_counts)
{
    std::ifstream file(path, std::ios::binary);
    std::error_code failed;
    if (!file || std::filesystem::is_directory(path, failed))  // which can be opened
        return Error(Errc::not_found, path + " cannot be read.");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    return json_of_text(text, path, keys);
}

// Prints each event when the engine tells it.
class LinePrinter final : public graph::EventSink {
public:
    explicit LinePrinter(runs::Telling telling) : telling_(telling) {}
    graph::Modes modes() const override { return telling_.modes; }
    bool subgraphs() const override { return telling_.subgraphs; }
    Task<Result<void>> event(const graph::Event& event) override
    {
        print_line(
            Json{{"seq", event.seq}, {"ns", event.ns}, {"mode", graph::name_of(event.mode)}, {"data", event.data}});
        co_return std::cout ? Result<void>() : Error(Errc::cancelled, "Standard output is closed.");
    }

private:
    runs::Telling telling_;
};

Json outcome_line(const graph::RunResult& result)
{
    Json line{{"status", graph::name_of(result.status)},
              {"output", result.output},
              {"next", result.next},
              {"checkpoint", result.checkpoint}};
    line["interrupts"] = Json::array();
    for (const auto& interrupt : result.interrupts)
        line["interrupts"].push_back(graph::to_json(interrupt));
    if (result.error)
        line["error"] = runs::error_json(*result.error, result.failures);
    return line;
}

Result<Json> run_input_json(const GraphCommand& command)
{
    auto json = Json();
    if (!command.input_file.empty()) {
        auto input = json_of_file(command.input_file);
        if (!input)
            return input.error();
        json["input"] = std::move(*input);
    }
    if (command.resume) {
        auto answer = json_of_text(*command.resume, "--resume");
        if (!answer)
            return answer.error();
        json["resume"] = std::move(*answer);
    }
    return json;
}

// That it was cancelled is told by the result.
void rethrow_unless_cancelled(const std::exception_ptr& thrown)
{
    try {
        std::rethrow_exception(thrown);
    } catch (const boost::system::system_error& error) {
        if (error.code() != boost::asio::error::operation_aborted)
            throw;
    }
}

int exit_code(bool went_well, int signal)
{
    if (signal != 0)
        return exit_code_of_signal(signal);
    return went_well ? graph_done : graph_failed;
}

int run_in_memory(const graph::CompiledGraph& graph, graph::RunInput input, graph::RunOptions options,
                  runs::Telling telling)
{
    LinePrinter printer(telling);
    options.events = &printer;
    graph::RunResult result;
    boost::asio::io_context loop(1);
    boost::asio::cancellation_signal cancel;
    CommandSignals signals(loop.get_executor(), [&] { cancel.emit(boost::asio::cancellation_type::terminal); });
    const auto ended = [&](std::exception_ptr thrown) {
        signals.close();
        if (thrown)
            rethrow_unless_cancelled(thrown);
    };
    boost::asio::co_spawn(loop, graph.run(std::move(input), options, result),
                          boost::asio::bind_cancellation_slot(cancel.slot(), ended));
    loop.run();
    for (const auto& warning : result.warnings)
        print_warning(warning);
    print_line(outcome_line(result));
    const bool went_well = result.status == graph::RunStatus::success || result.status == graph::RunStatus::interrupted;
    return exit_code(went_well, signals.received());
}

int run_durably(const config::Settings& settings, const GraphCommand& command, ThreadRun wanted)
{
    const auto egress = http::EgressPolicy::make({settings.egress.allow, settings.egress.ports, "", 0});
    if (!egress)
        return wrong_graph_command(egress.error().message());
    if (!command.webhook.empty()) {
        if (const auto checked = check_webhook(*egress, command.webhook); !checked)
            return wrong_graph_command("--webhook: " + checked.error().message());
        wanted.options[runs::webhook_option] = command.webhook;
    }
    auto storage = open_storage(settings, DatabaseUse::administer, {});
    if (!storage) {
        const auto& error = storage.error();
        std::cerr << "dure: " << error.message() << (error.detail().empty() ? "" : " (" + error.detail() + ")") << "\n";
        return graph_failed;
    }
    const auto end = run_on_thread(std::move(storage->database), *egress, wanted);
    return exit_code(end.went_well, end.signal);
}

}  // namespace

int run_graph(const config::Settings* settings, const GraphCommand& command)
{
    // The graph's names are keys: one of two nodes of the same name would be left out without a word (E7).
    const auto document = json_of_file(command.graph_file, Repeated::refused);
    if (!document)
        return wrong_graph_command(document.error().message());
    const auto compiled = graph::compile_json(*document, graph::standard_functions());
    if (!compiled)
        return wrong_graph_command(compiled.error().message());
    const auto input_json = run_input_json(command);
    if (!input_json)
        return wrong_graph_command(input_json.error().message());
    auto input = runs::run_input_of(*input_json);
    if (!input)
        return wrong_graph_command(input.error().message());
    Json asked{{"modes", command.modes}, {"subgraphs", command.subgraphs}};
    if (!command.checkpoint.empty())
        asked["checkpoint"] = command.checkpoint;
    graph::RunOptions options;
    const auto telling = runs::apply_options(asked, options);
    if (!telling)
        return wrong_graph_command(telling.error().message());
    if (settings == nullptr)
        return run_in_memory(*compiled, std::move(*input), std::move(options), *telling);
    return run_durably(*settings, command, ThreadRun{*compiled, command.thread, *input_json, std::move(asked)});
}

}  // namespace dure::app
