// The composition root. serve() lays the ground, which may refuse a start, and builds the House on it, one object after the other; a
// stop takes it down in numbered phases. Nothing else in the product constructs these objects.
#include "app/application.hpp"

#include <sys/prctl.h>

#include <csignal>
#include <cstdio>
#include <future>
#include <iostream>

#include "app/address.hpp"
#include "app/attempt_rows.hpp"
#include "app/first_start.hpp"
#include "app/flow_nodes.hpp"
#include "app/flow_running.hpp"
#include "app/known_names.hpp"
#include "app/metrics_page.hpp"
#include "app/models.hpp"
#include "app/open_files.hpp"
#include "app/people.hpp"
#include "app/readiness.hpp"
#include "app/secret_key.hpp"
#include "app/sharing.hpp"
#include "app/signals.hpp"
#include "app/state_metrics.hpp"
#include "app/storage.hpp"
#include "app/version.hpp"
#include "dure/agents/agent.hpp"
#include "dure/api/api.hpp"
#include "dure/base/cores.hpp"
#include "dure/base/log.hpp"
#include "dure/chat/service.hpp"
#include "dure/chat/usage.hpp"
#include "dure/events/access_audit.hpp"
#include "dure/events/service.hpp"
#include "dure/flows/service.hpp"
#include "dure/http/client.hpp"
#include "dure/http/egress.hpp"
#include "dure/http/server.hpp"
#include "dure/llm/gateway.hpp"
#include "dure/metrics/registry.hpp"
#include "dure/runs/runs.hpp"
#include "dure/sessions/service.hpp"
#include "dure/store/retention.hpp"
#include "dure/store/usage_writer.hpp"
#include "dure/tools/registry.hpp"
#include "dure/tools/selector.hpp"
#include "dure/tools/toolbox.hpp"

namespace dure::app {

namespace {

Logger::Options log_options(const config::Log& settings)
{
    Logger::Options options;
    options.level = settings.level == "debug" ? LogLevel::debug
                    : settings.level == "warn" ? LogLevel::warn
                    : settings.level == "error" ? LogLevel::error
                                                : LogLevel::info;
    options.json = settings.format != "text";
    options.file = settings.file;
    return options;
}

http::ServerOptions server_options(const config::Server& settings)
{
    http::ServerOptions options;
    options.host = settings.host;
    options.port = static_cast<std::uint16_t>(settings.port);
    options.trusted_proxies = settings.trusted_proxies;
    options.proxy_header = settings.proxy_header;
    options.tls_certificate_file = settings.tls_cert;
    options.tls_key_file = settings.tls_key;
    options.check_host = is_loopback(settings.host);
    if (auto url = http::parse_url(settings.public_url); url)
        options.allowed_hosts.push_back(url->host);
    auto& limits = options.limits;
    limits.connections = static_cast<std::size_t>(settings.limits.connections);
    limits.connections_per_address = static_cast<std::size_t>(settings.limits.connections_per_address);
    limits.requests_per_connection = static_cast<std::size_t>(settings.limits.requests_per_connection);
    limits.bodies_in_memory = static_cast<std::size_t>(settings.limits.bodies_in_memory);
    limits.stream_buffer = static_cast<std::size_t>(settings.limits.stream_buffer);
    limits.header_timeout = settings.limits.header_timeout;
    limits.body_idle = settings.limits.body_idle;
    limits.body_total = settings.limits.body_total;
    limits.keep_alive = settings.limits.keep_alive;
    limits.write_stall = settings.limits.write_stall;
    return options;
}

// How many requests a provider takes at once is its own setting; connections never bound it further. Callers stay on their
// core, so one core may need all of them.
http::ClientOptions outgoing_limits(const config::Settings& settings, std::size_t cores)
{
    http::ClientOptions options;
    for (const auto& provider : settings.providers)
        options.connections_per_origin =
            std::max(options.connections_per_origin, static_cast<std::size_t>(provider.max_running) * cores);
    options.idle_per_origin = options.connections_per_origin;   // they end after a minute of rest
    return options;
}

// How long a start waits for the first answers of MCP servers, and a stop for their end.
constexpr auto tool_servers_patience = std::chrono::seconds(5);

Result<http::EgressPolicy> egress_policy(const config::Settings& settings)
{
    return http::EgressPolicy::make({settings.egress.allow, settings.egress.ports, settings.server.host,
                                     static_cast<std::uint16_t>(settings.server.port)});
}

int refuse(const std::string& why)
{
    std::cerr << "dure: " << why << std::endl;
    return 1;
}

// The operator reads this, so the cause is told too.
int refuse(const Error& error)
{
    return refuse(error.message() + (error.detail().empty() ? "" : " (" + error.detail() + ")"));
}

StorageReports storage_reports(Logger& logger, Signals& signals)
{
    return {.on_fatal =
                [&](std::string_view detail) {
                    logger.error("the storage failed; stopping", {{"detail", detail}});
                    signals.request_stop();
                },
            .on_reachability =
                [&](bool reachable, std::string_view detail) {
                    if (reachable)
                        logger.info("the database is back");
                    else
                        logger.warn("the database cannot be reached; trying again", {{"detail", detail}});
                }};
}

// What serve() has made before the house: everything of it that can fail without being heard of.
struct Ground {
    const config::Settings& settings;
    Logger& logger;
    const Clock& clock;
    metrics::Registry& metrics;
    Cores& cores;
    sql::Database& database;
    const std::string& folder;
    const SecretString& secret;
    std::unique_ptr<mail::MailSender>& sender;
    Sharing& sharing;
    http::Client& client;
    const http::EgressPolicy& egress;
    tools::Registry& tools;
    tools::Toolbox& toolbox;
};

// The order of the members is the order in which they need each other.
class House {
public:
    House(const Ground& ground, std::function<config::Loaded()> load_again)
        : on(ground), models(gateway, std::move(load_again), on.logger)
    {
        show_state(on.metrics, {on.database, usage, attempts.writer(), audit, on.sharing.redis.get()});
        share_revocations(on.sharing, people.authenticator);
    }

