// The command line; see cli.hpp. Each command is one function from its options to an exit code.
#include "app/cli.hpp"

#include <CLI/CLI.hpp>

#include <iostream>

#include "app/administration.hpp"
#include "app/application.hpp"
#include "app/flow_command.hpp"
#include "app/graph_command.hpp"
#include "app/models.hpp"
#include "app/rules.hpp"
#include "app/version.hpp"
#include "dure/api/api.hpp"
#include "dure/config/load.hpp"

namespace dure::app {

namespace {

constexpr int done = 0;
constexpr int refused = 1;
constexpr int usage = 2;

struct Options {
    std::string config_file;
    std::string host;
    std::optional<int> port;
    std::string database;
    bool status = false;
    std::string email;
    std::string key_name;
    std::vector<std::string> permissions;
    std::string expires;
    bool password_stdin = false;
    GraphCommand graph;
    FlowCommand flow;
};

enum class For { server, command };

config::LoadOptions load_options(const Options& options, For use)
{
    config::LoadOptions load;
    load.rules = configuration_rules(use == For::server);
    load.environment = config::process_environment();
    if (!options.config_file.empty())
        load.file = options.config_file;
    if (!options.host.empty())
        load.overrides.emplace_back("server.host", options.host);
    if (options.port)
        load.overrides.emplace_back("server.port", std::to_string(*options.port));
    if (!options.database.empty())
        load.overrides.emplace_back("database.url", options.database);
    return load;
}

void print_findings(const config::Loaded& loaded)
{
    for (const auto& warning : loaded.warnings)
        std::cerr << "dure: warning: " << warning << "\n";
    for (const auto& problem : loaded.problems)
        std::cerr << "dure: " << problem.text() << "\n";
}

// Every problem at once, on standard error; the start is refused by any.
std::optional<config::Settings> load_settings(const Options& options, For use = For::command)
{
    auto loaded = config::load(load_options(options, use));
    print_findings(loaded);
    if (!loaded.problems.empty())
        return std::nullopt;
    return std::move(loaded.settings);
}

int with_settings(const Options& options, int (*command)(const config::Settings&))
{
    const auto settings = load_settings(options);
    return settings ? command(*settings) : refused;
}

int check_config(const Options& options)
{
    const auto loaded = config::load(load_options(options, For::server));
    std::cout << config::effective_toml(loaded.settings);
    print_findings(loaded);
    return loaded.problems.empty() ? done : refused;
}

int show_version()
{
    std::cout << "dure " << version << " (" << commit << ")\n" << library_versions();
    return done;
}

int run_admin_create(const Options& options)
{
    const auto settings = load_settings(options);
    return settings ? admin_create(*settings, {options.email, options.password_stdin}) : refused;
}

int run_key_create(const Options& options)
{
    const auto settings = load_settings(options);
    return settings ? key_create(*settings, {options.email, options.key_name, options.permissions, options.expires}) : refused;
}

int run_migrate(const Options& options)
{
    const auto settings = load_settings(options);
    if (!settings)
        return refused;
    return options.status ? migrate_status(*settings) : migrate(*settings);
}

int run_graph_command(const Options& options)
{
    if (options.graph.thread.empty()) {
        if (options.graph.resume || !options.graph.checkpoint.empty() || !options.database.empty() ||
            !options.graph.webhook.empty()) {
            std::cerr << "dure: --resume, --from, --webhook and --database need a --thread\n";
            return usage;
        }
        return run_graph(nullptr, options.graph);
    }
    const auto settings = load_settings(options);
    return settings ? run_graph(&*settings, options.graph) : usage;
}

// Wrong settings are not the flow's fault: exit code 2, as for a file that cannot be read.
int with_flow(const Options& options, int (*command)(const config::Settings&, const FlowCommand&))
{
    const auto settings = load_settings(options);
    return settings ? command(*settings, options.flow) : usage;
}

// An empty one is a variable of a script that was not set, not a wish for the default.
std::string fault_of_empty(const std::string& value)
{
    return value.empty() ? "must not be empty" : "";
}

template <class Target>
CLI::Option* add_filled(CLI::App& command, const std::string& name, Target& target, const std::string& description)
{
    return command.add_option(name, target, description)->check(fault_of_empty);
}

void add_graph_options(CLI::App& command, Options& options)
{
    auto& graph = options.graph;
    add_filled(command, "--graph", graph.graph_file, "Graph of the JSON form (docs/graph.md)")->required();
    add_filled(command, "--input", graph.input_file, "JSON file with the input");
    add_filled(command, "--thread", graph.thread, "Thread whose state is kept in the database");
    add_filled(command, "--resume", graph.resume, "JSON: the answer to the open interrupt, or {interrupt id: answer}");
    add_filled(command, "--from", graph.checkpoint, "Checkpoint of the thread to go on from");
    add_filled(command, "--modes", graph.modes, "Events to print, separated by commas (default: updates)")
        ->delimiter(',')
        ->default_val(std::vector<std::string>{"updates"});
    add_filled(command, "--webhook", graph.webhook, "Address that the end of the run is posted to");
    command.add_flag("--subgraphs", options.graph.subgraphs, "Print the events of sub-graphs too");
}

void add_config(CLI::App& command, Options& options)
{
    add_filled(command, "--config", options.config_file,
               "TOML file (default: DURE_CONFIG, else config/dure.toml if there)");
}

void add_common(CLI::App& command, Options& options)
{
    add_config(command, options);
    add_filled(command, "--database", options.database, "Database URL, e.g. sqlite:data/dure.db");
}

void add_serve_options(CLI::App& command, Options& options)
{
    add_common(command, options);
    add_filled(command, "--host", options.host, "Address to listen on");
    command.add_option("--port", options.port, "Port to listen on; 0: a free one")->check(CLI::Range(0, 65535));
}

struct Commands {
    explicit Commands(Options& options) : app("Dure: the whole backend of an LLM agent and flow platform", "dure")
    {
        app.require_subcommand(0, 1);
        add_serve_options(app, options);
        serve = app.add_subcommand("serve", "Run the server (also what a bare `dure` does)");
        add_serve_options(*serve, options);
        migrate = app.add_subcommand("migrate", "Bring the database to this version");
        add_common(*migrate, options);
        migrate->add_flag("--status", options.status, "Only say which migrations are there, and which a start would make");
        auto* admin = app.add_subcommand("admin", "Administrators")->require_subcommand(1);
        admin_create = admin->add_subcommand("create", "Make an administrator");
        add_common(*admin_create, options);
        add_filled(*admin_create, "--email", options.email, "E-mail address")->required();
        admin_create->add_flag("--password-stdin", options.password_stdin, "Read the password from standard input");
        auto* key = app.add_subcommand("key", "API keys")->require_subcommand(1);
        key_create = key->add_subcommand("create", "Make an API key; it is printed once, alone on standard output");
        add_common(*key_create, options);
        add_filled(*key_create, "--email", options.email, "E-mail address of the owner")->required();
        add_filled(*key_create, "--name", options.key_name, "What the key is for")->required();
        add_filled(*key_create, "--permissions", options.permissions,
                   "Permissions, separated by commas (default: all of the owner's)")
            ->delimiter(',');
        add_filled(*key_create, "--expires", options.expires, "End: a time (RFC 3339) or a duration such as 90d");
        auto* config = app.add_subcommand("config", "Configuration")->require_subcommand(1);
        config_check = config->add_subcommand("check", "Read everything, print the effective configuration and every problem");
        add_common(*config_check, options);
        auto* models = app.add_subcommand("models", "Models")->require_subcommand(1);
        models_check = models->add_subcommand("check", "Ask every target of every model for a short answer; exit code 1 if any fails");
        add_common(*models_check, options);
        auto* graph = app.add_subcommand("graph", "Graphs")->require_subcommand(1);
        graph_run = graph->add_subcommand("run", "Execute a graph and print its events as JSON lines");
        add_common(*graph_run, options);
        add_graph_options(*graph_run, options);
        auto* flow = app.add_subcommand("flow", "Flows, without a server")->require_subcommand(1);
        flow_validate = flow->add_subcommand("validate", "Print every problem of a flow file; exit code 1 if it cannot be saved");
        add_config(*flow_validate, options);
        add_filled(*flow_validate, "file", options.flow.file, "Flow document (JSON)")->required();
        flow_run = flow->add_subcommand("run", "Run a flow file in this process and print its events as JSON lines");
        add_config(*flow_run, options);
        add_filled(*flow_run, "file", options.flow.file, "Flow document (JSON)")->required();
        flow_run->add_option("--message", options.flow.message, "What the user says");
        add_filled(*flow_run, "--inputs", options.flow.inputs, "JSON object with the inputs of the flow");
        add_filled(*flow_run, "--answer", options.flow.answers,
                   "JSON: the answer to the next question of the run; may be given several times");
        openapi = app.add_subcommand("openapi", "Print the OpenAPI document");
        version = app.add_subcommand("version", "Print version, commit and libraries");
    }