    // What may still refuse a start. The ports come first (who connects waits for start()): the password of a first
    // administrator who is made and then not shown would be lost.
    Result<std::optional<FirstAdmin>> settle_in()
    {
        if (auto listening = listen(); !listening)
            return listening.error();
        auto first_admin = prepare_first_start(on.database, on.settings, on.logger);
        if (!first_admin)
            return first_admin;
        if (auto started = chat.start(on.cores.at(0)); !started)
            return started.error();
        return first_admin;
    }

    void start()
    {
        on.cores.start();
        on.toolbox.start(tool_servers_patience);
        flow_running.start();
        if (metrics_server)
            on.logger.info("metrics have an address of their own", {{"port", std::to_string(metrics_server->port())}});
    }

    std::string url() const
    {
        const auto& settings = on.settings.server;
        return std::string(settings.tls_cert.empty() ? "http" : "https") + "://" + url_host(settings.host) + ":" +
               std::to_string(server.port());
    }

    // SIGHUP.
    void reload()
    {
        models.reload_by_signal(audit, on.cores.at(0));
        reload_certificate();
    }

    void stop();

private:
    Result<void> listen()
    {
        if (auto listening = server.listen(); !listening || on.settings.metrics.listen.empty())
            return listening;
        metrics_server.emplace(on.cores, metrics_page, on.logger, metrics_listener(on.settings.metrics));
        return metrics_server->listen();
    }
    void reload_certificate();
    void shut_down();

    const Ground on;
    events::Journal journal{on.database, *on.sharing.bus, on.clock};
    events::AccessAudit audit{journal, on.clock, on.logger};

    // What thinks: models and agents.
    AttemptRows attempts{on.database, on.logger};
    const std::unique_ptr<model::Budget> budget =
        make_budget(on.sharing, {on.database, on.clock, on.settings, count_refusals(on.metrics)});
    llm::Gateway gateway{on.cores, on.client, on.metrics, on.logger, on.settings, &attempts, budget.get()};
    Models models;
    tools::Selector selector{gateway, on.tools, on.logger};
    agents::Agents agents{gateway, on.tools, selector, on.logger, on.settings.agent};

    // What remembers: sessions and usage.
    sessions::SessionService sessions{on.database, journal, std::move(on.sharing.live_sessions), on.settings.sessions,
                                      on.clock};
    store::UsageWriter usage{on.database, on.logger};
    store::Retention retention{
        on.database, on.clock, on.logger, {on.settings.models.usage_retention, on.settings.models.attempts_retention}};
    runs::Runs turn_runs{on.database, on.clock};
    chat::ChatService chat{{gateway, agents, sessions, usage, on.logger, on.settings, audit, turn_runs}};
    chat::UsageReports usage_reports{on.database};
    events::EventService event_reads{on.database, *on.sharing.bus};

    // What is drawn: flows, and what runs them.
    const KnownNames known_names{gateway, on.tools};
    flows::FlowService flows{{on.database, journal, on.settings, on.clock, on.logger, &known_names}};
    FlowNodes nodes{
        {gateway, on.tools, on.client, on.egress, on.logger, on.settings, on.clock, on.database, usage, audit}};
    FlowRunning flow_running{{on.database, journal, *on.sharing.bus, flows, nodes.services(), sessions, on.settings,
                              on.clock, on.logger, on.cores, on.client, on.egress}};

    // What the world sees.
    People people{on.settings, on.database, journal, on.clock, on.logger,
                  on.cores, on.secret, std::move(on.sender), std::move(on.sharing.guesses)};
    Readiness readiness{on.database, on.folder};
    api::Api api{{chat, sessions, people.authenticator, *on.sharing.limiter, people.accounts, people.administration,
                  people.keys, on.metrics, on.logger, on.settings, std::string(version),
                  derive_key(on.secret, "cursor"), [this] { return readiness.check(); }, event_reads, usage_reports,
                  audit, [this] { return models.reload_from_a_core(); }, on.tools, on.toolbox, selector, flows,
                  flow_running.executions(), *on.sharing.tickets, *budget}};
    http::Server server{on.cores, api, on.logger, server_options(on.settings.server)};
    MetricsPage metrics_page{on.metrics};
    std::optional<http::Server> metrics_server;
};

void House::reload_certificate()
{
    if (on.settings.server.tls_cert.empty())
        return;
    if (const auto loaded = server.reload_certificate(); loaded)
        on.logger.info("certificate read again", {{"file", on.settings.server.tls_cert}});
    else
        on.logger.error("certificate not read again; the one before stays", {{"detail", loaded.error().detail()}});
}

// The phases of a stop (threat-model §9, SIGTERM): nothing acknowledged is lost, all within the deadline.
void House::shut_down()
{
    const auto patience = on.settings.server.shutdown_deadline;
    const auto deadline = Deadline::after(patience);
    on.logger.info("stopping");
    api.stop_accepting_work();                                   // 1. new work is refused
    server.wind_down();
    const auto to_record = std::min<Steady::duration>(std::chrono::seconds(1), patience / 10);
    while (server.open_exchanges() > 0 && deadline.left() > to_record)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));   // 2. streams finish
    server.stop_accepting();
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline.left());
    gateway.stop_draining();
    server.close_all(std::max(left, std::chrono::milliseconds(500)));   // 3. what still runs is cancelled and recorded
    // Turns that were taken over end, or are cut; beside it, as both may have to wait for a database that is away:
    auto turns = std::async(std::launch::async, [&] { chat.stop(deadline.sooner(std::chrono::seconds(2))); });
    flow_running.stop(deadline.sooner(patience / 2));             // executions park behind their last finished node
    turns.wait();
    while (chat.background_work() > 0 && !deadline.passed())
        std::this_thread::sleep_for(std::chrono::milliseconds(5));   // 4. summaries end
    const auto mails = deadline.sooner(std::chrono::seconds(3));
    while (people.mailer.due() > 0 && !mails.passed())
        std::this_thread::sleep_for(std::chrono::milliseconds(5));  // 5. mails go out
    if (const auto lost = people.mailer.undelivered(); lost > 0)
        on.logger.warn("mails lost with the stop", {{"mails", lost}});
    usage.stop(deadline);  // 6. rows written behind are written, or counted
    attempts.writer().stop(deadline);
    on.logger.info("stopped");
}

void House::stop()
{
    shut_down();
    on.toolbox.stop(Deadline::after(tool_servers_patience));
    if (metrics_server)
        metrics_server->close_all(std::chrono::milliseconds(500));
    on.cores.stop();
    on.cores.join();
    retention.stop();
}

}  // namespace

int serve(const config::Settings& settings, std::function<config::Loaded()> load_again)
{
    ::prctl(PR_SET_DUMPABLE, 0);   // no core dumps: memory holds keys
    Signals signals;               // before any thread, so that every thread inherits the mask

    Logger logger(log_options(settings.log));
    raise_open_files(static_cast<std::size_t>(settings.server.limits.connections), logger);

    // What lasts: the database, the secret every other key is derived from.
    auto storage = open_storage(settings, DatabaseUse::serve, storage_reports(logger, signals));
    if (!storage)
        return refuse(storage.error());
    const auto secret = secret_key(settings);
    if (!secret)
        return refuse(secret.error());
    auto sender = mail_sender(settings);
    if (!sender)
        return refuse(sender.error());
    const auto egress = egress_policy(settings);
    if (!egress)
        return refuse(egress.error());

    // What everything runs on, and what replicas share.
    SystemClock clock;
    metrics::Registry metrics;
    Cores cores(static_cast<std::size_t>(settings.server.threads));
    auto sharing = make_sharing(settings, *storage->database, cores, clock, logger);
    if (!sharing)
        return refuse(sharing.error());

    // What reaches out: the client of models and tools.
    http::Client client(cores, outgoing_limits(settings, cores.size()));
    tools::Registry tools(logger, settings.tools);
    tools.add(tools::make_calculator());
    auto toolbox = tools::Toolbox::make({cores, client, *egress, tools, logger, settings.tools});
    if (!toolbox)
        return refuse(toolbox.error());

    House house({settings, logger, clock, metrics, cores, *storage->database, storage->folder, *secret, *sender,
                 *sharing, client, *egress, tools, **toolbox},
                std::move(load_again));
    const auto first_admin = house.settle_in();
    if (!first_admin) {
        cores.stop();   // they never ran: nobody waits for what they would have done
        return refuse(first_admin.error());
    }
    house.start();
    if (*first_admin)
        announce(**first_admin, house.url());
    std::cerr << "dure " << version << " listening on " << house.url() << " (" << storage->description << ")"
              << std::endl;
    signals.wait_for_stop([&house] { house.reload(); });
    house.stop();
    storage->database.reset();   // its threads end while the cores still exist: what they finish late is told to those
    return signals.failed() ? 1 : 0;
}

}  // namespace dure::app