    CLI::App app;
    CLI::App* serve;
    CLI::App* migrate;
    CLI::App* admin_create;
    CLI::App* key_create;
    CLI::App* config_check;
    CLI::App* models_check;
    CLI::App* graph_run;
    CLI::App* flow_validate;
    CLI::App* flow_run;
    CLI::App* openapi;
    CLI::App* version;
};

int run(const Commands& commands, const Options& options)
{
    if (commands.migrate->parsed())
        return run_migrate(options);
    if (commands.admin_create->parsed())
        return run_admin_create(options);
    if (commands.key_create->parsed())
        return run_key_create(options);
    if (commands.config_check->parsed())
        return check_config(options);
    if (commands.graph_run->parsed())
        return run_graph_command(options);
    if (commands.flow_validate->parsed())
        return with_flow(options, validate_flow);
    if (commands.flow_run->parsed())
        return with_flow(options, run_flow);
    if (commands.openapi->parsed()) {
        std::cout << api::Api::openapi(std::string(version)) << "\n";
        return done;
    }
    if (commands.version->parsed())
        return show_version();
    if (commands.models_check->parsed())
        return with_settings(options, models_check);
    const auto settings = load_settings(options, For::server);
    if (!settings)
        return refused;
    // To be read again are providers and models: files that were read at the start need not be there any more.
    return app::serve(*settings, [load = load_options(options, For::command)] { return config::load(load); });
}

}  // namespace

int run_command_line(int argc, char** argv)
{
    Options options;
    Commands commands(options);
    try {
        commands.app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const int code = commands.app.exit(error);   // prints help or what is wrong
        return code == 0 ? done : usage;
    }
    try {
        const int code = run(commands, options);
        std::cout.flush();
        if (std::cout)
            return code;
        std::cerr << "dure: the output could not be written\n";   // a key that was made, and nobody has seen
        return code == done ? refused : code;
    } catch (const std::exception& error) {
        std::cerr << "dure: " << error.what() << std::endl;
        return refused;
    }
}

}  // namespace dure::app
